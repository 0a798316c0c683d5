"""Bounds of a raster in degrees: over poles and the antimeridian, and of maps whose corners lie in space."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gateway.errors import NoPlace
from gateway.ground.bounds import MERCATOR_LATITUDE, TURN, GeographicBounds
from gateway.ground.extent import SIDE, Ring, net
from gateway.ground.georeference import Georeference
from gateway.ground.systems import DEGREES, Bounds, Circle, Floats, Transform, circle, same_ground, transform_of

# Points across a raster of which a part has no place; and how often the edge of that part is halved.
NET, HALVINGS = 129, 50
# Longitudes of points over a raster without a gap of so many degrees go all round the globe.
GAP = 12.0
# Of a raster, in its longer side: so near to itself a point comes back from degrees.
RETURNED = 1e-3
REFINED = 5


def geographic_bounds(place: Georeference) -> GeographicBounds:
    """Return the bounds of a raster in degrees (WGS 84); raises NoPlace where nothing of it lies on the globe."""
    to_degrees = _there_and_back(place)
    longitudes, latitudes = _sides(place, to_degrees)
    poles = [latitude for latitude in (-90.0, 90.0) if _has(place, latitude)]
    if longitudes is None:
        longitudes, latitudes = _inside(place, to_degrees)
    south, north = float(latitudes.min()), float(latitudes.max())
    for pole in poles:
        south, north = min(south, pole), max(north, pole)
    west, east = _interval(longitudes)
    if poles and _surrounds(place, poles):
        west, east = -180.0, 180.0
    return GeographicBounds.of(west, max(south, -90.0), east, min(north, 90.0))


def extent_round_the_globe(place: Georeference, crs: str) -> Bounds | None:
    """Return bounds of a raster where the globe comes round again: in its own CRS, in degrees or in Web Mercator.

    They go on beyond 180 degrees where the raster does, and end where Web Mercator ends. None for any other CRS, in
    which what goes over a seam or a pole has no bounds. Raises NoPlace.
    """
    axis = circle(crs)
    if axis is None:
        return None
    if same_ground(place.crs, crs):
        return place.bounds
    lies, limit = geographic_bounds(place), 90.0 if axis.latitudes else MERCATOR_LATITUDE
    sides = np.clip([lies.south, lies.north], -limit, limit)
    (west, _), (south, north) = transform_of(DEGREES, crs)(np.full(2, lies.west), sides)
    found = float(west), float(south), float(west + (lies.unrolled_east - lies.west) / TURN * axis.turn), float(north)
    return found if np.isfinite(found).all() and south < north else None


def _there_and_back(place: Georeference) -> Transform:
    """Return the transform from pixels to degrees; what does not come back from there has no place."""
    there, back = transform_of(place.crs, DEGREES), transform_of(DEGREES, place.crs)
    axis = circle(place.crs)
    limit = RETURNED * max(size * side for size, side in zip(place.size, place.pixel, strict=True))

    def transform(columns: Floats, rows: Floats) -> tuple[Floats, Floats]:
        x, y = place.at(columns, rows)
        if axis is not None and axis.latitudes:
            y = np.clip(y, -axis.turn / 4, axis.turn / 4)
        longitude, latitude = there(x, y)
        again_x, again_y = back(longitude, latitude)
        with np.errstate(invalid="ignore"):
            off = np.hypot(_short(again_x - x, axis), again_y - y)
            lost = ~((off <= limit) | (np.abs(latitude) > 90 - 1e-9))
        return np.where(lost, np.inf, longitude), np.where(lost, np.inf, latitude)

    return transform


def _short(distance: Floats, axis: Circle | None) -> Floats:
    """Return a distance along x, whole turns left out."""
    return distance if axis is None else distance - axis.turn * np.round(distance / axis.turn)


def _sides(place: Georeference, to_degrees: Transform) -> tuple[Floats | None, Floats]:
    """Return longitudes, unrolled, and latitudes along the sides, refined where they turn; None where one is lost."""
    ring = Ring((0.0, float(place.size[1]), float(place.size[0]), 0.0))
    positions = np.linspace(0, 4, 4 * (SIDE - 1) + 1)
    longitude, latitude = to_degrees(*ring.at(positions))
    if not np.isfinite(longitude).all():
        return None, latitude
    found = [(np.unwrap(longitude, period=TURN), latitude)]
    for _ in range(REFINED):
        unrolled, latitudes = found[-1]
        turning = {
            place
            for values in (unrolled, latitudes)
            for index in (int(values.argmin()), int(values.argmax()))
            for place in (max(index - 1, 0), index)
        }
        pieces = [np.linspace(positions[i], positions[min(i + 1, len(positions) - 1)], 17) for i in sorted(turning)]
        positions = np.concatenate(pieces)
        longitude, latitude = to_degrees(*ring.at(positions))
        if not np.isfinite(longitude).all():
            break
        # Each piece lies on the turn of the one that it was cut from.
        starts = np.repeat([unrolled[i] for i in sorted(turning)], 17)
        found.append((longitude - TURN * np.round((longitude - starts) / TURN), latitude))
    longitudes = np.concatenate([each[0] for each in found])
    within = to_degrees(*net((0.0, float(place.size[1]), float(place.size[0]), 0.0), SIDE))
    if not np.isfinite(within[0]).all():
        return None, latitude
    return _joined(longitudes, within[0]), np.concatenate([*(each[1] for each in found), within[1].ravel()])


def _joined(longitudes: Floats, within: Floats) -> Floats:
    """Return the longitudes with those from within, each on the turn that is nearest to the sides'."""
    middle = (longitudes.min() + longitudes.max()) / 2
    nearest = within - TURN * np.round((within - middle) / TURN)
    return np.concatenate([longitudes, nearest.ravel()])


def _inside(place: Georeference, to_degrees: Transform) -> tuple[Floats, Floats]:
    """Return longitudes and latitudes of what has a place, its edge found by halving; raises NoPlace for none."""
    width, height = place.size
    columns, rows = net((0.0, float(height), float(width), 0.0), NET)
    longitude, latitude = to_degrees(columns, rows)
    held = np.isfinite(longitude)
    if not held.any():
        raise NoPlace
    found = [(longitude[held], latitude[held])]
    for first, second in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        edge = held[first] != held[second]
        inner = np.where(held[first], columns[first], columns[second])[edge]
        outer = np.where(held[first], columns[second], columns[first])[edge]
        inner_row = np.where(held[first], rows[first], rows[second])[edge]
        outer_row = np.where(held[first], rows[second], rows[first])[edge]
        for _ in range(HALVINGS if edge.any() else 0):
            middle, middle_row = (inner + outer) / 2, (inner_row + outer_row) / 2
            good = np.isfinite(to_degrees(middle, middle_row)[0])
            inner, inner_row = np.where(good, middle, inner), np.where(good, middle_row, inner_row)
            outer, outer_row = np.where(good, outer, middle), np.where(good, outer_row, middle_row)
        found.append(to_degrees(inner, inner_row))
    found += _nearer(place, to_degrees, (columns[held], rows[held]), found[0])
    return np.concatenate([each[0] for each in found]), np.concatenate([each[1] for each in found])


def _nearer(
    place: Georeference, to_degrees: Transform, at: tuple[Floats, Floats], found: tuple[Floats, Floats]
) -> list[tuple[Floats, Floats]]:
    """Return points round the outermost of a net, ever nearer together."""
    more = []
    centre = np.angle(np.exp(1j * np.radians(found[0])).mean(), deg=True)
    for axis in (0, 1):
        for sign in (-1, 1):
            columns, rows, points = *at, found
            reach = [side / (NET - 1) for side in place.size]
            for _ in range(REFINED):
                with np.errstate(invalid="ignore"):
                    value = points[axis] if axis else np.mod(points[axis] - centre + TURN / 2, TURN)
                best = int(np.argmax(np.where(np.isfinite(value), sign * value, -np.inf)))
                steps = np.linspace(-1, 1, 17)
                across, down = np.meshgrid(steps * reach[0] + columns[best], steps * reach[1] + rows[best])
                columns, rows = (
                    np.clip(values, 0, side).ravel() for values, side in zip((across, down), place.size, strict=True)
                )
                points = to_degrees(columns, rows)
                good = np.isfinite(points[0])
                more.append((points[0][good], points[1][good]))
                reach = [length / 8 for length in reach]
    return more


def _interval(longitudes: Floats) -> tuple[float, float]:
    """Return the shortest interval that holds all longitudes, which may be unrolled beyond 180."""
    low, high = float(longitudes.min()), float(longitudes.max())
    around: npt.NDArray[np.float64] = np.sort(np.mod(longitudes + 180, TURN) - 180)
    gaps = np.diff(np.append(around, around[0] + TURN))
    widest = int(gaps.argmax())
    # Sides that were followed all the way are known better than points.
    if high - low <= TURN - float(gaps[widest]) + 1e-6 or high - low >= TURN:
        return low, high
    if gaps[widest] < GAP:
        return -180.0, 180.0
    return float(around[(widest + 1) % len(around)]), float(around[widest]) + TURN * (widest + 1 < len(around))


def _has(place: Georeference, latitude: float) -> bool:
    """Return whether a pole lies in the raster."""
    back, there = transform_of(DEGREES, place.crs), transform_of(place.crs, DEGREES)
    x, y = back(np.array([0.0]), np.array([latitude]))
    if not np.isfinite(x).all():
        return False
    columns, rows = place.pixels(x, y)
    again = float(there(x, y)[1][0])
    inside = -1e-6 <= columns[0] <= place.size[0] + 1e-6 and -1e-6 <= rows[0] <= place.size[1] + 1e-6
    return bool(inside and abs(again - latitude) < 1e-6)


def _surrounds(place: Georeference, poles: list[float]) -> bool:
    """Return whether all longitudes meet in one point of the raster: in the maps where a pole is a point."""
    back = transform_of(DEGREES, place.crs)
    around = np.linspace(-180, 180, 9)
    for pole in poles:
        x, y = back(around, np.full(9, pole))
        if np.isfinite(x).all() and np.ptp(x) + np.ptp(y) < 1e-3 * sum(place.pixel):
            return True
    return False
