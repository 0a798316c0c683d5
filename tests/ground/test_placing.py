"""Pixels have their true size on the ground of the tiles, and zoom levels follow from it, at every seam of the map."""

import numpy as np
import pytest
from affine import Affine
from pyproj import Transformer

from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids
from gateway.ground.placing import best_level
from gateway.tiles.facts import on_map
from gateway.tiles.warp import Request, draw, placed, read_source
from tests.tiles.rasters import handle_of, landscape, write

GRIDS = Grids()
# CRS, and the latitude where a raster of 10 m pixels lies on the antimeridian.
SEAMS = {"EPSG:3832": -17, "EPSG:32760": -17, "EPSG:32601": 63, "EPSG:2193": -40, "EPSG:3571": 65}


def over_the_seam(path, crs, latitude, size=(300, 200)):
    """Write a raster of 10 m pixels whose middle lies on the antimeridian."""
    x, y = Transformer.from_crs("OGC:CRS84", crs, always_xy=True).transform(180, latitude)
    transform = Affine(10, 0, x - 5 * size[0], 0, -10, y + 5 * size[1])
    return write(path, landscape(1, *size[::-1]), transform, crs)


@pytest.mark.parametrize(("crs", "latitude"), SEAMS.items())
@pytest.mark.parametrize("tms", ["WebMercatorQuad", "WorldCRS84Quad"])
def test_pixels_over_the_antimeridian_are_as_large_as_beside_it(tmp_path, crs, latitude, tms):
    metres = 10 / np.cos(np.radians(latitude)) if tms == "WebMercatorQuad" else 10 / 111_320
    with handle_of(over_the_seam(tmp_path / "a.tif", crs, latitude)) as handle:
        found = placed(handle, GRIDS.crs(tms)).pixel
        assert all(metres / 3 < side < 3 * metres for side in found)
        assert on_map(handle, tms).maxzoom >= 12


def test_degrees_over_the_antimeridian_too(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 200, 300), Affine(1e-4, 0, 179.99, 0, -1e-4, -16), "EPSG:4326")
    with handle_of(path) as handle:
        assert placed(handle, GRIDS.crs("WebMercatorQuad")).pixel == pytest.approx((11.13, 11.6), rel=0.01)
        assert on_map(handle, "WebMercatorQuad").maxzoom == 14


@pytest.mark.parametrize("zoom", [10, 12, 15])
def test_a_tile_at_the_antimeridian_is_read_from_the_level_that_fits(tmp_path, zoom):
    path = over_the_seam(tmp_path / "a.tif", "EPSG:3832", -17, (1200, 900))
    with handle_of(path) as handle:
        x, y = Transformer.from_crs("OGC:CRS84", "EPSG:3857", always_xy=True).transform(179.999, -17)
        half = GRIDS.frame(TileAddress("WebMercatorQuad", 0, 0, 0)).right
        side = 2 * half / 2**zoom
        frame = GRIDS.frame(TileAddress("WebMercatorQuad", zoom, int((x + half) // side), int((half - y) // side)))
        level = best_level(handle.view, placed(handle, frame.crs).factors(frame), nearest=True)
        finer = frame.pixel[0] / (10 * handle.view.size[0] / handle.view.levels[level][0])
        assert finer < 2.2 or level == len(handle.view.levels) - 1
        assert finer > 0.8 or level == 0


def test_a_world_in_degrees_is_not_sized_by_its_poles(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 360, 720), Affine(0.5, 0, -180, 0, -0.5, 90), "EPSG:4326")
    with handle_of(path) as handle:
        lies = on_map(handle, "WebMercatorQuad")
        assert (lies.minzoom, lies.maxzoom) == (0, 1)


@pytest.mark.parametrize("reproject", ["nearest", "bilinear"])
def test_a_tile_where_the_ends_of_a_world_meet_is_read_in_two_narrow_windows(tmp_path, monkeypatch, reproject):
    path = write(tmp_path / "a.tif", landscape(1, 60, 9000), Affine(0.04, 0, -170, 0, -0.04, 1.2), "EPSG:4326")
    read = []

    def noted(handle, level, window, *options):
        read.append(window)
        return read_source(handle, level, window, *options)

    monkeypatch.setattr("gateway.tiles.warp.read_source", noted)
    with handle_of(path) as handle:
        frame = GRIDS.frame(TileAddress("WebMercatorQuad", 9, 14, 255))
        found = draw(handle, frame, Request((1,), None, reproject, reproject))
        columns = frame.left + (np.arange(256) + 0.5) * frame.pixel[0]
        rows = frame.top - (np.arange(256) + 0.5) * frame.pixel[1]
        at = Transformer.from_crs("EPSG:3857", "EPSG:4326", always_xy=True).transform(*np.meshgrid(columns, rows))
        column, row = (np.floor(values).astype(int) for values in handle.view.placed.pixels(*map(np.asarray, at)))
        assert column.min() == 0
        assert column.max() == 8999
        exact = handle.level(0).read(1)[row, column].astype(int)
    assert len(read) == 2
    assert sum(window.width for window in read) < 100
    assert found.mask is None or found.mask.all()
    if reproject == "nearest":
        assert (found.pixels[0] != exact).mean() < 0.01
    else:
        assert np.abs(found.pixels[0] - exact.astype(float)).mean() < 20
