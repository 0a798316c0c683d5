"""Pictures of thousands of datasets, painted from the small pictures that were taken when they were judged.

A picture lies on the map as a net of quadrilaterals. Many of them are placed together: for each pixel whose middle
lies in one the nearest value is looked up. What several have for one pixel is laid on the canvas one after the other,
in the layer's order; so are the files of datasets without a picture.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gateway.colour.model import LayerStyle, PixelSelection, TileFormat
from gateway.errors import Unavailable
from gateway.ground.address import TileAddress
from gateway.ground.grid import Frame
from gateway.ground.mapping import Part
from gateway.reading.handles import Handle, Version
from gateway.reading.source import Pixels
from gateway.tiles.composite import Contribution, Valid
from gateway.tiles.drawing import bands_read, check_amount, request_of
from gateway.tiles.engine import TileEngine
from gateway.tiles.layers import statistics_of
from gateway.tiles.members import first_of
from gateway.tiles.model import LayerPicture
from gateway.tiles.painting import MAX_SECONDS, Painting
from gateway.tiles.pictures import Size, Where, ground_of
from gateway.tiles.quads import Counts, Group, Quads, groups_of, inverse, quads_of

# Pixels of the ground, times pictures over each, that are looked at together, and at all where the first value is not
# enough: then those are painted that come first in the layer's order. For a median they are brought into order too.
TOGETHER, MOST_LOOKED_AT, MOST_SORTED = 1 << 19, 1 << 25, 1 << 23
Crowd = tuple[Sequence[str], Sequence[bytes | None]]


def crowd_tile(
    engine: TileEngine, sources: Sequence[Version], address: TileAddress, crowd: Crowd, how: LayerStyle
) -> LayerPicture:
    """Return a tile of the datasets of a crowd: ids in order, and the packed picture of each.

    Those without one are painted from their files where these are among the `sources`; the first of these that can be
    drawn says how. Raises TileOutsideGrid, NotFound where none can be, Unavailable for what takes too long, and what
    `Painting.paint` raises.
    """
    frame = engine.frame(address).widened(address.buffer)
    return _painted(engine, sources, crowd, how, lambda _, handle: frame).picture()


def crowd_part(
    engine: TileEngine, sources: Sequence[Version], where: Where, crowd: Crowd, how: LayerStyle, size: Size
) -> LayerPicture:
    """Return a picture of some bounds, as `layer_part`, painted as `crowd_tile`."""
    return _painted(engine, sources, crowd, how, lambda _, handle: ground_of(handle, *where, size)).picture()


def crowd_statistics(
    engine: TileEngine,
    sources: Sequence[Version],
    part: tuple[Where, Size],
    crowd: Crowd,
    how: LayerStyle,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Return the statistics of what a part shows, as `layer_statistics`, painted as `crowd_tile`."""
    from gateway.tiles import facts  # noqa: PLC0415 - rio-tiler takes long to import

    where, size = part

    def ground(_: Version, handle: Handle) -> Frame:
        return ground_of(handle, *where, facts.counted_size(size, len(bands_read(how.style, handle.view))))

    return statistics_of(_painted(engine, sources, crowd, replace(how, format=TileFormat.NPY), ground), options)


def _painted(engine: TileEngine, sources: Sequence[Version], crowd: Crowd, how: LayerStyle, ground: Any) -> Painting:
    """Return a painting with everything on it; `ground` returns its frame for a source and its handle."""
    ids, bodies = crowd

    def begun(source: Version, handle: Handle) -> tuple[Painting, Pictures]:
        painting = Painting(ground(source, handle), how)
        style = painting.take_style(source.id, handle)
        check_amount(handle.view, style, *painting.frame.shape, how.format)
        bands, alike = request_of(handle.view, style).bands, painting.require_alike
        groups = groups_of(bodies, bands, style.nodata, lambda at, shown: alike(ids[at], shown))
        most = MOST_SORTED if how.selection is PixelSelection.MEDIAN else MOST_LOOKED_AT
        return painting, Pictures(painting.frame, groups, most)

    painting, pictures = first_of(engine, sources, begun)
    number = {id: at for at, id in enumerate(ids)}
    files = [(number[source.id], source) for source in sources if source.id in number]
    used, begin = set[int](), 0
    for at, source in sorted((at, source) for at, source in files if bodies[at] is None):
        used |= _lay(painting, pictures, begin, at, how)
        painting.paint(engine, [source])
        begin = at + 1
    used |= _lay(painting, pictures, begin, len(ids), how)
    used |= {number[id] for id in painting.used}
    painting.used = [ids[at] for at in sorted(used)]
    return painting


def _lay(painting: Painting, pictures: Pictures, begin: int, end: int, how: LayerStyle) -> set[int]:
    """Lay the pictures from number `begin` up to `end` on a painting; returns those that pixels were taken from."""
    first, used = how.selection is PixelSelection.FIRST, set[int]()
    for found, number in pictures.planes(painting, begin, end, first=first):
        taken = painting.lay(found).any(axis=0)
        used.update(np.unique(number[taken & (number >= 0)]).tolist())
    return used


@dataclass(frozen=True)
class _Looked:
    """Values that were found: the number of the pixel of the ground, and which pixel of which picture that is."""

    target: Counts
    picture: Counts
    group: Counts
    row: Counts
    pixel: Counts

    def taken(self, at: Counts | Valid) -> _Looked:
        return _Looked(self.target[at], self.picture[at], self.group[at], self.row[at], self.pixel[at])


class Pictures:
    """Small pictures on a ground, of which each pixel is looked up at most once."""

    def __init__(self, frame: Frame, groups: Sequence[Group], most_looked_at: int) -> None:
        self._frame, self._groups = frame, groups
        self._quads, self._boxes = _seen(quads_of(groups, frame), frame)
        self._dtype = np.result_type(*(group.values.dtype for group in groups)) if groups else np.dtype(np.uint8)
        # One band that lacks a value may have it of the next one.
        self._by_band = any(group.valid is not None and group.valid.shape[1] > 1 for group in groups)
        self._left = most_looked_at
        self._until = time.monotonic() + MAX_SECONDS

    def planes(
        self, painting: Painting, begin: int, end: int, *, first: bool
    ) -> Iterator[tuple[Contribution, Counts]]:
        """Yield what pictures of these numbers have, one value for a pixel at most, and the number of its picture.

        It is -1 where there is none. For each pixel they come in the order of the numbers; where the `first` is
        enough no more is looked up. Raises Unavailable for what takes too long.
        """
        start, stop = np.searchsorted(self._quads.picture, (begin, end))
        areas = np.cumsum(self._boxes[start:stop, 2] * self._boxes[start:stop, 3])
        at, done = 0, 0
        while at < len(areas) and not painting.full and (first or self._left > 0):
            if time.monotonic() > self._until:
                raise Unavailable("The picture takes too long: ask for fewer files (limit_assets).")
            until = max(at + 1, int(np.searchsorted(areas, done + TOGETHER, "right")))
            self._left -= int(areas[until - 1]) - done
            missing = painting.canvas.lacking if first and painting.canvas is not None else None
            piece = slice(start + at, start + until)
            yield from self._piece(self._quads.taken(piece), self._boxes[piece], missing, first=first)
            at, done = until, int(areas[until - 1])

    def _piece(
        self, quads: Quads, boxes: Counts, missing: Valid | None, *, first: bool
    ) -> Iterator[tuple[Contribution, Counts]]:
        found = self._looked_up(quads, boxes, missing)
        order = np.argsort(found.target, kind="stable")
        sorted_targets = found.target[order]
        begins = np.flatnonzero(np.r_[True, sorted_targets[1:] != sorted_targets[:-1]]) if len(order) else order
        if first and not self._by_band:
            if len(begins):
                yield self._plane(found.taken(order[begins]))
            return
        lengths = np.diff(np.r_[begins, len(order)])
        rank = np.arange(len(order)) - np.repeat(begins, lengths)
        by_rank = order[np.argsort(rank, kind="stable")]
        stops = np.cumsum(np.bincount(rank)).tolist()
        for at, stop in zip((0, *stops), stops, strict=False):
            yield self._plane(found.taken(by_rank[at:stop]))

    def _looked_up(self, quads: Quads, boxes: Counts, missing: Valid | None) -> _Looked:
        """Return the values under the middles of pixels in the boxes of quads (left, top, width and height)."""
        quad, target, x, y = self._open(boxes, missing)
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
        return self._valid(_Looked(target, quads.picture[quad], quads.group[quad], quads.row[quad], pixel))

    def _open(self, boxes: Counts, missing: Valid | None) -> tuple[Counts, Counts, Pixels, Pixels]:
        """Return the pixels of boxes: number of the box, number of the pixel, x and y; those that are `missing`.

        Where few are missing it takes as long as the boxes have rows: what is covered already is not gone through.
        """
        left, top, width, height = boxes.T
        quad, row = _spread(np.arange(len(boxes)), top, height)
        begin = row * self._frame.size + left[quad]
        if missing is None:
            quad, target = _spread(quad, begin, width[quad])
        else:
            places = np.flatnonzero(missing)
            first, last = np.searchsorted(places, (begin, begin + width[quad]))
            quad, at = _spread(quad, first, last - first)
            target = places[at]
        down, across = np.divmod(target, self._frame.size)
        return quad, target, across + 0.5, down + 0.5

    def _valid(self, found: _Looked) -> _Looked:
        """Return those that have a value in some band."""
        valid = np.ones(len(found.target), bool)
        for number, group in enumerate(self._groups):
            if group.valid is not None:
                own = np.flatnonzero(found.group == number)
                valid[own] = group.valid[found.row[own], :, found.pixel[own]].any(axis=1)
        return found if valid.all() else found.taken(valid)

    def _plane(self, found: _Looked) -> tuple[Contribution, Counts]:
        """Return values, one of a pixel at most, over the part in which they lie."""
        down, across = np.divmod(found.target, self._frame.size)
        part = Part(int(across.min()), int(down.min()), int(across.max()) + 1, int(down.max()) + 1)
        shape, bands = (part.height, part.width), self._groups[0].values.shape[1]
        place = (down - part.top) * part.width + across - part.left
        pixels = np.zeros((bands, part.height * part.width), self._dtype)
        valid = np.zeros((bands if self._by_band else 1, part.height * part.width), bool)
        numbers = np.full(part.height * part.width, -1, np.intp)
        numbers[place] = found.picture
        for number, group in enumerate(self._groups):
            own = np.flatnonzero(found.group == number)
            row, pixel, into = found.row[own], found.pixel[own], place[own]
            pixels[:, into] = group.values[row, :, pixel].T
            valid[:, into] = True if group.valid is None else group.valid[row, :, pixel].T
        seen = None if valid.all() else valid.reshape(-1, *shape)
        return Contribution(pixels.reshape(-1, *shape), seen, part), numbers.reshape(shape)


def _spread(what: Counts, begin: Counts, number: Counts) -> tuple[Counts, Counts]:
    """Return each value so many times, and beside it the numbers from its beginning on."""
    steps = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    return np.repeat(what, number), np.repeat(begin, number) + steps


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
