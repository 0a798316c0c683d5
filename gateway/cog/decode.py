"""The payload: every stored tile decoded, one at a time."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader
from rasterio.windows import Window

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.raster import GDAL_ERRORS, strict_options
from gateway.cog.rules import finding
from gateway.cog.tags import DEFLATE_CODECS, JPEG, NO_COMPRESSION, PLANAR_SEPARATE, YCBCR, Tag
from gateway.model import ByteSource, Finding

# Takes the number of a tile and returns the rule that it breaks, or None.
Verdict = Callable[[int], str | None]

# DEFLATE grows what it cannot compress by less than this (RFC 1951 section 3.2.4, and room for blocks of a
# careless encoder): a longer tile has bytes that no decoder looks at.
GROWTH = 1.02
SLACK_BYTES = 64 * 1024
# Each tile is looked at once; GDAL would keep a twentieth of the machine's memory full of them.
CACHE_BYTES = 16 << 20
END_OF_IMAGE = b"\xff\xd9"
WRONG_ADLER = "incorrect data check"


@dataclass(frozen=True, slots=True)
class Damage:
    """The tiles of one IFD that break one rule; `ifd` counts in the layout. No tiles: none can be read at all."""

    ifd: int
    rule: str
    blocks: tuple[int, ...] = ()


def check_payload(source: ByteSource, layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each IFD with tiles that do not decode, and with tiles of a wrong Adler-32.

    DEFLATE is inflated here, because libtiff does not look at the checksum, and of tiles without compression there
    is nothing to decode: they are read. All else, and the first tile of each IFD, is read through GDAL.
    Memory is bounded by one tile. Raises the OSError of the source.
    """
    yield from findings_of(layout, find_damage(source, layout))


def find_damage(source: ByteSource, layout: Layout, part: int = 0, parts: int = 1) -> Iterator[Damage]:
    """Yield what is damaged in one of `parts` runs of tiles of each IFD, about equal in length, from 0 on."""
    for index, ifd in enumerate(layout.ifds):
        blocks = np.flatnonzero(ifd.counts)
        mine = blocks[len(blocks) * part // parts : len(blocks) * (part + 1) // parts].tolist()
        own = _own_verdict(ifd)
        if own is not None:
            damage = list(_judge(index, mine, partial(own, source, ifd)))
            yield from damage
            # What libtiff makes of the bytes is looked at once.
            mine = mine[:1] if part == 0 and not damage else []
        if not mine:
            continue
        try:
            with _opened(source, ifd) as raster:
                yield from _judge(index, mine, partial(_read, source, ifd, raster))
        except GDAL_ERRORS:
            yield Damage(index, "gdal-cannot-open")


def _judge(index: int, blocks: list[int], verdict: Verdict) -> Iterator[Damage]:
    bad: dict[str, list[int]] = {}
    for block in blocks:
        rule = verdict(block)
        if rule is not None:
            bad.setdefault(rule, []).append(block)
    yield from (Damage(index, rule, tuple(found)) for rule, found in bad.items())


def findings_of(layout: Layout, damage: Iterable[Damage]) -> Iterator[Finding]:
    """Yield one finding for each rule that tiles of an IFD break: the first of them, and how many more."""
    bad: dict[tuple[int, str], list[int]] = {}
    for each in damage:
        bad.setdefault((each.ifd, each.rule), []).extend(each.blocks)
    for (index, rule), blocks in sorted(bad.items(), key=lambda item: (item[0][0], min(item[1], default=-1))):
        ifd = layout.ifds[index]
        if not blocks:
            text = "GDAL does not open this image of the file."
            yield finding(rule, text, ifd=ifd.index, offset=ifd.directory.offset)
            continue
        first, more = min(blocks), len(set(blocks)) - 1
        what = "is damaged" if rule == "tile-does-not-decode" else "has a wrong checksum"
        text = f"Tile {first} {what}{f', and {more} more' if more else ''}."
        yield finding(rule, text, ifd=ifd.index, block=first, offset=int(ifd.offsets[first]))


def _own_verdict(ifd: Ifd) -> Callable[[ByteSource, Ifd, int], str | None] | None:
    """Return how a tile is judged without GDAL, or None where only GDAL can."""
    if ifd.compression in DEFLATE_CODECS:
        return _inflate
    # Their sizes are those of their pixels (uncompressed-tile-size), but for subsampled YCbCr.
    plain = ifd.compression == NO_COMPRESSION and ifd.number(Tag.PHOTOMETRIC, 1) != YCBCR
    return _take if plain else None


def _take(source: ByteSource, ifd: Ifd, block: int) -> str | None:
    """Return the rule that a tile breaks whose bytes are not all there: a file that shrinks."""
    size = int(ifd.counts[block])
    return None if len(source.read_at(int(ifd.offsets[block]), size)) == size else "tile-does-not-decode"


def _inflate(source: ByteSource, ifd: Ifd, block: int) -> str | None:
    """Return the rule that a DEFLATE tile breaks (RFC 1950: the stream ends with its Adler-32)."""
    most = int(ifd.tile_bytes * GROWTH) + SLACK_BYTES
    raw = source.read_at(int(ifd.offsets[block]), min(int(ifd.counts[block]), most))
    stream = zlib.decompressobj()
    try:
        size = len(stream.decompress(raw, ifd.tile_bytes + 1))
    except zlib.error as error:
        return "tile-checksum" if WRONG_ADLER in str(error) else "tile-does-not-decode"
    # Subsampled YCbCr takes fewer bytes than its pixels.
    subsampled = ifd.number(Tag.PHOTOMETRIC, 1) == YCBCR
    whole = size <= ifd.tile_bytes if subsampled else size == ifd.tile_bytes
    return None if stream.eof and whole else "tile-does-not-decode"


@contextmanager
def _opened(source: ByteSource, ifd: Ifd) -> Iterator[DatasetReader]:
    """Yield the one image of an IFD as a dataset of its own; its offset names it to GDAL."""
    path = f"GTIFF_DIR:off:{ifd.directory.offset}:{source.gdal_path}"
    options = {**strict_options(source.gdal_path), "GDAL_CACHEMAX": CACHE_BYTES}
    with warnings.catch_warnings(), rasterio.Env(**options):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, driver="GTiff", sharing=False) as raster:
            yield raster


def _read(source: ByteSource, ifd: Ifd, raster: DatasetReader, block: int) -> str | None:
    """Return the rule that a tile breaks when GDAL reads it; of pixel-interleaved tiles one band is enough."""
    if ifd.compression == JPEG and not _ends(source, ifd, block):
        return "tile-does-not-decode"
    plane, place = divmod(block, ifd.blocks // ifd.planes)
    row, col = divmod(place, ifd.grid[0])
    (width, height), (left, top) = ifd.tile, (col * ifd.tile[0], row * ifd.tile[1])
    window = Window(left, top, min(width, ifd.size[0] - left), min(height, ifd.size[1] - top))
    try:
        # Decodes as `read` does, and takes no longer for each of many bands.
        raster.checksum(plane + 1 if ifd.planar == PLANAR_SEPARATE else 1, window=window)
    except GDAL_ERRORS:
        return "tile-does-not-decode"
    return None


def _ends(source: ByteSource, ifd: Ifd, block: int) -> bool:
    """Return whether a JPEG tile has its end marker; libjpeg makes up the rest of one that has not."""
    size = int(ifd.counts[block])
    tail = source.read_at(int(ifd.offsets[block]) + max(size - SLACK_BYTES, 0), min(size, SLACK_BYTES))
    return tail.rstrip(b"\0").endswith(END_OF_IMAGE)
