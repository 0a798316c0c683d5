"""Parts of a raster on its own grid, in its own CRS: which pixels a box touches, and their file."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from pathlib import Path
from shutil import disk_usage

import numpy as np
from rasterio.io import DatasetReader

from gateway.cog.convert import FULL_BYTES, CannotConvert, NoRoom
from gateway.cog.cut import write_part
from gateway.cog.parts import Part, PlannedPart, WrittenPart
from gateway.cog.raster import GDAL_ERRORS
from gateway.errors import BadParameter, NotFound, Unavailable
from gateway.files import open_file
from gateway.ground.areas import checked_bounds, crs_of
from gateway.ground.extent import extent
from gateway.ground.georeference import Georeference
from gateway.ground.systems import DEGREES, Bounds, Floats, Transform, circle, known, transform_of, wrapped
from gateway.reading.handles import Handle
from gateway.reading.view import View

# Of a pixel: what floats leave of an edge that lies on an edge of the grid.
SLACK = 1e-6
OUTSIDE = "That lies outside of the data."
BOTH_ENDS = "The bounds in the path touch both ends of the dataset, round the globe: ask for each part by itself."
READ_BYTES = 1 << 20
# What a part is called in the folder that it is written into.
PART_NAME = "part.tif"
# Left, top, right and bottom in pixels, the ends not included.
Window = tuple[int, int, int, int]


def planned(
    handle: Handle,
    bounds: Bounds,
    coord_crs: str | None,
    bands: tuple[int, ...] = (),
) -> PlannedPart:
    """Return the part of all whole pixels that `bounds` (west, south, east, north) touch; no bands are all of them.

    Raises NoPlace, BadParameter, and NotFound where the bounds lie outside of the data.
    """
    check_bands(handle.view, bands)
    crs = crs_of(coord_crs, "coord_crs") or DEGREES
    left, top, right, bottom = _touched(handle.view.placed, checked_bounds(bounds, crs), crs)
    return part_of(handle.view, (left, top, right - left, bottom - top), bands)


def check_bands(view: View, bands: tuple[int, ...]) -> None:
    """Return when a raster has these bands, counted from 1; raises BadParameter."""
    count = len(view.scales)
    if any(not 1 <= band <= count for band in bands):
        raise BadParameter(f"bidx: this dataset has the bands 1 to {count}.")


def part_of(
    view: View, place: tuple[int, int, int, int], bands: tuple[int, ...], edges: str | None = None
) -> PlannedPart:
    """Return the part at a place (column, row, width, height) and what it takes; no bands are all of them."""
    chosen = bands or tuple(range(1, len(view.scales) + 1))
    part = Part(*place, chosen, edges)
    masked = view.masked or (edges is not None and view.nodata is None)
    return PlannedPart(part, part.width * part.height * (len(chosen) * view.numbers.itemsize + masked))


def cut(handle: Handle, part: Part, folder: str) -> WrittenPart:
    """Write a part as a true COG into a folder, under the name of the part there; returns what was written."""
    path = Path(folder) / PART_NAME
    layout = handle.layout

    def write(raster: DatasetReader) -> None:
        write_part(raster, layout, part, path)

    try:
        handle.lend(write)
    except (NoRoom, CannotConvert, *GDAL_ERRORS) as error:
        # What cannot be read of the file is told as what it is.
        if isinstance(error, NoRoom) or disk_usage(folder).free < FULL_BYTES:
            raise Unavailable("There is no room for parts just now.", retry_after_seconds=30) from error
        raise
    digest = hashlib.sha256()
    with open_file(path) as made:
        for at in range(0, made.size_bytes, READ_BYTES):
            digest.update(made.read_at(at, READ_BYTES))
        return WrittenPart(made.size_bytes, digest.hexdigest())


def _touched(place: Georeference, bounds: Bounds, crs: str) -> Window:
    """Return left, top, right and bottom of the pixels that bounds touch, the ends not included."""
    found = _joined(
        sorted({window for window in _windows(place, bounds, crs) if window[0] < window[2] and window[1] < window[3]})
    )
    if not found:
        raise NotFound(OUTSIDE)
    if len(found) > 1:
        raise BadParameter(BOTH_ENDS)
    return found[0]


def _joined(windows: list[Window]) -> list[Window]:
    """Return windows of the same rows, from left to right, as one where they meet or overlap."""
    found: list[Window] = []
    for window in windows:
        if found and window[0] <= found[-1][2]:
            left, top, right, bottom = found.pop()
            found.append((left, top, max(right, window[2]), bottom))
        else:
            found.append(window)
    return found


def _windows(place: Georeference, bounds: Bounds, crs: str) -> Iterator[Window]:
    """Yield the pixels of the bounds on each turn of the globe on which the raster may lie."""
    box = _box(place, bounds, crs)
    axis = circle(place.crs)
    for turn in (0.0,) if axis is None else (-axis.turn, 0.0, axis.turn):
        left, top, right, bottom = _pixels(place, box, turn)
        yield left, top, right, bottom


def _box(place: Georeference, bounds: Bounds, crs: str) -> tuple[Transform, Bounds]:
    """Return a transform into the CRS of a raster, and bounds that it brings there whole.

    Raises BadParameter, and NotFound for bounds that lie elsewhere.
    """
    if known(crs) == known(place.crs):
        return (lambda x, y: (x, y)), bounds
    transform, axis = transform_of(crs, place.crs), circle(place.crs)
    ways = [(transform, bounds)]
    if axis is not None:
        # Where PROJ takes a turn off within the box.
        middle = float(transform(*(np.array([sum(ends) / 2]) for ends in (bounds[::2], bounds[1::2])))[0][0])
        ways.append((wrapped(transform, axis.turn, middle), bounds))
    elif (there := extent(transform_of(place.crs, crs), place.bounds)) is not None:
        within = _common(bounds, there)
        if within is None:
            raise NotFound(OUTSIDE)
        ways.append((transform, within))
    for way, box in ways:
        if extent(way, box) is not None:
            return way, box
    raise BadParameter("coord_crs: the bounds cannot be brought into the CRS of the dataset.")


def _common(bounds: Bounds, there: Bounds) -> Bounds | None:
    """Return what of the bounds lies where the raster does, and a little round it."""
    wide, high = (0.01 * (there[2] - there[0]), 0.01 * (there[3] - there[1]))
    west, south = max(bounds[0], there[0] - wide), max(bounds[1], there[1] - high)
    east, north = min(bounds[2], there[2] + wide), min(bounds[3], there[3] + high)
    return (west, south, east, north) if west < east and south < north else None


def _pixels(place: Georeference, box: tuple[Transform, Bounds], turn: float) -> Window:
    def to_pixels(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        there = box[0](x, y)
        return place.own_pixels(there[0] + turn, there[1])

    found = extent(to_pixels, box[1])
    if found is None:
        return 0, 0, 0, 0
    width, height = place.size
    left, right = (min(max(end, 0), width) for end in (math.floor(found[0] + SLACK), math.ceil(found[2] - SLACK)))
    top, bottom = (min(max(end, 0), height) for end in (math.floor(found[1] + SLACK), math.ceil(found[3] - SLACK)))
    return left, top, right, bottom
