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
# Of the longer side of the bounds: so far may the line between two points run beside the outline.
STRAIGHT = 1e-4
# Digits behind the point: a centimetre.
DIGITS = 7
Points = list[tuple[float, float]]


def footprint(place: Georeference, bounds: GeographicBounds) -> dict[str, Any]:
    """Return a Polygon or MultiPolygon in degrees: the outline, or the bounds where there is none.

    There is none where a side has no place, where the raster holds a pole or goes round the globe, and where the
    outline leaves the bounds.
    """
    return _outline(place, bounds) or bounds.geometry


def _outline(place: Georeference, bounds: GeographicBounds) -> dict[str, Any] | None:
    if bounds.unrolled_east - bounds.west >= TURN / 2 or bounds.north >= 90 or bounds.south <= -90:
        return None
    ring = Ring((0.0, float(place.size[1]), float(place.size[0]), 0.0))
    longitude, latitude = transform_of(place.crs, DEGREES)(*place.at(*ring.at(np.linspace(0, 4, 4 * (SIDE - 1) + 1))))
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
