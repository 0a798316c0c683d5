"""Where the pixels of a tile come from: an approximated transform whose error is measured and bounded."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
# x and y of points in one CRS to x and y of a source, in pixels; what has no place there is not finite.
ToSource = Callable[[Floats, Floats], tuple[Floats, Floats]]

# In pixels of the source.
MAX_ERROR = 1 / 8
FIRST_CELLS, LAST_CELLS = 4, 32
# Far from every raster, and near enough to be interpolated with.
NOWHERE = -1e7


class NotApplicable(Exception):
    """What is asked for cannot be drawn the fast way."""


@dataclass(frozen=True, slots=True)
class Part:
    """A rectangle of a tile in whole pixels, the ends not included."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def width(self) -> int:
        """Return the pixels across."""
        return self.right - self.left

    @property
    def height(self) -> int:
        """Return the pixels down."""
        return self.bottom - self.top


@dataclass(frozen=True, slots=True)
class ControlGrid:
    """Source pixels for the corners of equal cells that cover a part of a tile; both arrays are (rows, cols)."""

    part: Part
    x: Floats
    y: Floats

    def dense(self, left: float, top: float) -> tuple[Singles, Singles]:
        """Return x - left and y - top in source pixels for the centre of each pixel of the part, as (rows, cols)."""
        return self._spread(self.x, left), self._spread(self.y, top)

    def _spread(self, corners: Floats, offset: float) -> Singles:
        above, down = _places(self.part.height, corners.shape[0] - 1)
        lines = corners[above] + (corners[above + 1] - corners[above]) * down[:, None] - offset
        slopes = np.diff(lines, axis=1).astype(np.float32)
        starts = lines[:, :-1].astype(np.float32)
        cells = corners.shape[1] - 1
        before, across = _places(self.part.width, cells)
        if self.part.width % cells:
            return starts[:, before] + slopes[:, before] * across
        steps = across[: self.part.width // cells]
        return (starts[:, :, None] + slopes[:, :, None] * steps).reshape(self.part.height, self.part.width)


@lru_cache(maxsize=512)
def _places(pixels: int, cells: int) -> tuple[npt.NDArray[np.intp], Singles]:
    """Return for the centre of each pixel of a side its cell, and how far it lies in that, from 0 to 1."""
    at = (np.arange(pixels) + 0.5) * cells / pixels
    cell = np.minimum(at.astype(np.intp), cells - 1)
    within = (at - cell).astype(np.float32)
    for kept in (cell, within):
        kept.flags.writeable = False
    return cell, within


def control_grid(to_source: ToSource, part: Part, size: tuple[int, int], *, straight: bool = False) -> ControlGrid:
    """Return the grid for a part of a tile, `to_source` taking positions in pixels of that tile.

    `size` is width and height of the source: what lies outside of it may be anywhere else outside. Halfway between
    the corners of a grid the transform is compared with what the grid says; when they differ by more than an eighth
    of a source pixel the cells are halved. `straight` promises that the transform is affine. Raises NotApplicable
    when the smallest cells do not suffice.
    """
    if straight:
        return ControlGrid(part, *_exact(to_source, part, 1))
    cells = FIRST_CELLS
    while cells <= LAST_CELLS:
        x, y = _exact(to_source, part, 2 * cells)
        if grid_error(x, y, size) <= MAX_ERROR:
            return ControlGrid(part, np.where(np.isfinite(x), x, NOWHERE), np.where(np.isfinite(y), y, NOWHERE))
        cells *= 2
    raise NotApplicable("the transform bends too much")


def _exact(to_source: ToSource, part: Part, cells: int) -> tuple[Floats, Floats]:
    columns = np.linspace(part.left, part.right, cells + 1)
    rows = np.linspace(part.top, part.bottom, cells + 1)
    x, y = np.meshgrid(columns, rows)
    return to_source(x, y)


def grid_error(x: Floats, y: Floats, size: tuple[int, int]) -> float:
    """Return the largest distance, in source pixels, of a point from what its even neighbours say of it.

    The arrays have an odd number of rows and columns. Only cells of even corners that come near the source count;
    one of which a part has no place in the source makes it infinite.
    """
    with np.errstate(invalid="ignore"):
        distance = np.hypot(*(_between(values) - values for values in (x, y)))
    if distance.max() <= MAX_ERROR:
        return float(distance.max())
    lost = ~(np.isfinite(x) & np.isfinite(y))
    near = _overlaps(x, lost, size[0]) & _overlaps(y, lost, size[1])
    if np.any(_by_cell(lost, np.max) & near):
        return math.inf
    worst = _by_cell(np.where(lost, 0.0, np.nan_to_num(distance)), np.max)
    return float(np.max(worst, where=near, initial=0.0))


def _between(values: Floats) -> Floats:
    """Return what bilinear interpolation of the even rows and columns gives for all of them."""
    rows = values.copy()
    rows[1::2] = (values[:-2:2] + values[2::2]) / 2
    rows[:, 1::2] = (rows[:, :-2:2] + rows[:, 2::2]) / 2
    return rows


def _by_cell(values: npt.NDArray[Any], fold: Callable[..., npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return one value for each cell of even corners, folded from its nine points."""
    cells = (values.shape[0] - 1) // 2, (values.shape[1] - 1) // 2
    nine = [values[r : r + 2 * cells[0] : 2, c : c + 2 * cells[1] : 2] for r in range(3) for c in range(3)]
    return fold(np.stack(nine), axis=0)


def _overlaps(values: Floats, lost: npt.NDArray[np.bool_], length: int) -> npt.NDArray[np.bool_]:
    """Return for each cell whether those of its points that have a place reach into a side of the source."""
    low, high = _by_cell(np.where(lost, np.inf, values), np.min), _by_cell(np.where(lost, -np.inf, values), np.max)
    overlaps: npt.NDArray[np.bool_] = (low < length + 1) & (high > -1)
    return overlaps
