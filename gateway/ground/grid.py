"""Tile matrix sets: where a tile lies in its CRS, and whether stored blocks lie on the same grid."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.errors import NotFound, TileOutsideGrid
from gateway.ground.address import TileAddress

if TYPE_CHECKING:
    from affine import Affine

# In pixels: of one part in a thousand nobody sees that a block lies beside its tile.
GRID_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Frame:
    """The ground of one picture: `crs` as WKT, the bounds in its units (x first), `size` in pixels across.

    `rows` are the pixels down, 0 for those of a square, as every tile without a buffer is one.
    """

    crs: str
    left: float
    bottom: float
    right: float
    top: float
    size: int
    rows: int = 0

    @property
    def shape(self) -> tuple[int, int]:
        """Return rows and columns."""
        return self.rows or self.size, self.size

    @property
    def pixel(self) -> tuple[float, float]:
        """Return width and height of one pixel in units of the CRS."""
        return (self.right - self.left) / self.size, (self.top - self.bottom) / self.shape[0]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Return left, bottom, right, top."""
        return self.left, self.bottom, self.right, self.top

    def widened(self, pixels: float) -> Frame:
        """Return the ground with so many pixels more on each side."""
        if not pixels:
            return self
        wide, high = (pixels * side for side in self.pixel)
        bounds = self.left - wide, self.bottom - high, self.right + wide, self.top + high
        return Frame(self.crs, *bounds, self.size + int(2 * pixels), self.shape[0] + int(2 * pixels))

    def cut(self, left: int, top: int, right: int, bottom: int) -> Frame:
        """Return the ground of some of its pixels, the last column and row not included."""
        wide, high = self.pixel
        west, north = self.left + left * wide, self.top - top * high
        east, south = self.left + right * wide, self.top - bottom * high
        return Frame(self.crs, west, south, east, north, right - left, bottom - top)


@dataclass(frozen=True, slots=True)
class Grid:
    """One zoom level: `crs` as WKT, x of its left side, y of row 0, size of a tile in units of the CRS.

    `down` is -1 where rows count from the top, 1 from the bottom. `width` and `height` are in tiles. `coalesced` are
    (first row, last row, how many columns share a tile) of levels whose rows differ.
    """

    crs: str
    left: float
    start: float
    tile: tuple[float, float]
    down: int
    width: int
    height: int
    coalesced: tuple[tuple[int, int, int], ...]

    def frame(self, x: int, y: int, size: int) -> Frame:
        """Return where a tile lies; raises TileOutsideGrid."""
        if not (0 <= x < self.width and 0 <= y < self.height):
            raise TileOutsideGrid("The tile is outside the grid.")
        shared = next((factor for first, last, factor in self.coalesced if first <= y <= last), 1)
        wide, high = self.tile[0] * shared, self.tile[1] * self.down
        left, row = self.left + x // shared * wide, self.start + y * high
        bottom, top = sorted((row, row + high))
        return Frame(self.crs, left, bottom, left + wide, top, size)


class Grids:
    """The tile matrix sets of morecantile by their ids, each zoom level read once."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._known: dict[tuple[str, int], Grid] = {}

    def frame(self, address: TileAddress) -> Frame:
        """Return where a tile lies; raises TileOutsideGrid, and NotFound for an unknown tile matrix set."""
        return self._level(address.tms, address.z).frame(address.x, address.y, address.size)

    def zooms(self, tms: str) -> range:
        """Return the zoom levels of a tile matrix set; raises NotFound."""
        found = _found(tms)
        return range(found.minzoom, found.maxzoom + 1)

    def crs(self, tms: str) -> str:
        """Return the CRS of a tile matrix set as WKT; raises NotFound."""
        return self._level(tms, self.zooms(tms)[0]).crs

    def size(self, tms: str, zoom: int) -> tuple[int, int]:
        """Return how many tiles a zoom level has across and down; raises TileOutsideGrid and NotFound."""
        grid = self._level(tms, zoom)
        return grid.width, grid.height

    def coalesced(self, tms: str, zoom: int) -> bool:
        """Return whether some tiles of a zoom level share their ground; raises TileOutsideGrid and NotFound."""
        return bool(self._level(tms, zoom).coalesced)

    def _level(self, tms: str, zoom: int) -> Grid:
        grid = self._known.get((tms, zoom))
        if grid is None:
            with self._gate:
                grid = self._known[tms, zoom] = _load(tms, zoom)
        return grid


def _found(name: str) -> Any:
    # A fifth of a second, which nobody pays who draws no tile.
    import morecantile  # noqa: PLC0415

    if name not in morecantile.tms.list():
        raise NotFound("There is no such tile matrix set.")
    return morecantile.tms.get(name)


def _load(name: str, zoom: int) -> Grid:
    import morecantile  # noqa: PLC0415

    found = _found(name)
    if not found.minzoom <= zoom <= found.maxzoom:
        raise TileOutsideGrid(f"The tile matrix set has no zoom level {zoom}.")
    matrix = found.matrix(zoom)
    left, _, _, top = found.xy_bounds(morecantile.Tile(0, 0, zoom))
    upwards = matrix.cornerOfOrigin == "bottomLeft"
    side = matrix.tileHeight * matrix.cellSize
    return Grid(
        crs=found.crs.to_wkt(),
        left=left,
        start=top - side if upwards else top,
        tile=(matrix.tileWidth * matrix.cellSize, side),
        down=1 if upwards else -1,
        width=matrix.matrixWidth,
        height=matrix.matrixHeight,
        coalesced=tuple((w.minTileRow, w.maxTileRow, w.coalesce) for w in matrix.variableMatrixWidths or ()),
    )


def block_of(frame: Frame, transform: Affine, block: int) -> tuple[int, int] | None:
    """Return column and row of the block that is the tile, or None where no block is.

    `transform` is that of one level, from pixels to the CRS of the frame; blocks have `block` pixels a side.
    """
    place = _offset(frame, transform, block)
    return place if place is not None and min(place) >= 0 else None


def first_of(frame: Frame, transform: Affine, block: int, whole: tuple[int, int]) -> tuple[int, int] | None:
    """Return the tile that block (0, 0) of a level is, or None where its blocks are not the tiles of a zoom level.

    `frame` is the ground of tile (0, 0), `whole` the number of blocks that must lie on the grid, across and down.
    """
    place = _offset(frame, transform, block)
    if place is None:
        return None
    wide, high = frame.right - frame.left, frame.top - frame.bottom
    column, row = whole[0] - 1 - place[0], whole[1] - 1 - place[1]
    last = Frame(
        frame.crs,
        frame.left + column * wide,
        frame.bottom - row * high,
        frame.right + column * wide,
        frame.top - row * high,
        frame.size,
    )
    return (-place[0], -place[1]) if _offset(last, transform, block) is not None else None


def part_of(frame: Frame, whole: Frame, abreast: int) -> tuple[int, int] | None:
    """Return column and row of a tile among the `abreast` by `abreast` parts of another one, or None."""
    wide, high = frame.right - frame.left, frame.top - frame.bottom
    across, down = (frame.left - whole.left) / wide, (whole.top - frame.top) / high
    column, row = round(across), round(down)
    sides = (whole.right - whole.left) / wide, (whole.top - whole.bottom) / high
    off = (across - column, down - row, sides[0] - abreast, sides[1] - abreast)
    fits = 0 <= column < abreast and 0 <= row < abreast and max(map(abs, off)) * frame.size <= GRID_TOLERANCE
    return (column, row) if fits else None


def _offset(frame: Frame, transform: Affine, block: int) -> tuple[int, int] | None:
    """Return column and row of the block that would be the tile, or None where blocks lie on another grid."""
    if frame.shape != (block, block) or transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        return None
    column = (frame.left - transform.c) / transform.a
    row = (frame.top - transform.f) / transform.e
    width = (frame.right - frame.left) / transform.a
    height = (frame.bottom - frame.top) / transform.e
    across, down = round(column / block), round(row / block)
    off = (column - across * block, row - down * block, width - block, height - block)
    return (across, down) if max(map(abs, off)) <= GRID_TOLERANCE else None
