"""What part of each cell of a grid polygons cover: exact areas, and no samples of them.

Each edge is cut at the lines of the grid. A piece adds to its own cell the area on its right, and to all cells on the
right of that the height that it spans, downwards positive and upwards negative; summed along a row that is what lies
between a left side and a right one.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.errors import BadParameter
from gateway.ground.systems import Bounds, Floats

# Cells that all edges together may run through: each takes some bytes, and some time.
MOST_CROSSED = 1 << 21
# Of a cell: what rounding leaves of no coverage, and of a whole one.
ROUNDING = 1e-9
# Cells whose fractions are held at once.
STRIP = 1 << 20
Indices = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Window:
    """Some cells of a grid: the first column and row, and how many there are across and down."""

    left: int
    top: int
    width: int
    height: int

    @property
    def cells(self) -> int:
        """Return how many cells there are."""
        return self.width * self.height


@dataclass(frozen=True)
class Coverage:
    """Edges of polygons cut at the cells of a window, in the order of their rows.

    `rows` and `columns` count from the window's own corner. `spans` are the heights of the pieces, downwards
    positive, `areas` what lies on their right in their own cell.
    """

    window: Window
    rows: Indices
    columns: Indices
    spans: Floats
    areas: Floats

    def of(self, part: Window) -> Floats | None:
        """Return the covered fractions of some of the cells, (rows, cols) from 0 to 1; None where all are whole."""
        first, last = np.searchsorted(
            self.rows, [part.top - self.window.top, part.top - self.window.top + part.height]
        )
        rows = self.rows[first:last] - (part.top - self.window.top)
        columns = self.columns[first:last] - (part.left - self.window.left)
        spans, areas = self.spans[first:last], self.areas[first:last]
        before, inside = columns < 0, (columns >= 0) & (columns < part.width)
        begun: Floats = np.bincount(rows[before], spans[before], part.height).astype(float, copy=False)
        if not inside.any():
            found = np.repeat(_tidy(begun)[:, None], part.width, axis=1)
        else:
            cells = rows[inside] * part.width + columns[inside]
            shape = part.height, part.width
            own, whole = (
                np.bincount(cells, each[inside], part.cells).astype(float, copy=False).reshape(shape)
                for each in (areas, spans)
            )
            own += begun[:, None]
            own[:, 1:] += np.cumsum(whole[:, :-1], axis=1)
            found = _tidy(own)
        return None if found.min() == 1 else found

    def touched(self, part: Window) -> npt.NDArray[np.bool_]:
        """Return which of some of the cells are covered at all, (rows, cols), worked out a few rows at a time."""
        found = np.ones((part.height, part.width), bool)
        step = max(1, STRIP // part.width)
        for row in range(0, part.height, step):
            rows = Window(part.left, part.top + row, part.width, min(step, part.height - row))
            weights = self.of(rows)
            if weights is not None:
                found[row : row + rows.height] = weights > 0
        return found


def text_of(edges: Floats) -> str:
    """Return edges, (4, edges), as a text: base64 of little-endian doubles."""
    return base64.b64encode(edges.astype("<f8").tobytes()).decode()


def edges_of(text: str) -> Floats:
    """Return the edges of a text."""
    return np.frombuffer(base64.b64decode(text), "<f8").reshape(4, -1).astype(float, copy=False)


def coverage_of(edges: Floats, window: Window) -> Coverage:
    """Return what polygons cover of the cells of a window; `edges` are x, y, x, y of both ends, (4, edges).

    Shells run in one sense and holes in the other, in columns and rows of the grid. Raises BadParameter for edges
    that run through too many cells.
    """
    x0, y0, x1, y1 = edges - np.array([window.left, window.top] * 2, float)[:, None]
    # In which sense shells run, is the sign of all areas together.
    if (x0 * y1 - x1 * y0).sum() > 0:
        x0, y0, x1, y1 = x1, y1, x0, y0
    x0, y0, x1, y1 = held_in(np.stack([x0, y0, x1, y1]), (0.0, 0.0, float(window.width), float(window.height)))
    # What is level encloses nothing, and on the right of the last column there is no cell.
    kept = (y0 != y1) & (np.minimum(x0, x1) < window.width)
    x0, y0, x1, y1 = x0[kept], y0[kept], x1[kept], y1[kept]
    crossed = float(np.abs(x1 - x0).sum() + np.abs(y1 - y0).sum()) + 2 * len(x0)
    if crossed > MOST_CROSSED:
        raise BadParameter(
            f"The sides of the geometry run through {crossed:.0f} pixels; the limit is {MOST_CROSSED}: simplify it."
        )
    y0, x0, y1, x1 = _cut_at_lines(y0, x0, y1, x1)
    x0, y0, x1, y1 = _cut_at_lines(x0, y0, x1, y1)
    rows = np.clip(np.floor((y0 + y1) / 2), 0, window.height - 1).astype(np.intp)
    columns = np.clip(np.floor((x0 + x1) / 2), 0, window.width - 1).astype(np.intp)
    spans = y1 - y0
    order = np.argsort(rows, kind="stable")
    areas = spans * (1 - ((x0 + x1) / 2 - columns))
    return Coverage(window, rows[order], columns[order], spans[order], areas[order])


def _tidy(found: Floats) -> Floats:
    """Return fractions of cells without what rounding left of none and of whole ones."""
    found[found < ROUNDING] = 0
    found[found > 1 - ROUNDING] = 1
    return found


def held_in(edges: Floats, box: Bounds) -> Floats:
    """Return edges of which each point outside of a box is moved to the nearest one on its sides.

    What polygons cover inside of the box stays as it is: around no point of it do their sides come to run otherwise.
    """
    for axis, side in ((0, box[0]), (0, box[2]), (1, box[1]), (1, box[3])):
        edges = _cut_once(edges, axis, side)
    low, high = np.array(box[:2] * 2)[:, None], np.array(box[2:] * 2)[:, None]
    edges = np.clip(edges, low, high)
    return edges[:, (edges[0] != edges[2]) | (edges[1] != edges[3])]


def _cut_once(edges: Floats, axis: int, side: float) -> Floats:
    """Return edges of which none goes over the line where x (axis 0) or y (axis 1) is `side`."""
    begin, end = edges[axis], edges[axis + 2]
    over = (begin - side) * (end - side) < 0
    if not over.any():
        return edges
    first, second = edges[:, over], edges[:, over]
    met = np.empty((2, first.shape[1]))
    other = 1 - axis
    met[axis] = side
    met[other] = first[other] + (side - first[axis]) * (first[other + 2] - first[other]) / (
        first[axis + 2] - first[axis]
    )
    first, second = np.concatenate([first[:2], met]), np.concatenate([met, second[2:]])
    return np.concatenate([edges[:, ~over], first, second], axis=1)


def _cut_at_lines(a0: Floats, b0: Floats, a1: Floats, b1: Floats) -> tuple[Floats, ...]:
    """Return edges cut wherever their first coordinate is a whole number, in the order of the edges."""
    first, last = np.floor(np.minimum(a0, a1)) + 1, np.ceil(np.maximum(a0, a1)) - 1
    lines = np.maximum(last - first + 1, 0).astype(np.intp)
    edge = np.repeat(np.arange(len(a0)), lines + 1)
    piece = np.arange(len(edge)) - np.repeat(np.cumsum(lines + 1) - (lines + 1), lines + 1)
    rising, begins, ends = (a1 >= a0)[edge], piece == 0, piece == lines[edge]
    nearest = np.where(rising, first[edge], last[edge])
    step = np.where(rising, 1.0, -1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = ((b1 - b0) / (a1 - a0))[edge]
    start, end = nearest + step * (piece - 1), nearest + step * piece
    start, end = np.where(begins, a0[edge], start), np.where(ends, a1[edge], end)
    with np.errstate(invalid="ignore"):
        start_b = np.where(begins, b0[edge], b0[edge] + (start - a0[edge]) * slope)
        end_b = np.where(ends, b1[edge], b0[edge] + (end - a0[edge]) * slope)
    low, high = np.minimum(b0, b1)[edge], np.maximum(b0, b1)[edge]
    return start, np.clip(start_b, low, high), end, np.clip(end_b, low, high)
