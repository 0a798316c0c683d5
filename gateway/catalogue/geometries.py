"""Geometries of GeoJSON that are looked for: where they lie, and what meets them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from gateway.catalogue.jsontext import is_number
from gateway.catalogue.search import Box, Geometry
from gateway.errors import BadParameter

# Of one geometry of a search.
MOST_POSITIONS = 10_000
TYPES = ("Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection")
REFUSED = "`intersects` is no geometry of GeoJSON: "


@dataclass(frozen=True, slots=True)
class Positions:
    """What positions may be: the greatest of x and of y either way, in words too; and what a refusal begins with."""

    limits: tuple[float, float]
    told: str
    refused: str

    def has(self, found: list[Any]) -> bool:
        """Return whether a list of JSON is such a position."""
        numbers = all(map(is_number, found)) and 2 <= len(found) <= 4
        return numbers and abs(found[0]) <= self.limits[0] and abs(found[1]) <= self.limits[1]


EARTH = Positions((180, 90), "a position is a longitude within 180 and a latitude within 90 degrees.", REFUSED)


class Area:
    """A geometry of GeoJSON in degrees, prepared to be compared with many; raises BadParameter for what is none."""

    def __init__(self, geometry: Geometry) -> None:
        # Not by every process: it takes a while and some memory, and few of them look for a geometry.
        import shapely.geometry  # noqa: PLC0415
        from shapely.errors import ShapelyError  # noqa: PLC0415

        self._library = shapely.geometry
        _require_geometry(geometry)
        try:
            self._shape = self._library.shape(geometry)
        except (ShapelyError, ValueError, TypeError, IndexError, KeyError, AttributeError):
            raise BadParameter(REFUSED + "its coordinates are not those of its type.") from None
        if self._shape.is_empty:
            raise BadParameter(REFUSED + "it is empty.")
        # Mending such a one costs the square of its positions and more; finding the first crossing does not.
        if not self._shape.is_valid:
            raise BadParameter(REFUSED + f"{shapely.is_valid_reason(self._shape).partition('[')[0]}.")
        shapely.prepare(self._shape)

    @property
    def box(self) -> Box:
        """Return west, south, east, north."""
        west, south, east, north = self._shape.bounds
        return west, south, east, north

    def meets(self, other: Geometry | Box) -> bool:
        """Return whether a footprint, or a box with west > east across the antimeridian, has a point in common."""
        if not isinstance(other, tuple):
            return bool(self._shape.intersects(self._library.shape(other)))
        west, south, east, north = other
        pieces = ((west, east),) if west <= east else ((west, 180.0), (-180.0, east))
        return any(self._shape.intersects(self._library.box(left, south, right, north)) for left, right in pieces)


def wkb_of(geometry: Geometry) -> bytes:
    """Return a footprint as well-known binary (ISO)."""
    import shapely  # noqa: PLC0415
    from shapely.geometry import shape  # noqa: PLC0415

    found: bytes = shapely.to_wkb(shape(geometry), flavor="iso")
    return found


def _require_geometry(geometry: Any) -> None:
    """Return for an object of GeoJSON with as many positions as may be; raises BadParameter."""
    if not isinstance(geometry, Mapping) or geometry.get("type") not in TYPES:
        raise BadParameter(REFUSED + f"its type is one of {', '.join(TYPES)}.")
    if len(list(islice(positions_of(geometry, EARTH), MOST_POSITIONS + 1))) > MOST_POSITIONS:
        raise BadParameter(f"`intersects` has more than {MOST_POSITIONS} positions.")


def parts_of(geometry: Mapping[str, Any]) -> str:
    """Return the name of the member that tells where an object of GeoJSON lies; others may be of any name."""
    return "geometries" if geometry.get("type") == "GeometryCollection" else "coordinates"


def positions_of(geometry: Any, where: Positions, depth: int = 0) -> Iterator[Any]:
    """Yield the positions of a geometry; raises BadParameter for one that is none of `where`."""
    if depth > 8:
        raise BadParameter(where.refused + "it is nested too deep.")
    if isinstance(geometry, Mapping):
        yield from positions_of(geometry.get(parts_of(geometry)), where, depth + 1)
    elif isinstance(geometry, list) and geometry and not isinstance(geometry[0], list | Mapping):
        if not where.has(geometry):
            raise BadParameter(where.refused + where.told)
        yield geometry
    elif isinstance(geometry, list):
        for part in geometry:
            yield from positions_of(part, where, depth + 1)
    else:
        raise BadParameter(where.refused + "it has no coordinates.")
