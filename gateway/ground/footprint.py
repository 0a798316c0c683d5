"""The footprint of a raster as GeoJSON: its sides densified, cut at the antimeridian (RFC 7946 section 3.1.9)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from gateway.ground.bounds import TURN, GeographicBounds
from gateway.ground.extent import Ring
from gateway.ground.georeference import Georeference
from gateway.ground.systems import DEGREES, Floats, transform_of

# Points along one side before those are left out that lie on a line.
SIDE = 17
# Round a pole, of which those are kept that are so many degrees of longitude from each other.
POLAR_SIDE, POLAR_STEP = 257, 3.0
# Of the longer side of the bounds: so far may the line between two points run beside the outline.
STRAIGHT = 1e-4
# Digits behind the point: a centimetre.
DIGITS = 7
Points = list[tuple[float, float]]


def footprint(place: Georeference, bounds: GeographicBounds) -> dict[str, Any]:
    """Return a Polygon or MultiPolygon in degrees: the outline, or the bounds where there is none.

    There is none where a side has no place, where the raster goes round the globe without a pole in its middle, and
    where the outline leaves the bounds.
    """
    return _outline(place, bounds) or _round_a_pole(place, bounds) or bounds.geometry


def _round_a_pole(place: Georeference, bounds: GeographicBounds) -> dict[str, Any] | None:
    """Return the outline that goes once round one pole, from the antimeridian to it; the pole is a side of it."""
    if (bounds.north >= 90) == (bounds.south <= -90):
        return None
    longitude, latitude = _sides(place, POLAR_SIDE)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        return None
    longitude = np.unwrap(longitude, period=TURN)
    if longitude[-1] < longitude[0]:
        longitude, latitude = longitude[::-1], latitude[::-1]
    slack = STRAIGHT * TURN
    if abs(longitude[-1] - longitude[0] - TURN) > slack or np.diff(longitude).min() <= 0:
        return None
    if latitude.min() < bounds.south - slack or latitude.max() > bounds.north + slack:
        return None
    return _down_to_a_pole(*_thinned(longitude, latitude), north=bounds.north >= 90)


def _thinned(longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Return the corners, and so many of the points between them that none is far in longitude from the next."""
    steps = np.floor(longitude / POLAR_STEP)
    kept = np.flatnonzero(np.diff(steps, prepend=steps[0] - 1) > 0)
    kept = np.union1d(kept, np.arange(0, len(longitude) - 1, POLAR_SIDE - 1))
    return longitude[kept], latitude[kept]


def _down_to_a_pole(longitude: Floats, latitude: Floats, *, north: bool) -> dict[str, Any]:
    """Return the geometry between an outline of growing longitudes, one turn of them, and a pole."""
    around = (longitude + 180) % TURN - 180
    first = int(around.argmin())
    around, latitude = np.roll(around, -first), np.roll(latitude, -first)
    edge = float(np.interp(180.0, [around[-1], around[0] + TURN], [latitude[-1], latitude[0]]))
    side = dict.fromkeys([(-180.0, edge), *zip(around.tolist(), latitude.tolist(), strict=True), (180.0, edge)])
    pole: Points = [(180.0, 90.0), (-180.0, 90.0)] if north else [(-180.0, -90.0), (180.0, -90.0)]
    points = [*(side if north else reversed(side)), *pole]
    return {"type": "Polygon", "coordinates": [_rounded([*points, points[0]])]}


def _sides(place: Georeference, number: int) -> tuple[Floats, Floats]:
    """Return longitudes and latitudes of so many points along each side, closed."""
    ring = Ring((0.0, float(place.size[1]), float(place.size[0]), 0.0))
    return transform_of(place.crs, DEGREES)(*place.at(*ring.at(np.linspace(0, 4, 4 * (number - 1) + 1))))


def _outline(place: Georeference, bounds: GeographicBounds) -> dict[str, Any] | None:
    if bounds.unrolled_east - bounds.west >= TURN / 2 or bounds.north >= 90 or bounds.south <= -90:
        return None
    longitude, latitude = _sides(place, SIDE)
    if not (np.isfinite(longitude).all() and np.isfinite(latitude).all()):
        return None
    longitude = np.unwrap(longitude, period=TURN)
    middle = (bounds.west + bounds.unrolled_east) / 2
    longitude -= TURN * np.round((longitude.mean() - middle) / TURN)
    slack = 1e-6 + STRAIGHT * max(bounds.unrolled_east - bounds.west, bounds.north - bounds.south)
    if abs(longitude[0] - longitude[-1]) > slack or not _within(bounds, longitude, latitude, slack):
        return None
    points = _straightened(np.clip(longitude, bounds.west, bounds.unrolled_east), latitude, slack)
    return _cut(points)


def _within(bounds: GeographicBounds, longitude: Floats, latitude: Floats, slack: float) -> bool:
    east_west = longitude.min() >= bounds.west - slack and longitude.max() <= bounds.unrolled_east + slack
    return bool(east_west and latitude.min() >= bounds.south - slack and latitude.max() <= bounds.north + slack)


def _straightened(longitude: Floats, latitude: Floats, slack: float) -> Points:
    """Return the outline counterclockwise, closed; of a side that is a line its ends alone."""
    kept: Points = []
    for side in range(4):
        part = slice(side * (SIDE - 1), (side + 1) * (SIDE - 1) + 1)
        x, y = longitude[part], latitude[part]
        steps = np.linspace(0, 1, SIDE)
        off = np.hypot(x - (x[0] + (x[-1] - x[0]) * steps), y - (y[0] + (y[-1] - y[0]) * steps)).max()
        points = [(float(a), float(b)) for a, b in zip(x[:-1], y[:-1], strict=True)]
        kept += points[:1] if off <= slack / 100 else points
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(kept, [*kept[1:], kept[0]], strict=True))
    if area < 0:
        kept.reverse()
    return [*kept, kept[0]]


def _cut(points: Points) -> dict[str, Any]:
    """Return the geometry of an outline, in two where it crosses the antimeridian."""
    east = [x > 180 for x, _ in points]
    if not any(east):
        return {"type": "Polygon", "coordinates": [_rounded(points)]}
    halves = [_clipped(points, keep_west=True), [(x - TURN, y) for x, y in _clipped(points, keep_west=False)]]
    rings = [[_rounded(half)] for half in halves if len(half) > 3]
    if len(rings) == 1:
        return {"type": "Polygon", "coordinates": rings[0]}
    return {"type": "MultiPolygon", "coordinates": rings}


def _clipped(points: Points, *, keep_west: bool) -> Points:
    """Return the part of a closed outline on one side of 180 degrees (Sutherland and Hodgman 1974), closed."""
    kept: Points = []
    for (x0, y0), (x1, y1) in pairwise(points):
        inside0, inside1 = ((x <= 180) == keep_west for x in (x0, x1))
        if inside0:
            kept.append((x0, y0))
        if inside0 != inside1:
            kept.append((180.0, y0 + (y1 - y0) * (180 - x0) / (x1 - x0)))
    return [*kept, kept[0]] if kept else []


def _rounded(points: Points) -> list[list[float]]:
    return [[round(x, DIGITS), round(y, DIGITS)] for x, y in points]
