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

    def dense(self) -> tuple[Floats, Floats]:
        """Return x and y in source pixels for the centre of each pixel of the part, as (rows, cols)."""
        down = _weights(self.part.height, self.y.shape[0] - 1)
        across = _weights(self.part.width, self.x.shape[1] - 1).T
        return down @ self.x @ across, down @ self.y @ across


@lru_cache(maxsize=512)
def _weights(pixels: int, cells: int) -> Floats:
    """Return the weights of the corners along one side for the centres of its pixels, as (pixels, cells + 1)."""
    at = (np.arange(pixels) + 0.5) * cells / pixels
    left = np.minimum(at.astype(np.int64), cells - 1)
    weights = np.zeros((pixels, cells + 1))
    rows = np.arange(pixels)
    weights[rows, left + 1] = at - left
    weights[rows, left] = 1 - (at - left)
    weights.flags.writeable = False
    return weights


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
    distance = np.hypot(*(_between(values) - values for values in (x, y)))
    lost = ~(np.isfinite(x) & np.isfinite(y))
    with np.errstate(invalid="ignore"):
        near = _overlaps(x, size[0]) & _overlaps(y, size[1])
    partly = _by_cell(lost, np.max) & ~_by_cell(lost, np.min)
    if np.any(partly):
        return math.inf
    worst = _by_cell(np.where(lost, 0.0, np.nan_to_num(distance)), np.max)
    return float(np.max(worst, where=near, initial=0.0))


def _between(values: Floats) -> Floats:
    """Return what bilinear interpolation of the even rows and columns gives for all of them."""
    with np.errstate(invalid="ignore"):
        rows = values.copy()
        rows[1::2] = (values[:-2:2] + values[2::2]) / 2
        rows[:, 1::2] = (rows[:, :-2:2] + rows[:, 2::2]) / 2
    return rows


def _by_cell(values: npt.NDArray[Any], fold: Callable[..., npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return one value for each cell of even corners, folded from its nine points."""
    cells = (values.shape[0] - 1) // 2, (values.shape[1] - 1) // 2
    nine = [values[r : r + 2 * cells[0] : 2, c : c + 2 * cells[1] : 2] for r in range(3) for c in range(3)]
    return fold(np.stack(nine), axis=0)


def _overlaps(values: Floats, length: int) -> npt.NDArray[np.bool_]:
    """Return for each cell whether its points reach from below the end of a side to above its start."""
    low, high = _by_cell(values, np.min), _by_cell(values, np.max)
    overlaps: npt.NDArray[np.bool_] = (low < length + 1) & (high > -1)
    return overlaps
