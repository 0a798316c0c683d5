"""The way from one coordinate reference system to another, and where a CRS repeats itself round the globe."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from gateway.errors import NoPlace

Floats = npt.NDArray[np.float64]
# x and y of points in one CRS to x and y in another; what has no place there is not finite.
Transform = Callable[[Floats, Floats], tuple[Floats, Floats]]
Bounds = tuple[float, float, float, float]

DEGREES = "OGC:CRS84"
# The half turn in metres of EPSG:3857.
MERCATOR_HALF = 20037508.342789244
# Beyond it no longitude is meant as one; PROJ takes one turn after the other off.
MAX_LONGITUDE = 100_000.0


@dataclass(frozen=True, slots=True)
class Circle:
    """The x axis of a CRS in which the globe comes round again: `turn` is the length of one turn in its units."""

    turn: float
    latitudes: bool

    @property
    def half(self) -> float:
        """Return half of a turn, where the axis begins and ends."""
        return self.turn / 2


@lru_cache(maxsize=256)
def known(crs: str) -> CRS:
    """Return the CRS of a WKT or a name; raises NoPlace for one that PROJ cannot read."""
    try:
        return CRS.from_user_input(crs)
    except ProjError:
        raise NoPlace from None


@lru_cache(maxsize=256)
def same_ground(first: str, second: str) -> bool:
    """Return whether x and y of two systems (WKT or names) are the same, whichever their axes come first."""
    return bool(known(first).equals(known(second), ignore_axis_order=True))


@lru_cache(maxsize=256)
def horizontal(crs: str) -> bool:
    """Return whether a CRS has places on a map: none has that is vertical, geocentric or of a building site."""
    found = known(crs)
    return bool(found.is_geographic or found.is_projected)


@lru_cache(maxsize=256)
def circle(crs: str) -> Circle | None:
    """Return how a CRS repeats itself along x: geographic ones and Web Mercator, None for every other."""
    found = known(crs)
    if found.is_geographic:
        degrees = math.degrees(found.axis_info[0].unit_conversion_factor or math.radians(1))
        return Circle(360 / degrees, latitudes=True)
    return Circle(2 * MERCATOR_HALF, latitudes=False) if found.to_epsg() == 3857 else None


@lru_cache(maxsize=256)
def transformer(source: str, target: str) -> Transformer:
    """Return the way between two systems (WKT or names), x first; raises NoPlace where there is none."""
    try:
        return Transformer.from_crs(known(source), known(target), always_xy=True)
    except ProjError:
        raise NoPlace from None


def transform_of(source: str, target: str) -> Transform:
    """Return the transform of arrays of points from one CRS to another; raises NoPlace."""
    way = transformer(source, target)

    def transform(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        found_x, found_y = way.transform(x, y)
        lost = ~(np.isfinite(found_x) & np.isfinite(found_y))
        return np.where(lost, np.inf, found_x), np.where(lost, np.inf, found_y)

    return transform


def wrapped(transform: Transform, turn: float, middle: float) -> Transform:
    """Return a transform whose x lies within half a turn of `middle`."""

    def turned(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        found, other = transform(x, y)
        with np.errstate(invalid="ignore"):
            return found - turn * np.floor((found - middle) / turn + 0.5), other

    return turned
