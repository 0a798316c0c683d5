"""What clients name of ground: a CRS by its code, coordinates in it, bounds; refused before any work begins."""

from __future__ import annotations

import math

from gateway.errors import BadParameter, NoPlace
from gateway.ground.bounds import check_degrees
from gateway.ground.extent import extent
from gateway.ground.systems import Bounds, circle, horizontal, known, transform_of


def crs_of(text: str | None, name: str) -> str | None:
    """Return the WKT of the CRS that the parameter `name` has as EPSG:3857; raises BadParameter for none."""
    if text is None:
        return None
    try:
        found = known(text).to_wkt()
    except NoPlace:
        raise BadParameter(f"{name}: there is no such CRS.") from None
    if not horizontal(found):
        raise BadParameter(f"{name}: that is no CRS of maps, geographic or projected.")
    return found


def check_place(place: tuple[float, float], crs: str) -> None:
    """Return for a place in the area of a CRS; raises BadParameter for degrees that there are not."""
    axis = circle(crs)
    if axis is not None and axis.latitudes:
        check_degrees(*place, axis.turn)


def checked_bounds(bounds: Bounds, crs: str) -> Bounds:
    """Return bounds in a CRS, east of west: in degrees, west > east crosses the antimeridian. Raises BadParameter."""
    west, south, east, north = bounds
    axis = circle(crs)
    check_place((west, south), crs)
    check_place((east, north), crs)
    if axis is not None and axis.latitudes and west > east:
        east += axis.turn
    if west >= east or south >= north:
        raise BadParameter("The bounds in the path must be minx,miny,maxx,maxy.")
    return west, south, east, north


def brought(bounds: Bounds, crs: str, target: str) -> Bounds:
    """Return bounds in another CRS that hold them; raises BadParameter."""
    if known(crs) == known(target):
        return bounds
    try:
        found = extent(transform_of(crs, target), bounds)
    except NoPlace:
        found = None
    if found is None or not all(map(math.isfinite, found)) or found[0] >= found[2] or found[1] >= found[3]:
        raise BadParameter("dst_crs: the bounds cannot be brought into it.")
    return found
