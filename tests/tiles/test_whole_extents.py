"""Tiles of whole extents hold the pixels that the exact inverse transform says, in every grid and over every seam."""

import morecantile
import numpy as np
import pytest

from gateway.tiles.grid import Grids
from gateway.tiles.model import Style, TileAddress, TileFormat
from gateway.tiles.warp import Request, draw
from tests.tiles.extents import EXTENTS, extent_raster, pixels_inside
from tests.tiles.rasters import engine_of, handle_of

GRIDS = Grids()


def held(drawn, frame):
    if drawn is None:
        return np.zeros(frame.shape, bool)
    return np.ones(frame.shape, bool) if drawn.mask is None else drawn.mask > 0


def tiles_of(tms, zoom, most=8):
    matrix = morecantile.tms.get(tms).matrix(zoom)
    columns, rows = (range(min(count, most)) for count in (matrix.matrixWidth, matrix.matrixHeight))
    return [(x, y) for x in columns for y in rows]


@pytest.mark.parametrize("name", EXTENTS)
def test_every_pixel_of_the_data_is_drawn_and_no_other(tmp_path, name):
    path = extent_raster(tmp_path / "a.tif", name)
    with handle_of(path) as handle:
        for zoom in (0, 1, 3):
            for x, y in tiles_of("WebMercatorQuad", zoom):
                frame = GRIDS.frame(TileAddress("WebMercatorQuad", zoom, x, y))
                expected = pixels_inside(name, frame)
                found = held(draw(handle, frame, Request((1,))), frame)
                # An eighth of a source pixel beside its place.
                assert (found != expected).sum() <= 8, (zoom, x, y)


@pytest.mark.parametrize("tms", sorted(morecantile.tms.list()))
@pytest.mark.parametrize("name", ["world", "world, 0..360"])
def test_the_world_is_whole_in_every_grid(tmp_path, name, tms):
    path = extent_raster(tmp_path / "a.tif", name)
    grid = morecantile.tms.get(tms)
    with handle_of(path) as handle:
        for zoom in range(grid.minzoom, min(grid.maxzoom, 1) + 1):
            for x, y in tiles_of(tms, zoom, 4):
                frame = GRIDS.frame(TileAddress(tms, zoom, x, y))
                expected = pixels_inside(name, frame)
                assert (held(draw(handle, frame, Request((1,))), frame) != expected).sum() <= 4, (zoom, x, y)


@pytest.mark.parametrize(
    "style", [Style(reproject="cubic", resampling="cubic"), Style(expression="b1*2"), Style(resampling="average")]
)
@pytest.mark.parametrize(
    "name", ["LAEA Europe", "world, 0..360", "172..186", "geostationary sector", "UTM over the antimeridian"]
)
def test_other_resamplings_and_expressions_reach_as_far(tmp_path, name, style):
    path = extent_raster(tmp_path / "a.tif", name)
    with engine_of(path) as (engine, record):
        for zoom in (0, 2):
            for x, y in tiles_of("WebMercatorQuad", zoom):
                address = TileAddress("WebMercatorQuad", zoom, x, y)
                expected = pixels_inside(name, GRIDS.frame(address))
                if not expected.any():
                    continue
                tile = engine.tile(record, address, style, TileFormat.NPY)
                found = values(tile)[-1] > 0
                assert found.sum() >= 0.97 * expected.sum() - 12, (zoom, x, y)
                assert not (found & ~expected).sum() > 8, (zoom, x, y)


def values(tile):
    import io

    return np.load(io.BytesIO(tile.body))
