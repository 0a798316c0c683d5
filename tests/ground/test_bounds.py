"""Bounds on a globe: where an interval of longitudes begins and ends, its middle, and its GeoJSON."""

import pytest

from gateway.ground.bounds import GeographicBounds


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((-180, -90, 180, 90), (-180, -90, 180, 90)),
        ((0, -90, 360, 90), (-180, -90, 180, 90)),
        ((172, 42, 186, 50), (172, 42, -174, 50)),
        ((-190, 42, -170, 50), (170, 42, -170, 50)),
        ((178.9, 60, -176.8, 63), (178.9, 60, -176.8, 63)),
        ((172, 0, 180, 1), (172, 0, 180, 1)),
        ((180, 0, 190, 1), (180, 0, -170, 1)),
        ((-200, 0, -190, 1), (160, 0, 170, 1)),
    ],
)
def test_longitudes_of_any_turn_lie_within_180(given, expected):
    assert GeographicBounds.of(*given).as_tuple == expected


@pytest.mark.parametrize(
    ("given", "centre"),
    [
        ((178.9, 60, -176.8, 63), (-178.95, 61.5)),
        ((172, 0, -174, 10), (179, 5)),
        ((10, 0, 20, 10), (15, 5)),
        ((-180, -90, 180, 90), (0, 0)),
        ((170, 0, -170, 2), (180, 1)),
    ],
)
def test_the_middle_lies_on_the_data(given, centre):
    assert GeographicBounds.of(*given).centre == pytest.approx(centre)


def test_what_crosses_the_antimeridian_is_the_whole_turn_on_a_line():
    assert GeographicBounds.of(172, 42, 186, 50).as_line == (-180, 42, 180, 50)
    assert GeographicBounds.of(10, 42, 20, 50).as_line == (10, 42, 20, 50)


def test_geometry_is_cut_in_two_at_the_antimeridian():
    assert GeographicBounds.of(1, 2, 3, 4).geometry["type"] == "Polygon"
    found = GeographicBounds.of(178, 51, 181, 52).geometry
    assert found["type"] == "MultiPolygon"
    east, west = (ring for (ring,) in found["coordinates"])
    assert {x for x, _ in east} == {178, 180}
    assert {x for x, _ in west} == {-180, -179}
    for ring in (east, west):
        assert ring[0] == ring[-1]
