"""Which stored blocks are tiles: JPEG and WebP as they lie in the file, of rasters on the tiles' grid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt

from gateway.cog.ifd import Ifd
from gateway.cog.tags import PLANAR_CONTIGUOUS, Tag
from gateway.colour.model import Encoded, Style, TileFormat
from gateway.errors import NoPlace, TileOutsideGrid
from gateway.ground.address import TileAddress
from gateway.ground.grid import Frame, Grids, first_of, part_of
from gateway.model import ByteSource
from gateway.reading.blocks import Form
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn
from gateway.tiles.stored import NUMBER_BYTES, SOI, Numbers, StoredTiles, StoredZoom, plain
from gateway.tiles.warp import Request, placed

# Compression (259): JPEG of the Technical Note 2, and WebP as GDAL numbers it.
CODECS = {7: TileFormat.JPEG, 50001: TileFormat.WEBP}
DECODERS: Mapping[TileFormat, Callable[[bytes], Any]] = {
    TileFormat.JPEG: imagecodecs.jpeg8_decode,
    TileFormat.WEBP: imagecodecs.webp_decode,
}
# Of rows and columns alone.
GREY_DIMENSIONS = 2
BLACK_IS_ZERO, RGB, YCBCR = 1, 2, 6
EOI = b"\xff\xd9"
# Adobe's marker, whose last byte tells decoders which colours the samples are: 0 is RGB, 1 is YCbCr.
ADOBE = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00"
MAX_TABLES_BYTES = 64 << 10
# JPEGTables (347): what all blocks of an image have in common.
JPEG_TABLES = 347


def stored_tiles(handle: Handle, grids: Grids, tms: str) -> StoredTiles | None:
    """Return which blocks of a raster are tiles of a tile matrix set as they are, found out once; None for none."""
    return handle.once(("stored", tms), lambda: _stored_tiles(handle, grids, tms))


def stored_tile(
    handle: Handle, grids: Grids, address: TileAddress, style: Style, format: TileFormat | None
) -> Encoded | None:
    """Return the block that is the tile, as a file of its own; None where no block is, or not in that format."""
    stored = stored_tiles(handle, grids, address.tms) if plain(style) else None
    return _block(handle, stored, address) if stored and stored.answers(address, style, format) else None


def tile_of_blocks(handle: Handle, grids: Grids, address: TileAddress, request: Request) -> Drawn | None:
    """Return the pixels of the block that is the tile or has it as a part, as browsers decode it, or None."""
    stored = stored_tiles(handle, grids, address.tms) if request.nodata is None else None
    if not stored:
        return None
    block = _block(handle, stored, address)
    if block is None:
        return _enlarged(handle, grids, stored, address, request)
    return _decoded(block, handle.view.bands, request.bands)


def _enlarged(
    handle: Handle, grids: Grids, stored: StoredTiles, address: TileAddress, request: Request
) -> Drawn | None:
    """Return the nearest pixels of a tile beyond the stored zoom levels; None where it is no part of one stored tile.

    Neighbours are parts of the same block, whose pixels are kept.
    """
    part = _part_of(grids, stored, address) if request.resampling == "nearest" else None
    if part is None:
        return None
    parent, (column, row), times = part
    side = stored.side // times
    bands = [stored.bands.index(band) for band in request.bands]

    def cut(whole: npt.NDArray[Any]) -> npt.NDArray[Any]:
        samples = whole[row * side : (row + 1) * side, column * side : (column + 1) * side]
        samples = samples if request.bands == stored.bands else samples[..., bands]
        enlarged = cv2.resize(samples, (stored.side, stored.side), interpolation=cv2.INTER_NEAREST)
        return np.asarray(enlarged).reshape(stored.side, stored.side, -1)

    form = Form((stored.side, stored.side, len(stored.bands)), np.dtype(np.uint8))
    key = handle.key_of("picture", stored.format.value, parent.tms, parent.z, parent.x, parent.y)
    samples = handle.blocks.read(key, form, lambda block: _written(handle, stored, parent, block), cut)
    return None if samples is None else Drawn(samples.transpose(2, 0, 1), None)


def _part_of(
    grids: Grids, stored: StoredTiles, address: TileAddress
) -> tuple[TileAddress, tuple[int, int], int] | None:
    """Return the stored tile that a tile is a part of, column and row in parts of that size, and how many abreast.

    None where it is no part of one, or where the stored blocks of that zoom level are not those of the full image.
    """
    finest = max(stored.zooms, default=address.z)
    if finest >= address.z or stored.zooms[finest].level or address.size != stored.side:
        return None
    if grids.coalesced(address.tms, address.z):
        return None
    abreast = round(grids.size(address.tms, address.z)[0] / grids.size(address.tms, finest)[0])
    if abreast < 1 or stored.side % abreast:
        return None
    parent = TileAddress(address.tms, finest, address.x // abreast, address.y // abreast, address.size)
    place = part_of(grids.frame(address), grids.frame(parent), abreast)
    return (parent, place, abreast) if place is not None else None


def _written(handle: Handle, stored: StoredTiles, address: TileAddress, block: npt.NDArray[Any]) -> bool:
    """Return whether a stored tile could be decoded into `block`."""
    found = _block(handle, stored, address)
    drawn = _decoded(found, stored.bands, stored.bands) if found else None
    if drawn is None or drawn.pixels.shape[1:] != block.shape[:2]:
        return False
    block[:] = drawn.pixels.transpose(1, 2, 0)
    return handle.source.unchanged()


def _block(handle: Handle, stored: StoredTiles, address: TileAddress) -> Encoded | None:
    """Return a block by what is known of the layout: of a file in a network each look at it is a request."""
    place = stored.place(address)
    if place is None:
        return None
    zoom, index = place
    ifd = handle.layout.levels[zoom.level]
    return stored.block(handle.source.read_at, zoom, int(ifd.offsets[index]), int(ifd.counts[index]))


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


def _stored_tiles(handle: Handle, grids: Grids, tms: str) -> StoredTiles | None:
    view = handle.view
    changes = view.masked, view.alpha, view.nodata is not None, view.colormap, view.scaled
    if not view.crs or view.dtype != "uint8" or any(changes):
        return None
    levels = handle.layout.levels
    formats, sides = {_format(ifd) for ifd in levels}, {ifd.tile for ifd in levels}
    format, (side, height) = next(iter(formats)), next(iter(sides))
    if len(formats) > 1 or len(sides) > 1 or format is None or side != height:
        return None
    try:
        if not placed(handle, grids.crs(tms)).same:
            return None
    except NoPlace:
        return None
    found = (_zoom(handle, grids, tms, level, side) for level in range(len(levels)))
    return StoredTiles(format, side, view.bands, dict(each for each in found if each))


def _zoom(handle: Handle, grids: Grids, tms: str, level: int, side: int) -> tuple[int, StoredZoom] | None:
    """Return the zoom level of which the blocks of one level are the tiles, and where they are."""
    ifd, transform = handle.layout.levels[level], handle.view.transforms[level]
    whole = ifd.size[0] // side, ifd.size[1] // side
    for z in grids.zooms(tms):
        frame = _frame(grids, tms, z, side)
        first = first_of(frame, transform, side, whole) if frame is not None else None
        if first is None:
            continue
        within = grids.size(tms, z)
        # What lies beyond the grid is no tile of it.
        whole = min(whole[0], within[0] - first[0]), min(whole[1], within[1] - first[1])
        offsets, counts = (_numbers(handle, ifd, tag) for tag in (Tag.TILE_OFFSETS, Tag.TILE_BYTE_COUNTS))
        return z, StoredZoom(level, first, whole, ifd.grid[0], _head(ifd, handle.source), offsets, counts)
    return None


def _frame(grids: Grids, tms: str, z: int, side: int) -> Frame | None:
    """Return the ground of the first tile of a zoom level; None for a grid whose rows differ."""
    try:
        return None if grids.coalesced(tms, z) else grids.frame(TileAddress(tms, z, 0, 0, side))
    except TileOutsideGrid:
        return None


def _numbers(handle: Handle, ifd: Ifd, tag: Tag) -> Numbers:
    entry = ifd.tags[tag]
    return Numbers(entry.offset, NUMBER_BYTES[entry.type], handle.layout.form.order == "<")


def _format(ifd: Ifd) -> TileFormat | None:
    format = CODECS.get(ifd.compression)
    if ifd.planar != PLANAR_CONTIGUOUS or ifd.bits != 8:
        return None
    kind = ifd.samples, ifd.number(Tag.PHOTOMETRIC, -1)
    kinds = ((3, RGB),) if format is TileFormat.WEBP else ((1, BLACK_IS_ZERO), (3, RGB), (3, YCBCR))
    return format if kind in kinds else None


def _head(ifd: Ifd, source: ByteSource) -> bytes:
    """Return what a block lacks of a JPEG file: the kind of its colours and JPEGTables without their ends."""
    if CODECS[ifd.compression] is TileFormat.WEBP:
        return b""
    photometric = ifd.number(Tag.PHOTOMETRIC, -1)
    entry = ifd.tags.get(JPEG_TABLES)
    tables = b"" if entry is None else source.read_at(entry.offset, min(entry.size_bytes, MAX_TABLES_BYTES))
    colours = b"" if photometric == BLACK_IS_ZERO else ADOBE + bytes([int(photometric == YCBCR)])
    return SOI + colours + tables.removeprefix(SOI).removesuffix(EOI)
