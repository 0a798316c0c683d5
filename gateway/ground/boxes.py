"""Grounds of pictures in degrees: what a search for the datasets under them asks for."""

from __future__ import annotations

import numpy as np
from affine import Affine

from gateway.errors import NoPlace
from gateway.ground.areas import checked_bounds, crs_of
from gateway.ground.degrees import geographic_bounds
from gateway.ground.georeference import Georeference
from gateway.ground.grid import Frame
from gateway.ground.systems import DEGREES, Bounds, transform_of

Box = tuple[float, float, float, float]
# Sides are followed by so many points.
POINTS = 64


def box_of_frame(frame: Frame, widened_pixels: float) -> Box | None:
    """Return west, south, east, north of a ground that is so many pixels wider; None where none of it is on Earth.

    West is the greater one where it crosses the antimeridian.
    """
    wide, high = (widened_pixels * side for side in frame.pixel)
    return _box((frame.left - wide, frame.bottom - high, frame.right + wide, frame.top + high), frame.crs)


def box_of_bounds(bounds: Bounds, name: str) -> Box | None:
    """Return west, south, east, north of bounds in a CRS by its code; raises BadParameter naming coord_crs."""
    crs = crs_of(name, "coord_crs") or DEGREES
    return _box(checked_bounds(bounds, crs), crs)


def place_in_degrees(place: tuple[float, float], name: str) -> tuple[float, float] | None:
    """Return longitude and latitude of a place in a CRS by its code; None where that is nowhere on Earth."""
    return _place(place, crs_of(name, "coord_crs") or DEGREES)


def place_of_pixel(frame: Frame, pixel: tuple[int, int]) -> tuple[float, float] | None:
    """Return longitude and latitude of the middle of a pixel (column, row) of a ground."""
    wide, high = frame.pixel
    return _place((frame.left + (pixel[0] + 0.5) * wide, frame.top - (pixel[1] + 0.5) * high), frame.crs)


def _place(place: tuple[float, float], crs: str) -> tuple[float, float] | None:
    longitude, latitude = transform_of(crs, DEGREES)(np.array([place[0]]), np.array([place[1]]))
    if not (np.isfinite(longitude[0]) and np.isfinite(latitude[0])):
        return None
    return float(longitude[0]), float(latitude[0])


def _box(bounds: Bounds, crs: str) -> Box | None:
    left, bottom, right, top = bounds
    transform = Affine((right - left) / POINTS, 0, left, 0, (bottom - top) / POINTS, top)
    try:
        return geographic_bounds(Georeference(crs, transform, (POINTS, POINTS))).as_tuple
    except NoPlace:
        return None
