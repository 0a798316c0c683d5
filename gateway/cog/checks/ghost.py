"""The ghost area: readable, and true in everything that the structure can show.

https://gdal.org/drivers/raster/cog.html#header-ghost-area
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from gateway.cog.checks.blocks import at_tile
from gateway.cog.checks.levels import mask_of
from gateway.cog.checks.order import ALIGNMENT_BYTES
from gateway.cog.ghost import LEADER_BYTES, TRAILER_BYTES, Ghost
from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import PLANAR_SEPARATE
from gateway.model import Finding


def check_area(layout: Layout) -> Iterator[Finding]:
    """Yield findings on the text of the ghost area; none where there is no such area."""
    ghost = layout.ghost
    if ghost is None:
        return
    if ghost.size is not None and not _leads_to_ifd(layout, ghost):
        what = f"The ghost area claims {ghost.size} bytes, but the first directory is elsewhere."
        yield finding("ghost-wrong-size", what, offset=ghost.start)
    elif ghost.garbled:
        yield finding("ghost-garbled", "The ghost area has bytes or lines that are not GDAL's.", offset=ghost.start)
    elif "LAYOUT" not in ghost.claims:
        yield finding("ghost-no-layout", "The ghost area names no layout.", offset=ghost.start)
    if ghost.claims.get("KNOWN_INCOMPATIBLE_EDITION") == "YES":
        yield finding("ghost-incompatible-edition", "It says that an edit broke the layout.", offset=ghost.start)


def _leads_to_ifd(layout: Layout, ghost: Ghost) -> bool:
    """Return whether nothing but a little alignment stands between the area and the first IFD."""
    between = layout.before_ifd[ghost.end - ghost.start :]
    gap = layout.main.directory.offset - ghost.end
    return 0 <= gap < ALIGNMENT_BYTES and not between.strip(b"\0 ")


def check_promises(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each promise of the ghost area that the tile arrays belie."""
    ghost = layout.ghost
    if ghost is None:
        return
    yield from _room(layout, ghost)
    for ifd in layout.ifds:
        yield from _interleave(ifd, ghost)
    if ghost.row_major:
        yield from _row_major(layout)
    if ghost.masks_interleaved:
        yield from _masks(layout, ghost)


def _room(layout: Layout, ghost: Ghost) -> Iterator[Finding]:
    """Yield a finding on the first tile that has no room for its leader before it or its trailer after it."""
    leader = LEADER_BYTES if ghost.leaders else 0
    trailer = TRAILER_BYTES if ghost.trailers else 0
    tiles = layout.tiles
    if not len(tiles.starts):
        return
    data = tiles.starts.item(0)
    header_end = max(end for start, end in layout.header_extents if start < data)
    bad = np.empty(len(tiles.starts), np.bool_)
    bad[0] = data - leader < header_end
    bad[1:] = tiles.starts[1:] - tiles.ends[:-1] < leader + trailer
    bad[-1] |= tiles.ends.item(-1) + trailer > layout.size_bytes
    if bad.any():
        yield at_tile(layout, int(bad.argmax()), "ghost-no-room", "has no room for its leader or trailer")


def _interleave(ifd: Ifd, ghost: Ghost) -> Iterator[Finding]:
    # With one sample the two planar configurations are the same; a mask has one.
    separate = ifd.planar == PLANAR_SEPARATE
    claimed = ghost.interleave in ("BAND", "TILE")
    if ifd.samples > 1 and ghost.interleave is not None and claimed != separate:
        what = f"The ghost area claims INTERLEAVE={ghost.interleave}, but the bands are stored otherwise."
        yield finding("ghost-interleave", what, ifd=ifd.index, offset=ghost.start)


def _row_major(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each image whose stored tiles do not ascend.

    Where planes are separate they ascend band by band, or tile by tile with all bands of a place side by side; one
    of the two must hold in all images. The ghost area of GDAL 3.11 and 3.12 says BAND in both cases.
    """
    found = list(_disorder(layout, by_tile=False))
    if found and any(ifd.planes > 1 for ifd in layout.ifds):
        found = min(found, list(_disorder(layout, by_tile=True)), key=len)
    yield from found


def _disorder(layout: Layout, by_tile: bool) -> Iterator[Finding]:
    for ifd in layout.ifds:
        block = _first_before(ifd, by_tile)
        if block is not None:
            what = f"Tile {block} lies before its predecessor."
            yield finding("ghost-not-row-major", what, ifd=ifd.index, block=block, offset=int(ifd.offsets[block]))


def _first_before(ifd: Ifd, by_tile: bool) -> int | None:
    """Return the first stored tile that lies before its predecessor, or None."""
    if not by_tile and (ifd.offsets[1:] >= ifd.offsets[:-1]).all():
        return None
    order = np.arange(ifd.blocks)
    if by_tile:
        order = order.reshape(ifd.planes, -1).T.ravel()
    order = order[ifd.offsets[order] != 0]
    offsets = ifd.offsets[order]
    bad = offsets[1:] < offsets[:-1]
    return int(order[int(bad.argmax()) + 1]) if bad.any() else None


def _masks(layout: Layout, ghost: Ghost) -> Iterator[Finding]:
    if not layout.masks:
        yield finding("ghost-mask-not-interleaved", "Masks are promised and there are none.", offset=ghost.start)
    for level in layout.levels:
        mask = mask_of(layout, level)
        if mask is None or (level.planes > 1 and _first_before(level, by_tile=True) is not None):
            continue
        if mask.grid != level.grid:
            what = "The mask has other tiles than its image."
            yield finding("ghost-mask-not-interleaved", what, ifd=mask.index, offset=mask.directory.offset)
            continue
        bad = _misplaced(level, mask, ghost)
        if bad.any():
            block = int(bad.argmax())
            what = f"Tile {block} of the mask does not follow its image tile."
            at = int(mask.offsets[block])
            yield finding("ghost-mask-not-interleaved", what, ifd=mask.index, block=block, offset=at)


def _misplaced(level: Ifd, mask: Ifd, ghost: Ghost) -> npt.NDArray[np.bool_]:
    """Return for each mask tile whether it should adjoin its image tile, of the last band, and does not."""
    between = (LEADER_BYTES if ghost.leaders else 0) + (TRAILER_BYTES if ghost.trailers else 0)
    last = slice(-mask.blocks, None)
    offsets, at = level.offsets[last].astype(np.uint64), mask.offsets.astype(np.uint64)
    both = (offsets != 0) & (at != 0)
    misplaced: npt.NDArray[np.bool_] = both & (at != offsets + level.counts[last] + np.uint64(between))
    return misplaced
