"""Pictures and values of what lies under a polygon: pixels that it does not touch are masked."""

from __future__ import annotations

import numpy as np

from gateway.cog.parts import PlannedPart
from gateway.colour.model import Encoded, Style, TileFormat
from gateway.errors import BadParameter, NotFound
from gateway.ground.areas import crs_of
from gateway.ground.coverage import coverage_of, text_of
from gateway.ground.polygons import LOST, Target, brought, polygon_edges
from gateway.ground.systems import DEGREES, known
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, least
from gateway.tiles.drawing import bands_read, check_amount, check_values, finished, nothing, read
from gateway.tiles.native import OUTSIDE, check_bands, part_of
from gateway.tiles.pictures import Size, canvas
from gateway.tiles.warp import placed
from gateway.tiles.zones import Geometry, Systems, bounds_of, ground_of_polygon, has_width, on_frame

NO_SIZE: Size = (None, None, None)
# How far sides may lie beside their curves where pixels are in or out, and none in part: few of them are then kept.
NEAR = 1e-3


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
    if not has_width(edges):
        raise BadParameter(LOST)
    frame = canvas(handle, bounds_of(edges), target, size)
    check_amount(view, style, *frame.shape, format)
    if format is not None and format.carries_values:
        check_values(frame.size * frame.shape[0] * len(bands_read(style, view)), view.numbers.itemsize, most_bytes)
    ground = on_frame(edges, frame)
    seen = np.where(coverage_of(ground.edges, ground.window).touched(ground.window), np.uint8(255), np.uint8(0))
    found, way = read(handle, frame, style)
    drawn = found or nothing(handle, frame, style)
    masked = Drawn(drawn.pixels, least(drawn.mask, seen), drawn.lacking)
    return finished(view, masked, frame, style, format, way)


def planned_feature(handle: Handle, geometry: Geometry, coord_crs: str | None, bands: tuple[int, ...]) -> PlannedPart:
    """Return the part of all whole pixels that a polygon covers, on the raster's own grid; no bands are all of them.

    Raises NoPlace, BadParameter, and NotFound for a polygon outside of the data.
    """
    check_bands(handle.view, bands)
    ground = ground_of_polygon(handle, geometry, (coord_crs, None), NO_SIZE, NEAR)
    if not ground.window.cells:
        raise NotFound(OUTSIDE)
    window = ground.window
    # Before a process of its own begins with it.
    coverage_of(ground.edges, window)
    place = window.left, window.top, window.width, window.height
    return part_of(handle.view, place, bands, text_of(ground.edges))
