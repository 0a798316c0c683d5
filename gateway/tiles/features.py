"""Pictures and values of what lies under a polygon: pixels that it does not touch are masked."""

from __future__ import annotations

import numpy as np

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.ground.areas import crs_of
from gateway.ground.coverage import Coverage, coverage_of
from gateway.ground.polygons import Target, brought, polygon_edges
from gateway.ground.systems import DEGREES, known
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, Mask, least
from gateway.tiles.drawing import bands_read, check_amount, check_values, finished, nothing, read
from gateway.tiles.pictures import Size, canvas
from gateway.tiles.warp import placed
from gateway.tiles.zones import Geometry, Systems, bounds_of, on_frame, windows_of


def feature_picture(
    handle: Handle,
    geometry: Geometry,
    systems: Systems,
    how: tuple[Style, Size, TileFormat | None],
    most_bytes: int,
) -> Encoded:
    """Return a picture of the bounds of a polygon, in the raster's own resolution unless `size` is smaller.

    `systems` are coord_crs and dst_crs, which is the first one where it is None. Raises NoPlace, BadParameter for a
    geometry that is no ground, and PartTooLarge for more than `most_bytes` of values.
    """
    view, (style, size, format) = handle.view, how
    view.placed  # noqa: B018 - raises NoPlace
    crs = crs_of(systems[0], "coord_crs") or known(DEGREES).to_wkt()
    target = crs_of(systems[1], "dst_crs") or crs
    edges = brought(polygon_edges(geometry, crs), crs, Target(target, placed(handle, target).pixel))
    frame = canvas(handle, bounds_of(edges), target, size)
    check_amount(view, style, *frame.shape, format)
    if format is not None and format.carries_values:
        check_values(frame.size * frame.shape[0] * len(bands_read(style, view)), view.numbers.itemsize, most_bytes)
    ground = on_frame(edges, frame)
    seen = touched(coverage_of(ground.edges, ground.window))
    found, way = read(handle, frame, style)
    drawn = found or nothing(handle, frame, style)
    masked = Drawn(drawn.pixels, least(drawn.mask, seen), drawn.lacking)
    return finished(view, masked, frame, style, format, way)


def touched(coverage: Coverage) -> Mask:
    """Return 255 for each pixel of a window that is covered at all, (rows, cols)."""
    window = coverage.window
    seen: Mask = np.full((window.height, window.width), 255, np.uint8)
    for part in windows_of(window, 1):
        weights = coverage.of(part)
        if weights is not None:
            rows = slice(part.top - window.top, part.top - window.top + part.height)
            columns = slice(part.left - window.left, part.left - window.left + part.width)
            seen[rows, columns] = (weights > 0) * np.uint8(255)
    return seen
