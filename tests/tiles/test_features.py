"""Pictures and values under a polygon: beside rio-tiler's `feature`, which reads the bounds and masks the rest."""

import io

import numpy as np
import pytest
import shapely
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rio_tiler.io import Reader
from shapely.geometry import mapping

from gateway.cog.parts import PartTooLarge
from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter
from gateway.tiles.features import feature_picture
from tests.tiles.rasters import UTM, handle_of, landscape, utm, write

NO_SIZE, PLENTY = (None, None, None), 1 << 28
TRIANGLE = shapely.Polygon([(10, 5), (70, 12), (30, 55)])
SHAPE = shapely.transform(TRIANGLE, lambda places: np.column_stack(utm() * (places[:, 0], places[:, 1])))


@pytest.fixture(scope="module")
def raster(tmp_path_factory):
    """Yield the path of three bands, and them."""
    pixels = landscape(3, 60, 80)
    return write(tmp_path_factory.mktemp("features") / "a.tif", pixels, utm()), pixels


def values(handle, systems=(UTM, None), style=Style(), size=NO_SIZE, most=PLENTY):  # noqa: B008 - frozen
    drawn = feature_picture(handle, mapping(SHAPE), systems, (style, size, TileFormat.NPY), most)
    return np.load(io.BytesIO(drawn.body))


def test_pixels_that_the_polygon_does_not_touch_are_masked(raster):
    path, pixels = raster
    with handle_of(path) as handle:
        found = values(handle)
    assert found.shape == (4, 50, 60)
    seen = found[3] == 255
    rows, columns = np.nonzero(seen)
    cells = shapely.box(columns + 10, rows + 5, columns + 11, rows + 6)
    assert shapely.area(shapely.intersection(cells, TRIANGLE)).min() > 0
    assert shapely.unary_union(cells).covers(TRIANGLE)
    assert np.array_equal(found[:3, seen], pixels[:, 5:55, 10:70][:, seen])


def test_rio_tiler_draws_the_same_size_and_all_but_the_same_mask(raster):
    path, _ = raster
    with handle_of(path) as handle, Reader(str(path)) as reader:
        for size, told in (
            (NO_SIZE, {}),
            ((30, None, None), {"max_size": 30}),
            ((None, 24, 20), {"width": 24, "height": 20}),
        ):
            found = values(handle, size=size)
            theirs = reader.feature(
                mapping(SHAPE), shape_crs=CRS.from_string(UTM), dst_crs=CRS.from_string(UTM), **told
            )
            assert found.shape[1:] == (theirs.height, theirs.width)
            # A pixel that a corner or a side touches alone has no part of the polygon.
            assert np.count_nonzero((found[3] > 0) != ~theirs.array.mask[0]) <= 6


def test_of_an_alpha_band_only_what_lies_under_the_polygon_is_valid(tmp_path):
    pixels = landscape(4, 60, 80)
    pixels[3] = np.where(np.arange(80) < 30, 0, 128)
    path = write(tmp_path / "a.tif", pixels, utm(), alpha=True)
    with handle_of(path) as handle, Reader(str(path)) as reader:
        found = values(handle)
        theirs = reader.feature(mapping(SHAPE), shape_crs=CRS.from_string(UTM))
    # rio-tiler's alpha is that of the file, also where its cutline masks.
    alpha = np.where(theirs.cutline_mask, 0, theirs.mask)
    assert np.count_nonzero(found[3] != alpha) <= 6
    assert set(np.unique(found[3])) == {0, 128}
    seen = found[3] > 0
    assert np.array_equal(found[:3, seen], theirs.data[:, seen])


def test_a_picture_is_transparent_round_it_and_a_geotiff_lies_there(raster):
    with handle_of(raster[0]) as handle:
        style = Style(rescale=((0, 255),))
        picture = feature_picture(handle, mapping(SHAPE), (UTM, None), (style, NO_SIZE, None), PLENTY)
        tif = feature_picture(handle, mapping(SHAPE), (UTM, "EPSG:3857"), (Style(), NO_SIZE, TileFormat.TIF), PLENTY)
    assert picture.format is TileFormat.PNG
    with MemoryFile(tif.body) as file, file.open() as found:
        assert found.crs == CRS.from_epsg(3857)
        assert 0.3 < (found.read(4) > 0).mean() < 0.7


def test_values_are_given_up_to_the_limit(raster):
    with handle_of(raster[0]) as handle:
        values(handle, most=60 * 50 * 3)
        with pytest.raises(PartTooLarge):
            values(handle, most=60 * 50 * 3 - 1)
        with pytest.raises(BadParameter, match="limit"):
            huge = mapping(shapely.box(0, 0, 9e6, 9e6))
            feature_picture(handle, huge, (UTM, None), (Style(), NO_SIZE, None), PLENTY)
