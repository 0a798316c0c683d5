"""Features of GeoJSON (RFC 7946) whose areas are asked about: judged before anything is drawn of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.catalogue.geometries import MOST_POSITIONS, Positions, positions_of
from gateway.catalogue.search import Box, Geometry
from gateway.errors import BadParameter

# Of one request; positions are those of all of its features.
MOST_FEATURES = 256
AREAS = ("Polygon", "MultiPolygon")
# What the `crs` member of 2008 may say where the coordinates are degrees, longitudes first.
DEGREES = ("CRS84", "4326")
REFUSED = "The geometry is none that has an area: "
# A longitude may go on beyond the antimeridian.
ON_EARTH = Positions((360, 90), "a position is a longitude within 360 and a latitude within 90 degrees.", REFUSED)
ANYWHERE = Positions((1e12, 1e12), "a position is x and y, numbers of at most 1e12.", REFUSED)
# Of a ring, the first and the last of which are the same.
LEAST_POSITIONS = 4
Feature = Mapping[str, Any]


def features_of(document: Any, coord_crs: str | None, *, one: bool = False) -> Sequence[Feature]:
    """Return the features of a Feature or FeatureCollection whose coordinates are in `coord_crs`, None for degrees.

    Each has a polygon, or several. Raises BadParameter for another document, and for more features, where `one` is
    wanted or more than MOST_FEATURES are there, or more positions than MOST_POSITIONS.
    """
    kind = document.get("type") if isinstance(document, Mapping) else None
    if kind not in (("Feature",) if one else ("Feature", "FeatureCollection")):
        raise BadParameter(f"The body must be a Feature of GeoJSON{'' if one else ', or a FeatureCollection'}.")
    _require_crs(document, coord_crs)
    features = [document] if kind == "Feature" else document.get("features")
    if not isinstance(features, list) or not all(_is_feature(each) for each in features):
        raise BadParameter("The member `features` of the body must be a list of Features.")
    if len(features) > MOST_FEATURES:
        raise BadParameter(f"The body has {len(features)} features; the limit is {MOST_FEATURES}.")
    where, count = ON_EARTH if coord_crs is None else ANYWHERE, 0
    for feature in features:
        count += _require_area(feature.get("geometry"), where)
        if count > MOST_POSITIONS:
            raise BadParameter(f"The geometries of the body have more than {MOST_POSITIONS} positions.")
    return features


def geometry_of(feature: Feature) -> Geometry:
    """Return the geometry of a feature, without heights."""
    geometry = feature["geometry"]
    return {"type": geometry["type"], "coordinates": _flat(geometry["coordinates"])}


def box_of(geometry: Geometry) -> Box:
    """Return the least and greatest x and y of a geometry: west, south, east, north."""
    places = list(positions_of(geometry, ANYWHERE))
    across, down = zip(*((x, y) for x, y, *_ in places), strict=True)
    return min(across), min(down), max(across), max(down)


def _is_feature(value: Any) -> bool:
    properties = value.get("properties") if isinstance(value, Mapping) else None
    return isinstance(value, Mapping) and value.get("type") == "Feature" and isinstance(properties, dict | None)


def _require_crs(document: Feature, coord_crs: str | None) -> None:
    """Return where the coordinates are in the CRS that is asked about; raises BadParameter for another one."""
    member = document.get("crs")
    if member is None:
        return
    properties = member.get("properties") if isinstance(member, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    code = name.rpartition(":")[2].upper() if isinstance(name, str) else None
    if code not in (DEGREES if coord_crs is None else (coord_crs.rpartition(":")[2].upper(),)):
        raise BadParameter(
            "The member `crs` of the body is another one than coord_crs, which is degrees unless given."
        )


def _require_area(geometry: Any, where: Positions) -> int:
    """Return how many positions an area has; raises BadParameter for what is none."""
    if not isinstance(geometry, Mapping) or geometry.get("type") not in AREAS:
        raise BadParameter(REFUSED + f"its type is {' or '.join(AREAS)}.")
    coordinates, count = geometry.get("coordinates"), 0
    for _ in positions_of(coordinates, where):
        count += 1
        if count > MOST_POSITIONS:
            break
    polygons = [coordinates] if geometry["type"] == "Polygon" else coordinates
    if not polygons or not all(isinstance(rings, list) and rings and all(map(_is_ring, rings)) for rings in polygons):
        raise BadParameter(REFUSED + "a polygon has rings of 4 positions or more, the first of which is the last.")
    return count


def _is_ring(ring: Any) -> bool:
    return (
        isinstance(ring, list)
        and len(ring) >= LEAST_POSITIONS
        and all(isinstance(each, list) and each and not isinstance(each[0], list) for each in ring)
        and ring[0] == ring[-1]
    )


def _flat(coordinates: Any) -> Any:
    """Return coordinates as floats, x and y alone."""
    if isinstance(coordinates[0], list):
        return [_flat(each) for each in coordinates]
    return [float(coordinates[0]), float(coordinates[1])]
