import numpy as np
import pytest
from affine import Affine
from pyproj import CRS, Transformer
from shapely import contains_xy
from shapely.geometry import shape

from gateway.ground.degrees import geographic_bounds
from gateway.ground.footprint import footprint
from gateway.ground.georeference import Georeference


def placed(crs, transform, size=(100, 80)):
    place = Georeference(CRS.from_user_input(crs).to_wkt(), transform, size)
    bounds = geographic_bounds(place)
    return footprint(place, bounds), bounds


def test_a_raster_in_degrees_is_its_box_of_four_corners():
    found, _ = placed("EPSG:4326", Affine(0.1, 0, 5, 0, -0.1, 50))
    assert found == {"type": "Polygon", "coordinates": [[[5, 42], [15, 42], [15, 50], [5, 50], [5, 42]]]}


def test_south_up_is_counterclockwise_too():
    found, _ = placed("EPSG:4326", Affine(0.1, 0, 5, 0, 0.1, 42))
    assert shape(found).exterior.is_ccw
    assert shape(found).bounds == (5, 42, 15, 50)


def test_curved_sides_are_followed_and_lie_within_the_bounds():
    found, bounds = placed("EPSG:3035", Affine(10_000, 0, 3_000_000, 0, -10_000, 4_000_000))
    outline = shape(found)
    assert outline.is_valid
    assert outline.exterior.is_ccw
    assert len(found["coordinates"][0]) > 40
    west, south, east, north = outline.bounds
    assert bounds.west - 1e-6 <= west < east <= bounds.east + 1e-6
    assert bounds.south - 1e-6 <= south < north <= bounds.north + 1e-6
    # Less than its box, which corners alone would not be.
    assert outline.area < 0.97 * shape(bounds.geometry).area


def test_a_rotated_raster_is_as_it_lies():
    found, bounds = placed("EPSG:4326", Affine.translation(10, 50) * Affine.rotation(45) * Affine.scale(0.1, -0.1))
    assert shape(found).area == pytest.approx(80, rel=1e-6)
    assert shape(found).area < 0.6 * shape(bounds.geometry).area


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(0.1, 0, 175, 0, -0.1, 50)),
        ("EPSG:4326", Affine(0.1, 0, -185, 0, -0.1, 50)),
        ("EPSG:32601", Affine(10_000, 0, 100_000, 0, -10_000, 800_000)),
    ],
)
def test_it_is_cut_at_the_antimeridian(crs, transform):
    found, bounds = placed(crs, transform)
    assert found["type"] == "MultiPolygon"
    west, east = (shape({"type": "Polygon", "coordinates": part}) for part in found["coordinates"])
    assert west.bounds[2] == 180
    assert east.bounds[0] == -180
    assert (west.bounds[0], east.bounds[2]) == (pytest.approx(bounds.west), pytest.approx(bounds.east))
    assert shape(found).is_valid


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:3413", Affine(100_000, 0, -5_000_000, 0, -100_000, 4_000_000)),
        ("EPSG:3031", Affine(30_000, 0, -1_500_000, 0, -30_000, 100_000)),
        (
            "EPSG:3995",
            Affine.translation(-2_000_000, 1_200_000) * Affine.rotation(30) * Affine.scale(30_000, -50_000),
        ),
        ("EPSG:3575", Affine(30_000, 0, -2_900_000, 0, 30_000, -1_200_000)),
    ],
)
def test_round_a_pole_it_follows_the_sides(crs, transform):
    found, bounds = placed(crs, transform)
    outline = shape(found)
    assert outline.is_valid
    assert outline.exterior.is_ccw
    assert outline.bounds == pytest.approx(bounds.as_tuple, abs=1e-6)
    # It holds the places of the raster and no others.
    longitude, latitude = (part.ravel() for part in np.meshgrid(np.linspace(-179, 179, 61), np.linspace(-89, 89, 90)))
    there = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(longitude, latitude)
    column, row = ~transform * there
    inside = (np.abs(column - 50) < 50) & (np.abs(row - 40) < 40)
    sure = np.minimum(np.abs(np.abs(column - 50) - 50), np.abs(np.abs(row - 40) - 40)) > 1
    met = contains_xy(outline, longitude, latitude)
    assert inside.any()
    assert (met == inside)[sure].all()


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:4326", Affine(3.6, 0, -180, 0, -1.125, 90)),
        ("EPSG:4326", Affine(3.6, 0, -180, 0, -2.25, 90)),
        # With both poles.
        ("+proj=laea +lat_0=0 +lon_0=0", Affine(255_000, 0, -12_750_000, 0, -318_750, 12_750_000)),
    ],
)
def test_where_there_is_no_outline_it_is_the_bounds(crs, transform):
    found, bounds = placed(crs, transform)
    assert found == bounds.geometry
