"""Grounds in degrees: tiles of every grid, bounds and places in any CRS."""

import pytest

from gateway.errors import BadParameter, TileOutsideGrid
from gateway.ground import mercator
from gateway.ground.address import TileAddress
from gateway.ground.boxes import box_of_bounds, box_of_frame, place_in_degrees, place_of_pixel
from gateway.ground.grid import Grids

WEB = "WebMercatorQuad"


@pytest.mark.parametrize("place", [(0, 0, 0), (1, 0, 1), (7, 67, 44), (12, 4095, 0), (24, 5, 16_777_215)])
@pytest.mark.parametrize("more", [0, -0.4, 3])
def test_tiles_of_web_mercator_are_where_the_library_has_them(place, more):
    address = TileAddress(WEB, *place, tilesize=512)
    frame = Grids().frame(address)
    expected = box_of_frame(frame, more)
    found = mercator.tile_box(address, more)
    assert found == pytest.approx(expected, abs=1e-9)
    assert mercator.place_of(address, (3, 500)) == pytest.approx(place_of_pixel(frame, (3, 500)), abs=1e-9)


@pytest.mark.parametrize("place", [(25, 0, 0), (1, 2, 0), (1, 0, 2), (999, 0, 0)])
def test_a_tile_outside_of_web_mercator_is_none(place):
    with pytest.raises(TileOutsideGrid):
        mercator.tile_box(TileAddress(WEB, *place), 0)


def test_other_grids_and_systems_lead_to_degrees():
    assert box_of_frame(Grids().frame(TileAddress("WorldCRS84Quad", 1, 3, 0)), 0) == pytest.approx((90, 0, 180, 90))
    assert box_of_bounds((500_000, 5_000_000, 600_000, 5_100_000), "EPSG:32633") == pytest.approx(
        (15, 45.1, 16.3, 46.1), abs=0.1
    )
    assert box_of_bounds((170, 0, -170, 1), "EPSG:4326") == pytest.approx((170, 0, -170, 1))
    assert place_in_degrees((500_000, 5_000_000), "EPSG:32633") == pytest.approx((15, 45.15), abs=0.01)
    # Beyond the edge of the Earth as a satellite sees it.
    assert place_in_degrees((9e6, 9e6), "ESRI:54049") is None
    with pytest.raises(BadParameter, match="coord_crs"):
        place_in_degrees((0, 0), "EPSG:1")
