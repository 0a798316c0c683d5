"""The tiles as extents of the file: whole, inside it, and apart from each other and from the header."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gateway.cog.ghost import TRAILER_BYTES
from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import NO_COMPRESSION, YCBCR, Tag
from gateway.model import Finding

# Room that writers leave for alignment or for leaders and trailers that they do not announce.
USUAL_GAP_BYTES = 16


def check_entries(layout: Layout) -> Iterator[Finding]:
    """Yield findings on the tile entries of each image by themselves."""
    for ifd in layout.ifds:
        yield from _entries(ifd, layout.size_bytes)


def check_apart(layout: Layout) -> Iterator[Finding]:
    """Yield findings on all stored tiles together: apart from each other, from the header, and side by side."""
    if len(layout.tiles.starts):
        yield from _overlaps(layout)
        yield from _in_header(layout)
        yield from _slack(layout)


def _entries(ifd: Ifd, size_bytes: int) -> Iterator[Finding]:
    offsets, counts = ifd.offsets, ifd.counts
    within = ifd.within(size_bytes)
    stored = within
    if not within.all():
        stored = (offsets != 0) & (counts != 0)
        yield from _first(ifd, (offsets != 0) != (counts != 0), "half-sparse-tile", "has only one of offset and size")
        yield from _first(ifd, stored & ~within, "tile-beyond-end", "reaches beyond the end of the file")
    # Subsampled YCbCr without compression takes fewer bytes (TIFF 6.0 section 21).
    if ifd.compression == NO_COMPRESSION and ifd.number(Tag.PHOTOMETRIC, 1) != YCBCR:
        wrong = stored & (counts != ifd.tile_bytes)
        yield from _first(ifd, wrong, "uncompressed-tile-size", f"has not the {ifd.tile_bytes} bytes of its pixels")


def _first(ifd: Ifd, bad: npt.NDArray[np.bool_], rule: str, what: str) -> Iterator[Finding]:
    """Yield one finding for the first of the bad tiles, with their number."""
    if bad.any():
        block = int(bad.argmax())
        more = int(bad.sum()) - 1
        text = f"Tile {block} {what}{f', and {more} more' if more else ''}."
        yield finding(rule, text, ifd=ifd.index, block=block, offset=int(ifd.offsets[block]))


def _overlaps(layout: Layout) -> Iterator[Finding]:
    tiles = layout.tiles
    # Sorted by start, two tiles can only overlap when two neighbours do.
    bad = tiles.starts[1:] < tiles.ends[:-1]
    if bad.any():
        yield at_tile(layout, int(bad.argmax()) + 1, "tiles-overlap", "begins inside another tile")
    if tiles.shared:
        yield finding("shared-tiles", f"{tiles.shared} tiles use the bytes of another one.")


def at_tile(layout: Layout, position: int, rule: str, what: str) -> Finding:
    """Return a finding on the tile at a position of `Layout.tiles`."""
    tiles = layout.tiles
    ifd, block = layout.ifds[tiles.owners[position]], int(tiles.blocks[position])
    return finding(rule, f"Tile {block} {what}.", ifd=ifd.index, block=block, offset=int(tiles.starts[position]))


def _in_header(layout: Layout) -> Iterator[Finding]:
    """Yield a finding on the first stored tile that claims bytes of the header, an IFD or a tag value."""
    tiles = layout.tiles
    if tiles.starts[0] >= layout.header_end:
        return
    extents = np.array([extent for extent in layout.header_extents if extent[0] < extent[1]], np.int64)
    # The last tile that begins before the end of each extent.
    last = np.searchsorted(tiles.starts, extents[:, 1]) - 1
    bad = (last >= 0) & (tiles.ends[np.maximum(last, 0)] > extents[:, 0])
    if bad.any():
        yield at_tile(layout, int(last[bad.argmax()]), "tile-in-header", "claims bytes of the header")


def _slack(layout: Layout) -> Iterator[Finding]:
    tiles, ghost = layout.tiles, layout.ghost
    gaps = tiles.starts[1:] - tiles.ends[:-1]
    unused = int(gaps[gaps > USUAL_GAP_BYTES].sum())
    # libtiff may pad to an even offset.
    allowed = TRAILER_BYTES if ghost is not None and ghost.trailers else 1
    last = max(int(tiles.ends.max()), layout.header_end)
    trailing = layout.size_bytes - last
    if unused or trailing > allowed:
        what = f"{unused} bytes between tiles and {max(trailing - allowed, 0)} after the last one are unused."
        yield finding("slack-bytes", what)
