"""Stored blocks that are tiles already: JPEG and WebP as they lie in the file, of rasters on the tiles' grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import imagecodecs

from gateway.cog.ifd import Ifd
from gateway.cog.tags import PLANAR_CONTIGUOUS, Tag
from gateway.files import FileSource
from gateway.model import ByteSource
from gateway.tiles.grid import Frame, block_of
from gateway.tiles.handles import Handle
from gateway.tiles.model import Encoded, Style, TileFormat
from gateway.tiles.warp import Drawn, Request, placed

# Compression (259): JPEG of the Technical Note 2, and WebP as GDAL numbers it.
CODECS = {7: TileFormat.JPEG, 50001: TileFormat.WEBP}
DECODERS: Mapping[TileFormat, Callable[[bytes], Any]] = {
    TileFormat.JPEG: imagecodecs.jpeg8_decode,
    TileFormat.WEBP: imagecodecs.webp_decode,
}
# Of rows and columns alone.
GREY_DIMENSIONS = 2
BLACK_IS_ZERO, RGB, YCBCR = 1, 2, 6
SOI, EOI = b"\xff\xd8", b"\xff\xd9"
RIFF = b"RIFF"
# Adobe's marker, whose last byte tells decoders which colours the samples are: 0 is RGB, 1 is YCbCr.
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
# Offset and length in bytes to bytes.
Read = Callable[[int, int], bytes]
MAX_BLOCK_BYTES, MAX_TABLES_BYTES = 4 << 20, 64 << 10
# JPEGTables (347): what all blocks of an image have in common.
JPEG_TABLES = 347


@dataclass(frozen=True)
class StoredLevel:
    """The blocks of one level that can leave as they are: their format, side, and what goes before each."""

    format: TileFormat
    ifd: Ifd
    block: int
    head: bytes

    def extent(self, column: int, row: int) -> tuple[int, int] | None:
        """Return offset and length of a block, or None where it is not whole, not stored or too large."""
        (width, height), (across, _) = self.ifd.size, self.ifd.grid
        if (column + 1) * self.block > width or (row + 1) * self.block > height:
            return None
        index = row * across + column
        offset, length = int(self.ifd.offsets[index]), int(self.ifd.counts[index])
        return (offset, length) if offset and 4 < length <= MAX_BLOCK_BYTES else None


def stored_tile(handle: Handle, frame: Frame, style: Style, format: TileFormat | None) -> Encoded | None:
    """Return the block that is the tile, as a file of its own; None where no block is, or not in that format."""
    return _stored_tile(handle, frame, style, format, handle.source.read_at)


def ready_tile(handle: Handle, frame: Frame, style: Style, format: TileFormat | None) -> Encoded | None:
    """Return the same, but None too where something has to be found out or a disk to be waited for."""
    source: object = handle.source
    if not isinstance(source, FileSource) or not handle.knows("stored", ("placing", frame.crs)):
        return None
    try:
        return _stored_tile(handle, frame, style, format, source.read_cached)
    except BlockingIOError:
        return None


def _stored_tile(handle: Handle, frame: Frame, style: Style, format: TileFormat | None, read: Read) -> Encoded | None:
    if not _plain(style):
        return None
    levels = handle.once("stored", lambda: stored_levels(handle))
    if not levels or format not in (None, levels[0].format) or style.bidx not in ((), handle.view.bands):
        return None
    if format is None and levels[0].format is not TileFormat.JPEG:
        return None
    if not placed(handle, frame.crs).same:
        return None
    for level, stored in enumerate(levels):
        place = block_of(frame, handle.view.transforms[level], stored.block)
        if place is not None:
            return _block(read, stored, *place)
    return None


def decoded_tile(handle: Handle, frame: Frame, request: Request) -> Drawn | None:
    """Return the pixels of the block that is the tile, as browsers decode it; None where no block is."""
    levels = handle.once("stored", lambda: stored_levels(handle))
    if not levels or request.nodata is not None or not placed(handle, frame.crs).same:
        return None
    for level, stored in enumerate(levels):
        place = block_of(frame, handle.view.transforms[level], stored.block)
        if place is not None:
            block = _block(handle.source.read_at, stored, *place)
            return None if block is None else _decoded(block, handle.view.bands, request.bands)
    return None


def _decoded(block: Encoded, bands: tuple[int, ...], wanted: tuple[int, ...]) -> Drawn | None:
    """Return the wanted bands of a picture; None where it cannot be decoded, which the slower way tells better."""
    try:
        samples = DECODERS[block.format](block.body)
    except (RuntimeError, ValueError):
        return None
    samples = samples[..., None] if samples.ndim == GREY_DIMENSIONS else samples
    if samples.shape[2] != len(bands):
        return None
    pixels = samples.transpose(2, 0, 1)
    return Drawn(pixels if wanted == bands else pixels[[bands.index(band) for band in wanted]], None)


def _plain(style: Style) -> bool:
    """Return whether a style leaves the pixels as they are; at their own resolution none resamples."""
    changes = (
        style.expression,
        style.rescale,
        style.color_formula,
        style.colormap,
        style.colormap_name,
        style.algorithm,
    )
    return style.nodata is None and not any(changes) and not style.unscale


def _block(read: Read, stored: StoredLevel, column: int, row: int) -> Encoded | None:
    extent = stored.extent(column, row)
    if extent is None:
        return None
    body = read(*extent)
    if len(body) < extent[1]:
        return None
    if stored.format is TileFormat.WEBP:
        return Encoded(body, stored.format, "passthrough") if body.startswith(RIFF) else None
    return Encoded(stored.head + body[2:], stored.format, "passthrough") if body.startswith(SOI) else None


def stored_levels(handle: Handle) -> tuple[StoredLevel, ...]:
    """Return the levels of a raster whose blocks are pictures as they are, all of them or none."""
    view = handle.view
    if (
        not view.crs
        or view.dtype != "uint8"
        or view.masked
        or view.alpha
        or view.nodata is not None
        or view.colormap
        or view.scaled
    ):
        return ()
    levels = tuple(_stored(ifd, handle.source) for ifd in handle.layout.levels)
    return tuple(level for level in levels if level is not None) if None not in levels else ()


def _stored(ifd: Ifd, source: ByteSource) -> StoredLevel | None:
    format, (width, height) = CODECS.get(ifd.compression), ifd.tile
    if format is None or width != height or ifd.planar != PLANAR_CONTIGUOUS or ifd.bits != 8:
        return None
    kind = ifd.samples, ifd.number(Tag.PHOTOMETRIC, -1)
    if format is TileFormat.WEBP:
        return StoredLevel(format, ifd, width, b"") if kind == (3, RGB) else None
    if kind not in ((1, BLACK_IS_ZERO), (3, RGB), (3, YCBCR)):
        return None
    return StoredLevel(format, ifd, width, _jpeg_head(ifd, source, kind[1]))


def _jpeg_head(ifd: Ifd, source: ByteSource, photometric: int) -> bytes:
    """Return what a block lacks of a JPEG file: the kind of its colours and JPEGTables without their ends."""
    entry = ifd.tags.get(JPEG_TABLES)
    tables = b"" if entry is None else source.read_at(entry.offset, min(entry.size_bytes, MAX_TABLES_BYTES))
    colours = b"" if photometric == BLACK_IS_ZERO else ADOBE + bytes([int(photometric == YCBCR)])
    return SOI + colours + tables.removeprefix(SOI).removesuffix(EOI)
