"""One tile of thousands of datasets, painted from the small pictures that were taken when they were judged.

A picture lies on the map as a net of quadrilaterals. All of them are placed together: for each pixel of the tile
whose middle lies in one the nearest value is looked up; of those that are valid the first in the layer's order stays.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from gateway.colour.model import LayerStyle
from gateway.errors import Unavailable
from gateway.ground.address import TileAddress
from gateway.ground.grid import Frame
from gateway.reading.handles import Handle, Version
from gateway.reading.source import OPAQUE, Drawn, Pixels
from gateway.tiles.drawing import blank, finished, request_of
from gateway.tiles.engine import TileEngine
from gateway.tiles.model import LayerPicture
from gateway.tiles.painting import MAX_SECONDS, Painting
from gateway.tiles.quads import Counts, Group, Quads, groups_of, inverse, quads_of

# Pixels of the tile, times pictures over each, that are looked at together.
TOGETHER = 1 << 19


def crowd_tile(
    engine: TileEngine, first: Version, place: tuple[TileAddress, Sequence[str], Sequence[bytes]], how: LayerStyle
) -> LayerPicture:
    """Return a tile of the datasets of these ids by their packed pictures, in the style that the `first` one has.

    Raises TileOutsideGrid, BadParameter for bands that are not there, and Unavailable for what takes too long.
    """
    address, ids, bodies = place
    frame = engine.frame(address).widened(address.buffer)

    def work(handle: Handle) -> LayerPicture:
        painting = Painting(frame, how)
        style = painting.take_style(first.id, handle)
        groups = groups_of(bodies, request_of(handle.view, style).bands, style.nodata)
        crowd = Crowd(frame, groups)
        crowd.paint()
        drawn, used = crowd.drawn(), tuple(ids[number] for number in crowd.used)
        if drawn is None:
            return LayerPicture(blank(frame.shape, how.format), ())
        return LayerPicture(finished(handle.view, drawn, frame, style, how.format, "hot"), used)

    return engine.lend(first, work)


class Crowd:
    """The pixels of a tile, each from the first picture that has a value there."""

    def __init__(self, frame: Frame, groups: Sequence[Group]) -> None:
        self._frame, self._groups = frame, groups
        rows, columns = frame.shape
        dtype = np.result_type(*(group.values.dtype for group in groups)) if groups else np.dtype(np.uint8)
        bands = groups[0].values.shape[1] if groups else 1
        self._pixels: Pixels = np.zeros((bands, rows * columns), dtype)
        # The number of the picture that each pixel is from.
        self._from = np.full(rows * columns, -1, np.intp)

    @property
    def used(self) -> list[int]:
        """Return the numbers of the pictures that are seen, in order."""
        return [int(number) for number in np.unique(self._from) if number >= 0]

    def drawn(self) -> Drawn | None:
        """Return the values (bands, rows, cols), None where there is none."""
        seen = (self._from >= 0).reshape(self._frame.shape)
        if not seen.any():
            return None
        mask = None if seen.all() else np.where(seen, OPAQUE, 0).astype(np.uint8)
        return Drawn(self._pixels.reshape(-1, *self._frame.shape), mask)

    def paint(self) -> None:
        """Paint all pictures; raises Unavailable for what takes too long."""
        until = time.monotonic() + MAX_SECONDS
        quads, boxes = _seen(quads_of(self._groups, self._frame), self._frame)
        number, begin = np.cumsum(boxes[:, 2] * boxes[:, 3]), 0
        while begin < len(number) and (self._from < 0).any():
            if time.monotonic() > until:
                raise Unavailable("The picture takes too long.")
            done = number[begin - 1] if begin else 0
            end = max(begin + 1, int(np.searchsorted(number, done + TOGETHER, "right")))
            self._add(quads.taken(slice(begin, end)), boxes[begin:end])
            begin = end

    def _add(self, quads: Quads, boxes: Counts) -> None:
        """Paint quadrilaterals over the pixels of their boxes: left, top, width and height."""
        quad, target, x, y = self._open(boxes)
        back = inverse(quads.corners)[:, quad]
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = back[6] * x + back[7] * y + back[8]
            right, below = (back[i] * x + back[i + 1] * y + back[i + 2] for i in (0, 3))
            right, below = right / scale, below / scale
            inside = (right >= 0) & (right < 1) & (below >= 0) & (below < 1)
        quad, target = quad[inside], target[inside]
        cells, (rows, columns) = quads.cells[quad], quads.shape[quad].T
        column = (quads.cell[quad, 0] + right[inside]) / cells * columns
        row = (quads.cell[quad, 1] + below[inside]) / cells * rows
        pixel = row.astype(np.intp) * columns + column.astype(np.intp)
        self._take(quads, quad, target, pixel)

    def _open(self, boxes: Counts) -> tuple[Counts, Counts, Pixels, Pixels]:
        """Return the pixels of boxes that have no value yet: number of the box, number of the pixel, x and y."""
        number = boxes[:, 2] * boxes[:, 3]
        quad = np.repeat(np.arange(len(number)), number)
        within = np.arange(len(quad)) - np.repeat(np.cumsum(number) - number, number)
        left, top, width, _ = boxes[quad].T
        down, across = np.divmod(within, width)
        across, down = across + left, down + top
        target = down * self._frame.size + across
        missing = self._from[target] < 0
        return quad[missing], target[missing], across[missing] + 0.5, down[missing] + 0.5

    def _take(self, quads: Quads, quad: Counts, target: Counts, pixel: Counts) -> None:
        """Keep the first valid value of each pixel."""
        valid = np.ones(len(quad), bool)
        for number, group in enumerate(self._groups):
            if group.valid is not None:
                own = quads.group[quad] == number
                valid[own] = group.valid[quads.row[quad[own]], pixel[own]]
        quad, target, pixel = quad[valid], target[valid], pixel[valid]
        # Of values for one place the last one that is assigned stays (numpy, Assigning values to indexed arrays).
        first = np.full(len(self._from), -1, np.intp)
        first[target[::-1]] = np.arange(len(target))[::-1]
        chosen = first[first >= 0]
        quad, target, pixel = quad[chosen], target[chosen], pixel[chosen]
        self._from[target] = quads.picture[quad]
        for number, group in enumerate(self._groups):
            own = quads.group[quad] == number
            self._pixels[:, target[own]] = group.values[quads.row[quad[own]], :, pixel[own]].T


def _seen(quads: Quads, frame: Frame) -> tuple[Quads, Counts]:
    """Return those that have the middle of a pixel in their box, and these boxes, cut off at the tile."""
    rows, columns = frame.shape
    with np.errstate(invalid="ignore"):
        low, high = quads.corners.min(axis=1), quads.corners.max(axis=1)
        first = np.ceil(np.clip(low - 0.5, 0, (columns, rows)))
        last = np.floor(np.clip(high - 0.5, -1, (columns - 1, rows - 1)))
        at = np.flatnonzero((last >= first).all(axis=1) & np.isfinite(quads.corners).all(axis=(1, 2)))
    box = np.concatenate([first[at], last[at] - first[at] + 1], axis=1).astype(np.intp)
    return quads.taken(at), box
