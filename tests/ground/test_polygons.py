"""Polygons as edges: judged, followed into other systems, and on the turn of the globe where a raster lies."""

import numpy as np
import pytest
import shapely
from pyproj import Transformer
from shapely.geometry import mapping

from gateway.errors import BadParameter
from gateway.ground import polygons
from gateway.ground.polygons import Target, brought, polygon_edges
from gateway.ground.systems import known

DEGREES, UTM, MERCATOR, POLAR = (
    known(name).to_wkt() for name in ("OGC:CRS84", "EPSG:32633", "EPSG:3857", "EPSG:3995")
)
HALF = 20037508.342789244


def area(edges):
    x0, y0, x1, y1 = edges
    return abs(float((x0 * y1 - x1 * y0).sum())) / 2


def test_holes_run_the_other_way_round_whichever_way_they_were_given():
    outer, inner = shapely.box(0, 0, 10, 10), shapely.box(2, 2, 5, 5)
    for shell in (outer, shapely.reverse(outer)):
        for hole in (inner, shapely.reverse(inner)):
            found = shapely.Polygon(shell.exterior.coords, [hole.exterior.coords])
            assert area(polygon_edges(mapping(found), UTM)) == pytest.approx(91)


def test_sides_that_cross_are_refused_with_the_reason():
    bow = {"type": "Polygon", "coordinates": [[[0, 0], [9, 9], [9, 0], [0, 9], [0, 0]]]}
    with pytest.raises(BadParameter, match="not valid: self-intersection"):
        polygon_edges(bow, DEGREES)


@pytest.mark.parametrize(("crs", "x", "y"), [(DEGREES, 1e12, 1), (DEGREES, 1, 91), (MERCATOR, 1e12, 1)])
def test_what_lies_beyond_the_globe_is_refused_before_turns_are_counted(crs, x, y):
    with pytest.raises(BadParameter, match="beyond the globe"):
        polygon_edges(mapping(shapely.box(-x, 0, x, y)), crs)


def test_sides_follow_the_curves_that_they_are_in_another_system():
    polygon = shapely.Polygon([(12, 47), (18, 47.2), (17, 49), (12.5, 48.8)], [[(14, 48), (15, 48), (15, 48.5)]])
    found = brought(polygon_edges(mapping(polygon), DEGREES), DEGREES, Target(UTM, (30.0, 30.0)))
    there = Transformer.from_crs(4326, 32633, always_xy=True)
    dense = shapely.segmentize(polygon, 6 / 20_000)
    expected = shapely.transform(dense, lambda places: np.column_stack(there.transform(*places.T)))
    assert area(found) == pytest.approx(expected.area, rel=1e-9)
    straight = shapely.transform(polygon, lambda places: np.column_stack(there.transform(*places.T)))
    assert abs(straight.area / expected.area - 1) > 1e-3


def test_a_cap_round_the_pole_is_followed_all_round():
    cap = polygon_edges(mapping(shapely.box(-180, 80, 180, 90)), DEGREES)
    found = brought(cap, DEGREES, Target(POLAR, (1000.0, 1000.0)))
    radius = Transformer.from_crs(4326, 3995, always_xy=True).transform(0, 80)[1]
    assert area(found) == pytest.approx(np.pi * radius**2, rel=1e-6)


def test_parts_on_both_sides_of_the_antimeridian_lie_side_by_side():
    halves = shapely.MultiPolygon([shapely.box(178, -18, 180, -16), shapely.box(-180, -18, -179, -16)])
    found = polygon_edges(mapping(halves), DEGREES)
    assert (found[0::2].min(), found[0::2].max()) == (178, 181)
    apart = shapely.MultiPolygon([shapely.box(10, 0, 11, 1), shapely.box(-80, 0, -79, 1)])
    assert polygon_edges(mapping(apart), DEGREES)[0].min() == -80


def test_what_lies_west_of_greenwich_alone_stays_there():
    # A turn further on its width is less by rounding.
    places = [(-34.894253340540985, 87.4), (-40.10574665945903, 87.1), (-39.59, 85.7), (-34.894253340540985, 87.4)]
    edges = polygon_edges(mapping(shapely.Polygon(places)), DEGREES)
    assert (edges[0].min(), edges[0].max()) == (-40.10574665945903, -34.894253340540985)


@pytest.mark.parametrize(
    ("crs", "bounds", "expected"),
    [
        (MERCATOR, (HALF * 179 / 180, -2e6, HALF * 182 / 180, 0), (179, 181)),
        (MERCATOR, (-HALF, -2e6, HALF, 0), (-180, 180)),
        (known("EPSG:4326").to_wkt(), (0, -30, 360, 0), (179, 181)),
    ],
)
def test_a_polygon_lies_on_the_turn_of_the_raster(crs, bounds, expected):
    halves = shapely.MultiPolygon([shapely.box(179, -18, 180, -16), shapely.box(-180, -18, -179, -16)])
    edges = polygon_edges(mapping(halves), DEGREES)
    unit = HALF / 180 if crs == MERCATOR else 1
    reach = bounds if crs != MERCATOR else (bounds[0] / unit, -30, bounds[2] / unit, 0)
    found = brought(edges, DEGREES, Target(crs, (1.0, 1.0), bounds, reach))
    inside = np.clip(found[0::2], bounds[0], bounds[2]) / unit
    assert (inside.min(), inside.max()) == pytest.approx(expected)
    south, north = (Transformer.from_crs(4326, crs, always_xy=True).transform(0, y)[1] for y in (-18, -16))
    assert area(found) == pytest.approx(2 * unit * (north - south), rel=1e-9)


def test_what_lies_far_from_the_raster_is_not_brought_along():
    world = polygon_edges(mapping(shapely.box(-180, -90, 180, 90)), DEGREES)
    found = brought(world, DEGREES, Target(UTM, (30.0, 30.0), None, (14.0, 47.0, 16.0, 48.0)))
    assert area(found) == pytest.approx(shapely.box(426_000, 5_205_000, 576_000, 5_317_000).area, rel=0.02)
    far = polygon_edges(mapping(shapely.box(100, 0, 101, 1)), DEGREES)
    assert area(brought(far, DEGREES, Target(UTM, (30.0, 30.0), None, (14.0, 47.0, 16.0, 48.0)))) == 0


def test_what_has_no_place_or_takes_too_many_pieces_is_refused(monkeypatch):
    globe = polygon_edges(mapping(shapely.box(-180, -90, 180, 90)), DEGREES)
    with pytest.raises(BadParameter, match="cannot be brought"):
        brought(globe, DEGREES, Target(known("ESRI:102034").to_wkt(), (1.0, 1.0)))
    monkeypatch.setattr(polygons, "MOST_EDGES", 50)
    wide = polygon_edges(mapping(shapely.box(0, 40, 30, 50)), DEGREES)
    with pytest.raises(BadParameter, match="too long"):
        brought(wide, DEGREES, Target(UTM, (1.0, 1.0)))
    # Not where what is left of the curve cannot be seen.
    assert brought(wide, DEGREES, Target(UTM, (1e9, 1e9))).shape[1] > 4
