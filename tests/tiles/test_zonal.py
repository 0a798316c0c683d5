"""Statistics under polygons: what exactextract has on the raster's own grid, and what else may be asked for."""

import math

import numpy as np
import pytest
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import Transformer
from shapely.geometry import mapping

from gateway.cog.parts import PartTooLarge
from gateway.colour.model import Style
from gateway.errors import BadParameter, CannotBeDrawn
from gateway.tiles import zonal, zones
from gateway.tiles.zonal import zonal_statistics
from tests.tiles.rasters import MERCATOR, UTM, handle_of, landscape, utm, write

OPTIONS = {"categorical": False, "categories": None, "percentiles": [2, 98], "hist_options": {"bins": 10}}
NO_SIZE, OWN, PLAIN = (None, None, None), (UTM, None), (None, None)
ROWS, COLS = 300, 400
NAMES = {
    "count": "count",
    "mean": "mean",
    "sum": "sum",
    "std": "stdev",
    "min": "min",
    "max": "max",
    "unique": "variety",
}
# In pixels: a star with a hole, one thinner than a pixel, two parts, one beyond the raster.
SHAPES = (
    shapely.Polygon([(50.3, 40.2), (250.7, 60), (200, 240.1), (120, 170), (60, 260.6)]).difference(
        shapely.Point(140, 120).buffer(22.2)
    ),
    shapely.Polygon([(100.2, 20.1), (310.4, 222.7), (310.41, 222.8)]),
    shapely.MultiPolygon([shapely.box(3.5, 3.5, 20.2, 30), shapely.box(300.1, 200.2, 360.7, 290.9)]),
    shapely.Polygon([(350, 250), (900, 200), (500, 900), (-70, 280)]),
)


def placed(shape, transform):
    """Return a shape in pixels as one in the raster's CRS."""
    return shapely.transform(shape, lambda places: np.column_stack(transform * (places[:, 0], places[:, 1])))


def ours(handle, shape, systems=OWN, *, style=Style(), size=NO_SIZE, options=OPTIONS, most=1 << 28):  # noqa: B008 - frozen
    (found,) = zonal_statistics(handle, [mapping(shape)], systems, (style, size), most, options)
    return found


def exact(values, shape):
    """Return what exactextract has of values, (rows, cols) with NaN where there is none, under a shape in pixels."""
    turned = shapely.transform(shape, lambda places: [0, len(values)] + places * [1, -1])
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(turned)}
    return exact_extract(NumPyRasterSource(values), [feature], list(NAMES.values()))[0]["properties"]


def holes(dtype, nodata):
    pixels = landscape(1, ROWS, COLS, dtype)
    pixels[:, 100:150, 100:230] = nodata
    return pixels


def seen():
    mask = np.full((ROWS, COLS), 255, np.uint8)
    mask[100:150, 100:230] = 0
    return mask


KINDS = {
    "nodata": (holes("int16", -9), utm(), {"nodata": -9}),
    "NaN, turned": (holes("float32", np.nan), utm() * Affine.rotation(20), {}),
    "mask, south up": (
        landscape(1, ROWS, COLS, "uint16"),
        Affine(30, 0, 500_000, 0, 30, 5_290_000),
        {"mask": seen()},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_pixel_counts_by_the_part_that_is_covered(kind, tmp_path, monkeypatch):
    pixels, transform, told = KINDS[kind]
    # Windows of which some are whole, some empty.
    monkeypatch.setattr(zones, "SIDES", (64,))
    values = pixels[0].astype(float)
    values[100:150, 100:230] = np.nan
    with handle_of(write(tmp_path / "a.tif", pixels, transform, **told)) as handle:
        for shape in SHAPES:
            found, expected = ours(handle, placed(shape, transform))["b1"], exact(values, shape)
            for name, its in NAMES.items():
                assert found[name] == pytest.approx(expected[its], rel=1e-6), name


def test_degrees_are_followed_into_the_grid_of_the_raster(tmp_path):
    pixels = landscape(1, ROWS, COLS)
    back, there = (Transformer.from_crs(*ends, always_xy=True) for ends in ((UTM, 4326), (4326, UTM)))
    shape = shapely.transform(placed(SHAPES[0], utm()), lambda places: np.column_stack(back.transform(*places.T)))
    curved = shapely.transform(
        shapely.segmentize(shape, 1e-4), lambda p: np.column_stack(~utm() * there.transform(*p.T))
    )
    expected = exact(pixels[0].astype(float), curved)
    with handle_of(write(tmp_path / "a.tif", pixels, utm())) as handle:
        found = ours(handle, shape, PLAIN)["b1"]
        assert found["count"] == pytest.approx(expected["count"], rel=1e-6)
        assert found["mean"] == pytest.approx(expected["mean"], rel=1e-6)
        # Pixels of another CRS are other ones; those of the raster's own named so are not.
        assert ours(handle, shape, (None, UTM))["b1"] == found
        mercator = ours(handle, shape, (None, MERCATOR))["b1"]
        assert mercator["mean"] == pytest.approx(found["mean"], rel=0.01)
        assert mercator["mean"] != found["mean"]


def test_a_raster_over_the_antimeridian_is_met_from_both_sides(tmp_path):
    pixels = landscape(1, 60, 80)
    halves = shapely.MultiPolygon([shapely.box(179.5, -2, 180, -1), shapely.box(-180, -2, -179.7, -1)])
    beyond = shapely.box(179.5, -2, 180.3, -1)
    with handle_of(write(tmp_path / "a.tif", pixels, Affine(0.05, 0, 178, 0, -0.05, 0), "EPSG:4326")) as handle:
        first, second = (ours(handle, shape, PLAIN)["b1"] for shape in (halves, beyond))
    assert first["count"] == pytest.approx(16 * 20)
    assert first["mean"] == pytest.approx(second["mean"]) == pytest.approx(pixels[0, 20:40, 30:46].mean())


def test_the_world_has_all_pixels_and_the_other_side_none(tmp_path):
    pixels = landscape(2, 60, 80)
    with handle_of(write(tmp_path / "a.tif", pixels, utm())) as handle:
        found = ours(handle, shapely.box(-180, -90, 180, 90), PLAIN)
        assert [found[name]["mean"] for name in ("b1", "b2")] == pytest.approx([band.mean() for band in pixels])
        assert (found["b1"]["count"], found["b1"]["valid_percent"]) == (60 * 80, 100)
        # What is left of the one beyond the raster is a line, which has no ground in another CRS.
        for systems in (PLAIN, (None, MERCATOR)):
            far = ours(handle, shapely.box(-80, 10, -79, 11), systems)["b1"]
            assert (far["count"], far["mean"], far["valid_percent"]) == (0, None, 0)


def test_values_are_raw_unless_they_are_scaled_and_may_be_worked_out(tmp_path):
    pixels, shape = landscape(2, 60, 80), placed(shapely.box(10, 10, 50, 40), utm())
    here = pixels[:, 10:40, 10:50].astype(float)
    with handle_of(write(tmp_path / "a.tif", pixels, utm(), scales=(0.5, 1), offsets=(7, 0))) as handle:
        assert ours(handle, shape)["b1"]["mean"] == pytest.approx(here[0].mean())
        assert ours(handle, shape, style=Style(unscale=True))["b1"]["mean"] == pytest.approx(here[0].mean() / 2 + 7)
        assert list(ours(handle, shape, style=Style(bidx=(2,)))) == ["b2"]
        found = ours(handle, shape, style=Style(expression="b1/b2;b1*2"))
        assert (found["b1"]["mean"], found["b1"]["description"]) == (
            pytest.approx((here[0] / here[1]).mean()),
            "b1/b2",
        )
        masked = ours(handle, shape, style=Style(nodata=float(here[0, 0, 0])))["b1"]
        assert masked["valid_pixels"] == np.count_nonzero(here[0] != here[0, 0, 0])


def test_max_size_reduces_the_pixels_of_the_window(tmp_path):
    pixels, shape = landscape(1, ROWS, COLS), placed(shapely.box(100, 50, 300, 250), utm())
    with handle_of(write(tmp_path / "a.tif", pixels, utm())) as handle:
        found = ours(handle, shape, size=(50, None, None), style=Style(resampling="average"))["b1"]
    assert (found["count"], found["masked_pixels"]) == (2500, 0)
    assert found["mean"] == pytest.approx(pixels[0, 50:250, 100:300].mean(), rel=0.01)


def test_more_than_the_limit_is_told_with_the_limit_and_never_reduced(tmp_path):
    shape = placed(shapely.box(0, 0, COLS, ROWS), utm())
    with handle_of(write(tmp_path / "a.tif", landscape(2, ROWS, COLS, "uint16"), utm())) as handle:
        needed = ROWS * COLS * 4
        ours(handle, shape, most=needed)
        with pytest.raises(PartTooLarge) as told:
            ours(handle, shape, most=needed - 1)
        assert told.value.members == {"asked_bytes": needed, "limit_bytes": needed - 1}
        ours(handle, shape, style=Style(bidx=(1,)), most=needed // 2)
        with pytest.raises(PartTooLarge):
            zonal_statistics(handle, [mapping(shape)] * 2, OWN, (Style(), NO_SIZE), needed, OPTIONS)
        with pytest.raises(PartTooLarge):
            ours(handle, shape, style=Style(expression="b1;b2"), most=needed)


def test_what_has_no_statistics_is_refused_before_it_is_read(tmp_path, monkeypatch):
    shape = placed(shapely.box(1, 1, 5, 5), utm())
    with handle_of(write(tmp_path / "a.tif", landscape(2, 60, 80), utm())) as handle:
        for style, told in ((Style(algorithm="hillshade"), "algorithm"), (Style(bidx=(9,)), "bidx")):
            with pytest.raises(BadParameter, match=told):
                ours(handle, shape, style=style)
        monkeypatch.setattr(zonal, "MOST_NUMBERS", 100)
        ours(handle, shape)
        with pytest.raises(BadParameter, match="would have 144 numbers"):
            ours(handle, shape, options={**OPTIONS, "hist_options": {"bins": 28}})
    with handle_of(write(tmp_path / "b.tif", landscape(1, 60, 80).astype("complex64"), utm())) as handle:
        with pytest.raises(CannotBeDrawn):
            ours(handle, shape)
        assert not math.isnan(ours(handle, shape, style=Style(expression="real(b1)"))["b1"]["mean"])
