"""Where the pixels of a tile come from: a transform approximated where its error is small, and exact elsewhere."""

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
# A part of a tile is worth a grid of its own where it is so much smaller.
WORTH = 2
# Far from every raster, and near enough to be interpolated with.
NOWHERE = -1e7


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
class Patches:
    """Single pixels of a part that have been worked out exactly: where they are, (rows, cols), and x and y there."""

    chosen: npt.NDArray[np.bool_]
    x: Floats
    y: Floats


@dataclass(frozen=True, slots=True)
class ControlGrid:
    """Source pixels for the corners of equal cells that cover a part of a tile; both arrays are (rows, cols).

    Where cells are too coarse for the transform, `patches` have the pixels instead.
    """

    part: Part
    x: Floats
    y: Floats
    patches: Patches | None = None

    @property
    def spans(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Return least and greatest x, least and greatest y of what may be drawn."""
        found = []
        exact = (self.patches.x, self.patches.y) if self.patches is not None else (None, None)
        for corners, single in zip((self.x, self.y), exact, strict=True):
            values = corners[corners != NOWHERE] if self.bends else corners
            if single is not None:
                values = np.concatenate([values, single[single != NOWHERE]])
            found.append((float(values.min()), float(values.max())) if values.size else (NOWHERE, NOWHERE))
        return found[0], found[1]

    @property
    def bends(self) -> bool:
        """Return whether some corner has no place, or some pixel stands alone."""
        return self.patches is not None or bool((self.x == NOWHERE).any())

    def dense(self, left: float, top: float) -> tuple[Singles, Singles]:
        """Return x - left and y - top in source pixels for the centre of each pixel of the part, as (rows, cols)."""
        x, y = self._spread(self.x, left), self._spread(self.y, top)
        if self.patches is not None:
            x[self.patches.chosen] = self.patches.x - left
            y[self.patches.chosen] = self.patches.y - top
        return x, y

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


def control_grid(
    to_source: ToSource, part: Part, size: tuple[int, int], *, straight: bool = False
) -> ControlGrid | None:
    """Return the grid for a part of a tile, `to_source` taking positions in pixels of that tile.

    `size` is width and height of the source; None where no pixel of the part comes from there. Halfway between the
    corners of a grid the transform is compared with what the grid says; where they differ by more than an eighth of
    a source pixel the cells are halved, and where the smallest cells do not suffice each pixel is worked out. What
    cannot reach the source is left out of the part. `straight` promises that the transform is affine.
    """
    if straight:
        return ControlGrid(part, *_exact(to_source, part, 1))
    cells = FIRST_CELLS
    while True:
        x, y = _exact(to_source, part, 2 * cells)
        off, near, lost = _judged(x, y, size)
        # Of ground that is nowhere at all, coarse points do not tell.
        near = near | (lost & (cells < LAST_CELLS))
        if not near.any():
            return None
        smaller = _around(part, near)
        if smaller.width * smaller.height * WORTH < part.width * part.height:
            part, cells = smaller, FIRST_CELLS
            continue
        bad = near & (off > MAX_ERROR)
        if not bad.any() or cells == LAST_CELLS:
            x, y = (np.where(np.isfinite(values), values, NOWHERE) for values in (x, y))
            return ControlGrid(part, x, y, _patches(to_source, part, bad) if bad.any() else None)
        cells *= 2


def _judged(x: npt.NDArray[Any], y: npt.NDArray[Any], size: tuple[int, int]) -> tuple[Floats, Any, Any]:
    """Return the error of each cell of even corners in source pixels, whether it may reach the source, if it is lost.

    A cell of which some points have no place has an infinite error; one of which all have none is lost.
    """
    with np.errstate(invalid="ignore"):
        distance = np.hypot(*(_between(values) - values for values in (x, y)))
    if distance.max() <= MAX_ERROR and x.min() > -1 and y.min() > -1 and x.max() < size[0] and y.max() < size[1]:
        # As most tiles are: amid the raster, and even enough as a whole.
        cells = (x.shape[0] - 1) // 2, (x.shape[1] - 1) // 2
        return np.zeros(cells), np.ones(cells, bool), np.zeros(cells, bool)
    missing = ~(np.isfinite(x) & np.isfinite(y))
    lost, torn = _by_cell(missing, np.all), _by_cell(missing, np.any)
    off = _by_cell(np.where(np.isfinite(distance), distance, 0.0), np.max)
    at_x, at_y = (np.where(missing, 0.0, values).astype(np.float64) for values in (x, y))
    near = _overlaps(at_x, off, size[0]) & _overlaps(at_y, off, size[1])
    return np.where(torn, np.inf, off), (near | torn) & ~lost, lost


def _around(part: Part, near: npt.NDArray[np.bool_]) -> Part:
    """Return the whole pixels round the cells that are near."""
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    tall, wide = part.height / near.shape[0], part.width / near.shape[1]
    return Part(
        part.left + math.floor(columns[0] * wide),
        part.top + math.floor(rows[0] * tall),
        min(part.right, part.left + math.ceil((columns[-1] + 1) * wide)),
        min(part.bottom, part.top + math.ceil((rows[-1] + 1) * tall)),
    )


def _patches(to_source: ToSource, part: Part, bad: npt.NDArray[np.bool_]) -> Patches:
    """Return the pixels whose centres lie in bad cells, each where it comes from."""
    down, across = _places(part.height, bad.shape[0])[0], _places(part.width, bad.shape[1])[0]
    chosen = bad[down][:, across]
    rows, columns = (places.astype(np.float64) for places in np.nonzero(chosen))
    x, y = to_source(columns + (part.left + 0.5), rows + (part.top + 0.5))
    held = np.isfinite(x) & np.isfinite(y)
    return Patches(chosen, np.where(held, x, NOWHERE), np.where(held, y, NOWHERE))


def _exact(to_source: ToSource, part: Part, cells: int) -> tuple[Floats, Floats]:
    columns = np.linspace(part.left, part.right, cells + 1)
    rows = np.linspace(part.top, part.bottom, cells + 1)
    x, y = np.meshgrid(columns, rows)
    return to_source(x, y)


def _between(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
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


def _overlaps(values: npt.NDArray[Any], off: npt.NDArray[Any], length: int) -> npt.NDArray[np.bool_]:
    """Return for each cell whether it may reach into a side of the source: its points, and their error twice over."""
    low, high = _by_cell(values, np.min) - 2 * off, _by_cell(values, np.max) + 2 * off
    overlaps: npt.NDArray[np.bool_] = (low < length + 1) & (high > -1)
    return overlaps
