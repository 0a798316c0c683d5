"""Pictures of much more ground than there are data: the same pixels, and only the data are read."""

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.warp import transform_bounds

from gateway.tiles.clipping import LARGE_PIXELS, Canvas, covered, spread
from gateway.tiles.facts import part
from gateway.tiles.fallback import render
from gateway.tiles.model import Style, TileAddress, TileFormat
from tests.tiles.rasters import landscape, utm, write

MERCATOR = CRS.from_epsg(3857)
WORLD = 20037508.342789244


@pytest.fixture(scope="module")
def raster(tmp_path_factory):
    path = write(
        tmp_path_factory.mktemp("clip") / "a.tif", landscape(2, 300, 400, "uint16"), utm(pixel=1000), nodata=0
    )
    with rasterio.open(path) as raster:
        yield raster


def values(encoded):
    import io

    return np.load(io.BytesIO(encoded.body))


def test_the_world_is_cut_to_where_data_are(raster):
    canvas = Canvas((-WORLD, -WORLD, WORLD, WORLD), MERCATOR, 256, 256)
    left, right, top, bottom = covered(raster, canvas)
    assert 2 <= right - left <= 7
    assert 2 <= bottom - top <= 7
    west, south, east, north = canvas.cut((left, right, top, bottom)).bounds
    data = transform_bounds(raster.crs, MERCATOR, *raster.bounds)
    assert west <= data[0] < data[2] <= east
    assert south <= data[1] < data[3] <= north


def test_near_ground_is_left_to_rio_tiler(raster):
    west, south, east, north = transform_bounds(raster.crs, MERCATOR, *raster.bounds)
    assert covered(raster, Canvas((west - 500, south, east + 500, north), MERCATOR, 256, 256)) is None
    wide = (east - west) / raster.width
    edge = Canvas(
        (west, south, west + wide * LARGE_PIXELS * 0.8, south + wide * LARGE_PIXELS * 0.8), MERCATOR, 256, 256
    )
    assert covered(raster, edge) is None


def test_ground_without_data_is_an_empty_window(raster):
    left, right, top, bottom = covered(raster, Canvas((-WORLD, -WORLD, -WORLD / 2, 0), MERCATOR, 64, 64))
    assert left >= right or top >= bottom


@pytest.mark.parametrize("place", [(0, 0, 0), (3, 4, 2), (5, 17, 11)])
@pytest.mark.parametrize(
    "options", [{"expression": "b1*2"}, {"algorithm": "normalizedIndex"}, {"resampling": "average"}]
)
def test_a_tile_of_a_large_ground_is_drawn(raster, place, options):
    z, x, y = place
    found = values(render(raster, TileAddress("WebMercatorQuad", z, x, y), Style(**options), TileFormat.NPY))
    assert found.shape[1:] == (256, 256)
    assert 1 <= np.count_nonzero(found[-1] > 0) < 60_000


def test_a_buffer_at_the_edge_of_the_world_is_drawn(raster):
    found = values(render(raster, TileAddress("WebMercatorQuad", 0, 0, 0, buffer=8), Style(), TileFormat.NPY))
    assert found.shape == (3, 272, 272)
    rows, columns = np.nonzero(found[-1])
    plain = values(render(raster, TileAddress("WebMercatorQuad", 0, 0, 0), Style(), TileFormat.NPY))
    assert {(r - 8, c - 8) for r, c in zip(rows, columns, strict=True)} == set(
        zip(*np.nonzero(plain[-1]), strict=True)
    )


def test_a_tile_without_data_is_empty_in_every_format(raster):
    address = TileAddress("WebMercatorQuad", 8, 0, 0, buffer=2)
    for format in (*TileFormat, None):
        found = render(raster, address, Style(expression="b1;b2"), format)
        assert found.way == "empty"
        assert len(found.body) > 0
    assert values(render(raster, address, Style(), TileFormat.NPY)).shape == (3, 260, 260)


@pytest.mark.parametrize("size", [(None, 64, 48), (300, None, None), (None, 90, None), (None, None, 70)])
def test_a_part_of_a_large_ground_is_drawn(raster, size):
    bounds = (-50.0, 10.0, 70.0, 66.0)
    found = values(part(raster, bounds, (None, None), Style(), size, TileFormat.NPY))
    expected = {
        (None, 64, 48): (48, 64),
        (300, None, None): (140, 300),
        (None, 90, None): (42, 90),
        (None, None, 70): (70, 150),
    }
    assert found.shape[1:] == expected[size]
    assert np.count_nonzero(found[-1] > 0) >= 1


def test_transparency_is_spread_too():
    from rio_tiler.models import ImageData

    canvas = Canvas((0, 0, 4, 4), MERCATOR, 4, 4)
    inner = ImageData(np.ma.MaskedArray(np.full((1, 2, 2), 7, np.uint8)), alpha_mask=np.full((2, 2), 128, np.uint8))
    found = spread(inner, (1, 3, 1, 3), canvas, 1)
    assert found.alpha_mask[1:3, 1:3].tolist() == [[128, 128], [128, 128]]
    assert found.alpha_mask.sum() == 4 * 128
    assert found.array.mask.sum() == 12
