"""Stored blocks that are tiles already, as a value: found out once per version, then each tile is three reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.ground.address import TileAddress

SOI = b"\xff\xd8"
RIFF = b"RIFF"
MAX_BLOCK_BYTES = 4 << 20
# Offset and length in bytes to bytes.
Read = Callable[[int, int], bytes]
# The unsigned field types in which a TIFF writes offsets and counts, and how many bytes they have: BYTE, SHORT, LONG,
# and LONG8 of BigTIFF.
NUMBER_BYTES: Mapping[int, int] = MappingProxyType({1: 1, 3: 2, 4: 4, 16: 8})


@dataclass(frozen=True, slots=True)
class Numbers:
    """An array of unsigned numbers in a file: where it begins, and how many bytes each has, in which order."""

    start: int
    bytes: int
    little: bool

    def __post_init__(self) -> None:
        # It is a painter that says so.
        if self.bytes not in NUMBER_BYTES.values() or self.start < 0:
            raise ValueError("no array of numbers of a TIFF")

    def at(self, read: Read, index: int) -> int:
        """Return one of them."""
        return int.from_bytes(read(self.start + index * self.bytes, self.bytes), "little" if self.little else "big")


@dataclass(frozen=True, slots=True)
class StoredZoom:
    """A level whose blocks are the tiles of one zoom level of a grid.

    Block (column, row) is tile (x, y) less `first`; `whole` are the columns and rows of blocks that the image fills.
    `head` goes before each block in place of its first two bytes, where it is a JPEG.
    """

    level: int
    first: tuple[int, int]
    whole: tuple[int, int]
    across: int
    head: bytes
    offsets: Numbers
    counts: Numbers

    def index(self, x: int, y: int) -> int | None:
        """Return the number of the block that is a tile, or None where no whole block is."""
        column, row = x - self.first[0], y - self.first[1]
        return row * self.across + column if 0 <= column < self.whole[0] and 0 <= row < self.whole[1] else None


@dataclass(frozen=True, slots=True)
class StoredTiles:
    """The blocks of one version of a raster that are tiles of one grid, by zoom level; each has `side` pixels a side.

    `bands` are the bands of the raster, counted from 1.
    """

    format: TileFormat
    side: int
    bands: tuple[int, ...]
    zooms: Mapping[int, StoredZoom]

    def answers(self, address: TileAddress, style: Style, format: TileFormat | None) -> bool:
        """Return whether a tile with that style and format could be a stored block as it is."""
        if format is None and self.format is not TileFormat.JPEG:
            return False
        return format in (None, self.format) and style.bidx in ((), self.bands) and not address.buffer

    def place(self, address: TileAddress) -> tuple[StoredZoom, int] | None:
        """Return the level and the number of the block that lies where a tile does, or None."""
        zoom = self.zooms.get(address.z) if address.size == self.side else None
        index = zoom.index(address.x, address.y) if zoom is not None else None
        return None if zoom is None or index is None else (zoom, index)

    def tile(self, read: Read, address: TileAddress) -> Encoded | None:
        """Return the block that is the tile, as a file of its own; None where there is none."""
        place = self.place(address)
        if place is None:
            return None
        zoom, index = place
        return self.block(read, zoom, zoom.offsets.at(read, index), zoom.counts.at(read, index))

    def block(self, read: Read, zoom: StoredZoom, offset: int, length: int) -> Encoded | None:
        """Return a block as a file of its own; None where it is not stored, too large or no picture."""
        if not (offset and 4 < length <= MAX_BLOCK_BYTES):
            return None
        body = read(offset, length)
        if len(body) < length:
            return None
        if self.format is TileFormat.WEBP:
            return Encoded(body, self.format, "passthrough") if body.startswith(RIFF) else None
        return Encoded(zoom.head + body[2:], self.format, "passthrough") if body.startswith(SOI) else None


def plain(style: Style) -> bool:
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
