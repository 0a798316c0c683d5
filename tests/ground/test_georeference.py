"""How a file places its raster: sane numbers only, ground control points where there is no transform."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint

from gateway.errors import NoPlace
from gateway.ground.georeference import georeference
from tests.tiles.rasters import UTM, utm


def placed(path, transform=None, crs=UTM, **options):
    profile = {"driver": "GTiff", "count": 1, "width": 40, "height": 30, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=crs, transform=transform or Affine.identity(), **options) as raster:
        raster.write(np.ones((1, 30, 40), np.uint8))
    with rasterio.open(path) as raster:
        return georeference(raster)


def test_south_up_and_rotated_rasters_have_bounds_that_rise(tmp_path):
    south_up = placed(tmp_path / "a.tif", Affine(30, 0, 500_000, 0, 30, 5_000_000))
    assert south_up.bounds == (500_000, 5_000_000, 501_200, 5_000_900)
    turned = placed(tmp_path / "b.tif", utm() * Affine.rotation(90))
    west, south, east, north = turned.bounds
    assert (west < east, south < north) == (True, True)
    assert turned.pixel == pytest.approx((30, 30))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_ground_control_points_stand_in_for_a_transform(tmp_path):
    points = [GroundControlPoint(r, c, 500_000 + 30 * c, 5_300_000 - 30 * r) for r in (0, 30) for c in (0, 40)]
    found = placed(tmp_path / "a.tif", gcps=points)
    assert found.transform.almost_equals(utm(), 1e-6)
    assert found.bounds == pytest.approx((500_000, 5_299_100, 501_200, 5_300_000))


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("transform", "crs"),
    [
        (None, UTM),
        (utm(), None),
        (Affine(5e-324, 0, 15, 0, -5e-324, 42), "EPSG:4326"),
        (Affine(1e-20, 0, 15, 0, -1e-20, 42), "EPSG:4326"),
        (Affine(1e300, 0, 15, 0, -1e300, 42), "EPSG:4326"),
        (Affine(1, 0, 1e20, 0, -1, 1e20), "EPSG:3857"),
        (Affine(1, 0, 0, 0, -1, 200), "EPSG:4326"),
        (Affine(1, 0, 5000, 0, -1, 20), "EPSG:4326"),
    ],
)
def test_what_its_numbers_place_nowhere_has_no_place(tmp_path, transform, crs):
    with pytest.raises(NoPlace):
        placed(tmp_path / "a.tif", transform, crs)


def test_positions_in_pixels_are_found_on_every_turn(tmp_path):
    place = placed(tmp_path / "a.tif", Affine(1, 0, 160, 0, -1, 20), "EPSG:4326")
    columns, rows = place.pixels(np.array([-170.0, 190.0, 550.0]), np.array([10.0, 10.0, 10.0]))
    assert columns.tolist() == [30, 30, 30]
    assert rows.tolist() == [10, 10, 10]
    assert place.turned
