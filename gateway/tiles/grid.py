"""Tile matrix sets: where a tile lies in its CRS, and whether stored blocks lie on the same grid."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.errors import NotFound, TileOutsideGrid
from gateway.tiles.model import TileAddress

if TYPE_CHECKING:
    from affine import Affine
    from morecantile import TileMatrixSet

# In pixels: of one part in a thousand nobody sees that a block lies beside its tile.
GRID_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Frame:
    """The ground of one tile: `crs` as WKT, the bounds in its units (x first), `size` in pixels a side."""

    crs: str
    left: float
    bottom: float
    right: float
    top: float
    size: int

    @property
    def pixel(self) -> tuple[float, float]:
        """Return width and height of one pixel in units of the CRS."""
        return (self.right - self.left) / self.size, (self.top - self.bottom) / self.size


class Grids:
    """The tile matrix sets of morecantile by their ids, each made once."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._known: dict[str, tuple[TileMatrixSet, str]] = {}

    def frame(self, address: TileAddress) -> Frame:
        """Return where a tile lies; raises TileOutsideGrid, and NotFound for an unknown tile matrix set."""
        # A fifth of a second, which no command pays that draws no tile.
        from morecantile import Tile  # noqa: PLC0415

        grid, crs = self._grid(address.tms)
        if not grid.minzoom <= address.z <= grid.maxzoom:
            raise TileOutsideGrid(f"The tile matrix set has no zoom level {address.z}.")
        matrix = grid.matrix(address.z)
        if not (0 <= address.x < matrix.matrixWidth and 0 <= address.y < matrix.matrixHeight):
            raise TileOutsideGrid("The tile is outside the grid.")
        tile = Tile(address.x, address.y, address.z)
        return Frame(crs, *grid.xy_bounds(tile), address.size)

    def _grid(self, name: str) -> tuple[TileMatrixSet, str]:
        with self._gate:
            if name not in self._known:
                self._known[name] = _load(name)
            return self._known[name]


def _load(name: str) -> tuple[TileMatrixSet, str]:
    import morecantile  # noqa: PLC0415

    if name not in morecantile.tms.list():
        raise NotFound("There is no such tile matrix set.")
    grid = morecantile.tms.get(name)
    return grid, grid.crs.to_wkt()


def block_of(frame: Frame, transform: Affine, block: int) -> tuple[int, int] | None:
    """Return column and row of the block that is the tile, or None where no block is.

    `transform` is that of one level, from pixels to the CRS of the frame; blocks have `block` pixels a side.
    """
    if block != frame.size or transform.b or transform.d or transform.a <= 0 or transform.e >= 0:
        return None
    column = (frame.left - transform.c) / transform.a
    row = (frame.top - transform.f) / transform.e
    width = (frame.right - frame.left) / transform.a
    height = (frame.bottom - frame.top) / transform.e
    across, down = round(column / block), round(row / block)
    off = (column - across * block, row - down * block, width - block, height - block)
    if min(across, down) < 0 or max(map(abs, off)) > GRID_TOLERANCE:
        return None
    return across, down
