import pytest

from gateway.catalogue.geometries import Area
from gateway.errors import BadParameter


def test_a_ring_that_crosses_itself_is_refused_and_not_mended():
    with pytest.raises(BadParameter, match="Self-intersection"):
        Area({"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]})


@pytest.mark.parametrize("height", [10**400, float("inf"), True], ids=["long", "infinite", "truth"])
def test_positions_are_numbers_that_can_be_held(height):
    with pytest.raises(BadParameter, match="position"):
        Area({"type": "LineString", "coordinates": [[0, 0, height], [1, 1, 1]]})


def test_no_other_member_is_looked_at_in_place_of_the_coordinates():
    with pytest.raises(BadParameter, match="position"):
        Area({"type": "Point", "coordinates": [999, 2], "geometries": [[1, 2]]})
    many = {"type": "MultiPoint", "coordinates": [[1, 2]] * 10_001, "geometries": [[1, 2]]}
    with pytest.raises(BadParameter, match="more than 10000"):
        Area({"type": "GeometryCollection", "geometries": [many]})
