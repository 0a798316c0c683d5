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
