"""Bounds in degrees on a globe; an interval of longitudes that crosses the antimeridian is written west > east.

Free of every outside library.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from gateway.errors import BadParameter

TURN = 360.0
# Where Web Mercator ends, north and south.
MERCATOR_LATITUDE = 85.0511287798066
# Far beyond any place on Earth in any unit. GDAL takes one turn of the globe after the other off a Web Mercator
# coordinate, and never comes to an end where one turn is less than the last digit.
MAX_COORDINATE = 1e12
# A longitude so near to 180 lies on it.
ON_LINE = 1e-9


@dataclass(frozen=True, slots=True)
class GeographicBounds:
    """West, south, east, north in degrees, longitudes within -180..180; west > east crosses the antimeridian."""

    west: float
    south: float
    east: float
    north: float

    @classmethod
    def of(cls, west: float, south: float, east: float, north: float) -> GeographicBounds:
        """Return the bounds of longitudes of any turn; `east` below `west` is one turn further."""
        span = east - west if east >= west else east + TURN - west
        if span >= TURN - ON_LINE:
            return cls(-180.0, south, 180.0, north)
        begin = _within(west)
        end = begin + span
        if end > 180 + ON_LINE:
            end -= TURN
        return cls(begin, south, min(end, 180.0), north)

    @property
    def crosses(self) -> bool:
        """Return whether the antimeridian lies inside."""
        return self.west > self.east

    @property
    def unrolled_east(self) -> float:
        """Return the eastern side as a longitude that is not less than the western one."""
        return self.east + TURN if self.crosses else self.east

    @property
    def centre(self) -> tuple[float, float]:
        """Return longitude and latitude of the middle."""
        return _within((self.west + self.unrolled_east) / 2), (self.south + self.north) / 2

    @property
    def as_line(self) -> tuple[float, float, float, float]:
        """Return bounds with west <= east that hold these: the whole turn where they cross the antimeridian."""
        return (-180.0, self.south, 180.0, self.north) if self.crosses else self.as_tuple

    @property
    def as_tuple(self) -> tuple[float, float, float, float]:
        """Return west, south, east, north."""
        return self.west, self.south, self.east, self.north

    @property
    def geometry(self) -> dict[str, Any]:
        """Return a GeoJSON geometry, cut in two at the antimeridian (RFC 7946 section 3.1.9)."""
        if not self.crosses:
            return {"type": "Polygon", "coordinates": [self._ring(self.west, self.east)]}
        halves = self._ring(self.west, 180.0), self._ring(-180.0, self.east)
        return {"type": "MultiPolygon", "coordinates": [[half] for half in halves]}

    def _ring(self, west: float, east: float) -> list[list[float]]:
        # Counterclockwise (RFC 7946 section 3.1.6).
        south, north = self.south, self.north
        return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def _within(longitude: float) -> float:
    """Return the longitude within -180..180."""
    if -180 <= longitude <= 180:
        return longitude
    return longitude - TURN * math.floor((longitude + 180) / TURN)


def check_degrees(longitude: float, latitude: float, turn: float = TURN) -> None:
    """Return for degrees of the globe, a turn further at most; raises BadParameter. `turn` is in other units too."""
    if not (abs(longitude) <= 1.5 * turn + ON_LINE and abs(latitude) <= turn / 4 + ON_LINE):
        raise BadParameter(
            f"The coordinates in the path must be degrees: a latitude from {-turn / 4:g} to {turn / 4:g}, "
            f"a longitude from {-1.5 * turn:g} to {1.5 * turn:g}."
        )
