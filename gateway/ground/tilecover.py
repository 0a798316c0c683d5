"""Which tiles of Web Mercator many boxes lie under, at each zoom level, and how deep: by arithmetic alone."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gateway.ground.mercator import MAX_ZOOM, turns_of

Counts = npt.NDArray[np.int64]
# Tiles that are counted one by one, of all boxes together.
MOST_COUNTED = 1 << 24
FINEST = 1 << MAX_ZOOM
# Of a tile of the finest zoom level: an edge between two of them that was rounded is still that edge.
SLACK = 1e-3


@dataclass(frozen=True, slots=True)
class TileRange:
    """Tiles of one zoom level: those from column `left` and row `top` on, before `right` and `bottom`."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def side(self) -> int:
        """Return the longer side in tiles."""
        return max(self.right - self.left, self.bottom - self.top)

    def aligned(self, levels: int) -> TileRange:
        """Return a range around it whose ends are tiles of the zoom level that lies so many levels lower."""
        step = 1 << levels
        return TileRange(
            *(self.left // step * step, self.top // step * step),
            *(-(-self.right // step) * step, -(-self.bottom // step) * step),
        )


@dataclass(frozen=True, slots=True)
class Depth:
    """How many tiles lie under some box, and how many boxes lie over one tile at most."""

    tiles: int
    deepest: int


class TileCover:
    """Boxes as tiles: 16 bytes for each of them, or 32 where it crosses the antimeridian."""

    def __init__(self, boxes: Iterable[tuple[float, float, float, float]]) -> None:
        """Take boxes of west, south, east, north in degrees, west > east across the antimeridian."""
        found = [part for box in boxes for part in _parts(box)]
        # Of the finest zoom level; the last column and row are part of the box.
        self._ends: npt.NDArray[np.int32] = np.array(found, np.int32).reshape(-1, 4)

    def range(self, zoom: int) -> TileRange | None:
        """Return the tiles that hold all boxes, None where there is no box."""
        if not len(self._ends):
            return None
        ends = self._at(zoom)
        return TileRange(*ends[:, :2].min(axis=0).tolist(), *(ends[:, 2:].max(axis=0) + 1).tolist())

    def depth(self, zoom: int) -> Depth | None:
        """Return how deep the boxes lie, None where they have too many tiles to be counted."""
        ends = self._at(zoom).astype(np.int64)
        width, height = ends[:, 2] - ends[:, 0] + 1, ends[:, 3] - ends[:, 1] + 1
        number = width * height
        if number.sum() > MOST_COUNTED:
            return None
        box = np.repeat(np.arange(len(ends)), number)
        within = np.arange(len(box)) - np.repeat(np.cumsum(number) - number, number)
        down, across = np.divmod(within, width[box])
        tiles = (ends[box, 1] + down << zoom) + ends[box, 0] + across
        counts = np.unique(tiles, return_counts=True)[1]
        return Depth(len(counts), int(counts.max(initial=0)))

    def _at(self, zoom: int) -> npt.NDArray[np.int32]:
        return self._ends >> (MAX_ZOOM - zoom)


def _parts(box: tuple[float, float, float, float]) -> Iterable[tuple[int, int, int, int]]:
    """Yield a box as tiles of the finest zoom level, in two parts where it crosses the antimeridian."""
    west, south, east, north = box
    for start, end in ((west, east),) if west <= east else ((west, 180.0), (-180.0, east)):
        (left, right), (top, bottom) = map(_span, zip(turns_of(start, north), turns_of(end, south), strict=True))
        yield left, top, right, bottom


def _span(ends: tuple[float, float]) -> tuple[int, int]:
    """Return the first and the last tile of the finest zoom level between two places in turns."""
    first = min(max(math.floor(ends[0] * FINEST + SLACK), 0), FINEST - 1)
    return first, min(max(math.ceil(ends[1] * FINEST - SLACK) - 1, first), FINEST - 1)
