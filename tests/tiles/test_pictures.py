"""Previews and parts: of every ground, in every CRS, and with a cost that is known before the work begins."""

import io

import numpy as np
import pytest
from affine import Affine
from rasterio.io import MemoryFile
from rio_tiler.io import Reader

from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter
from gateway.ground.grid import Frame
from gateway.tiles import facts, pictures
from gateway.tiles.pictures import fitted
from tests.tiles.extents import extent_raster, pixels_inside
from tests.tiles.rasters import engine_of, landscape, utm, write

NPY, PNG, TIF = TileFormat.NPY, TileFormat.PNG, TileFormat.TIF
SMALL = 200, None, None


def part(path, bounds, systems=(None, None), style=None, size=(None, 256, 256), format=NPY):
    with engine_of(path) as (engine, record):
        return engine.lend(
            record, lambda handle: pictures.part(handle, bounds, systems, style or Style(), size, format)
        )


def valid(tile):
    return np.load(io.BytesIO(tile.body))[-1] > 0


@pytest.mark.parametrize("bounds", [(178, 45, 182, 47), (178, 45, -178, 47), (-182, 45, -178, 47)])
def test_a_part_over_the_antimeridian_is_whole(tmp_path, bounds):
    assert valid(part(extent_raster(tmp_path / "a.tif", "172..186"), bounds)).all()
    assert valid(part(extent_raster(tmp_path / "b.tif", "world"), bounds)).all()


@pytest.mark.parametrize("style", [Style(), Style(reproject="cubic", resampling="cubic")])
def test_a_part_of_a_south_up_raster_is_that_of_its_twin(tmp_path, style):
    pixels = landscape(1, 180, 360)
    upright = write(tmp_path / "a.tif", pixels, Affine(1, 0, -180, 0, -1, 90), "EPSG:4326")
    turned = write(tmp_path / "b.tif", pixels[:, ::-1], Affine(1, 0, -180, 0, 1, -90), "EPSG:4326")
    found = [np.load(io.BytesIO(part(path, (0, 0, 20, 20), style=style).body)) for path in (upright, turned)]
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1
    with engine_of(upright) as (one, first), engine_of(turned) as (other, second):
        previews = [
            engine.lend(record, lambda h: pictures.preview(h, Style(), (90, None, None), NPY)).body
            for engine, record in ((one, first), (other, second))
        ]
        assert np.load(io.BytesIO(previews[0])).shape == np.load(io.BytesIO(previews[1])).shape


@pytest.mark.parametrize(
    ("bounds", "crs"),
    [
        ((10, 47.8, 15.2, 5_300_000), None),
        ((10, 16, 91, 500_000), None),
        ((-600, 0, 10, 10), None),
        ((0, 0, 10, 91), "EPSG:4258"),
        ((5, 10, 5, 20), None),
        ((10, 10, 5, 20), "EPSG:3857"),
        ((-1e12, -1e12, 1e12, 1e12), "EPSG:32633"),
    ],
)
@pytest.mark.parametrize("style", [Style(), Style(expression="b1"), Style(resampling="mode")])
def test_bounds_that_are_no_ground_are_refused_before_any_work(tmp_path, bounds, crs, style):
    path = write(tmp_path / "a.tif", landscape(1, 64, 64), utm())
    with pytest.raises(BadParameter, match=r"bounds|degrees"):
        part(path, bounds, (crs, None), style)


def test_more_pixels_than_one_picture_may_need_are_refused_with_the_limit(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tif", landscape(1, 600, 600), utm(), overviews="NONE")
    bounds = (14.9, 47.5, 15.3, 47.9)
    monkeypatch.setattr("gateway.tiles.warp.MAX_SOURCE_VALUES", 100_000)
    with pytest.raises(BadParameter, match="100000"):
        part(path, bounds)
    monkeypatch.undo()
    monkeypatch.setattr("gateway.tiles.resampled.MAX_WARPED_VALUES", 100_000)
    with pytest.raises(BadParameter, match=r"resampling, reproject: .* 100000"):
        part(path, bounds, style=Style(reproject="cubic"))


def test_a_raster_without_overviews_is_thinned_out(tmp_path, monkeypatch):
    path = write(tmp_path / "a.tif", landscape(1, 600, 600), utm(), overviews="NONE")
    whole = part(path, (14.9, 47.5, 15.3, 47.9))
    monkeypatch.setattr("gateway.tiles.warp.MAX_PIXELS", 40_000)
    thinned = part(path, (14.9, 47.5, 15.3, 47.9))
    assert (valid(whole) == valid(thinned)).mean() > 0.995
    first, second = (np.load(io.BytesIO(tile.body))[0][valid(thinned) & valid(whole)] for tile in (whole, thinned))
    assert np.abs(first.astype(int) - second).mean() < 0.2 * np.ptp(first)


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
@pytest.mark.parametrize("name", ["world", "world, 0..360", "172..186", "polar", "Web Mercator, all round"])
def test_what_goes_round_the_globe_is_drawn_whole_in_dst_crs(tmp_path, name, crs):
    with engine_of(extent_raster(tmp_path / "a.tif", name)) as (engine, record):
        drawn = engine.lend(record, lambda h: pictures.preview(h, Style(), SMALL, TIF, crs)).body
    with MemoryFile(drawn) as memory, memory.open() as tif:
        frame = Frame(tif.crs.to_wkt(), *tif.bounds, tif.width, tif.height)
        held = tif.read(2) > 0
    expected = pixels_inside(name, frame)
    assert expected.mean() > 0.75
    assert (held != expected).sum() <= 8


def test_a_rotated_raster_is_resampled_where_it_lies_in_its_own_crs_too(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 300, 400), utm() * Affine.rotation(20))
    bounds, own = (504_000, 5_294_000, 507_000, 5_297_000), ("EPSG:32633", None)
    nearest, cubic = (
        np.load(io.BytesIO(part(path, bounds, own, Style(resampling=kernel), (None, 200, 200)).body))[0].astype(int)
        for kernel in ("nearest", "cubic")
    )
    assert np.abs(nearest - cubic).mean() < 5
    assert (nearest != cubic).any()


@pytest.mark.parametrize("west", [-180, -180.25, 0])
@pytest.mark.parametrize("size", [(200, 100), (40, 20)])
def test_a_raster_in_degrees_is_resampled_and_not_warped(tmp_path, west, size):
    path = write(tmp_path / "a.tif", landscape(1, 360, 720), Affine(0.5, 0, west, 0, -0.5, 90), "EPSG:4326")
    bounds, told = (10, 20, 70, 50), {"resampling_method": "bilinear", "reproject_method": "cubic"}
    with Reader(str(path)) as reader:
        theirs = reader.part(bounds, width=size[0], height=size[1], **told).array[0].data
    style = Style(resampling="bilinear", reproject="cubic")
    with engine_of(path) as (engine, record):
        drawn = engine.lend(record, lambda h: pictures.part(h, bounds, (None, None), style, (None, *size), NPY))
    assert np.abs(np.load(io.BytesIO(drawn.body))[0].astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("crs", ["EPSG:3857", "EPSG:4326"])
def test_previews_and_statistics_are_drawn_in_dst_crs(tmp_path, crs):
    path = write(tmp_path / "a.tif", landscape(1, 300, 400), utm())
    with engine_of(path) as (engine, record):
        own, other = (
            np.load(io.BytesIO(engine.lend(record, lambda h, c=c: pictures.preview(h, Style(), SMALL, NPY, c)).body))
            for c in (None, crs)
        )
        told = engine.lend(record, lambda h: facts.statistics(h, Style(), (200, None, None), crs))
        with pytest.raises(BadParameter, match="dst_crs"):
            engine.lend(record, lambda h: pictures.preview(h, Style(), (64, None, None), NPY, "EPSG:999999"))
    assert own.shape == (2, 150, 200)
    assert max(other.shape[1:]) == 200
    assert other.shape != own.shape
    assert told["b1"]["valid_percent"] == pytest.approx(float((other[-1] > 0).mean()) * 100, abs=0.5)


@pytest.mark.parametrize(
    ("own", "size", "expected"),
    [
        ((120, 56), (300, None, None), (120, 56)),
        ((1200, 560), (300, None, None), (300, 140)),
        ((560, 1200), (300, None, None), (140, 300)),
        ((120, 56), (None, 90, None), (90, 42)),
        ((120, 56), (None, None, 70), (150, 70)),
        ((120, 56), (None, 10, 20), (10, 20)),
    ],
)
def test_the_size_of_a_picture_is_that_of_rio_tiler(own, size, expected):
    assert fitted(own, size) == expected
