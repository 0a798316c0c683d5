"""Tiles of Web Mercator in degrees, by arithmetic alone: what nearly all maps ask for needs no library."""

from __future__ import annotations

import math

from gateway.errors import TileOutsideGrid
from gateway.ground.address import TileAddress

NAME = "WebMercatorQuad"
# OGC 17-083r4 annex D.1.
MAX_ZOOM = 24
# A dataset that reaches less far into a tile, of whatever grid, has the middle of none of its pixels.
EDGE_PIXELS = 0.4


def tile_box(address: TileAddress, widened_pixels: float) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a tile that is so many pixels wider on each side, within one turn.

    Raises TileOutsideGrid.
    """
    count = 2**address.z if address.z <= MAX_ZOOM else 0
    if not (0 <= address.x < count and 0 <= address.y < count):
        raise TileOutsideGrid("The tile is outside the grid.")
    more = widened_pixels / address.size
    west, east = (address.x - more) / count, (address.x + 1 + more) / count
    north, south = (_latitude(y / count) for y in (address.y - more, address.y + 1 + more))
    if not address.z or east - west >= 1:
        return -180.0, south, 180.0, north
    return _longitude(west), south, _longitude(east), north


def place_of(address: TileAddress, pixel: tuple[int, int]) -> tuple[float, float]:
    """Return longitude and latitude of the middle of a pixel (column, row) of a tile."""
    count = 2**address.z
    x, y = (
        (tile + (at + 0.5) / address.size) / count for tile, at in zip((address.x, address.y), pixel, strict=True)
    )
    return _longitude(x), _latitude(y)


def turns_of(longitude: float, latitude: float) -> tuple[float, float]:
    """Return how far a place lies from the western and the northern edge of the map, in its whole width or height.

    What lies beyond the map in the north or south is on its edge.
    """
    sine = math.sin(math.radians(max(-90.0, min(90.0, latitude))))
    y = 0.5 - math.atanh(sine) / (2 * math.pi) if abs(sine) < 1 else (1 - math.copysign(1, sine)) / 2
    return (longitude + 180) / 360, max(0.0, min(1.0, y))


def _longitude(turns: float) -> float:
    """Return the longitude of a place so far from the western edge of the map, in turns."""
    degrees = turns * 360 - 180
    return degrees - 360 if degrees > 180 else degrees + 360 if degrees < -180 else degrees


def _latitude(turns: float) -> float:
    """Return the latitude of a place so far from the northern edge of the map, in its whole height."""
    return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * turns))))
