"""Tile matrix sets: bounds as morecantile has them, nothing outside, and blocks that are tiles."""

import random

import morecantile
import pytest
from affine import Affine

from gateway.errors import NotFound, TileOutsideGrid
from gateway.ground.address import TileAddress
from gateway.ground.grid import Grids, block_of
from tests.tiles.rasters import mercator_tile


@pytest.mark.parametrize("name", morecantile.tms.list())
def test_bounds_are_those_of_morecantile(name):
    grid, grids, choice = morecantile.tms.get(name), Grids(), random.Random(1)
    for zoom in range(grid.minzoom, min(grid.maxzoom, 14) + 1, 3):
        matrix = grid.matrix(zoom)
        for _ in range(5):
            x, y = choice.randrange(matrix.matrixWidth), choice.randrange(matrix.matrixHeight)
            frame = grids.frame(TileAddress(name, zoom, x, y))
            expected = grid.xy_bounds(morecantile.Tile(x, y, zoom))
            assert (frame.left, frame.bottom, frame.right, frame.top) == pytest.approx(
                tuple(expected), rel=1e-12, abs=1e-6
            )


@pytest.mark.parametrize("place", [(0, 0, 1), (0, 1, 0), (3, -1, 0), (3, 0, 8), (25, 0, 0), (-1, 0, 0)])
def test_no_tile_is_outside_of_the_grid(place):
    with pytest.raises(TileOutsideGrid):
        Grids().frame(TileAddress("WebMercatorQuad", *place))


def test_a_grid_that_nobody_knows_is_not_found():
    with pytest.raises(NotFound):
        Grids().frame(TileAddress("Square", 0, 0, 0))


def test_scale_makes_more_pixels_of_the_same_ground():
    one, two = (Grids().frame(TileAddress("WebMercatorQuad", 3, 1, 1, 256, scale)) for scale in (1, 2))
    assert (one.left, one.top, two.size) == (two.left, two.top, 512)
    assert two.pixel == pytest.approx((one.pixel[0] / 2, one.pixel[1] / 2))


FRAME = Grids().frame(TileAddress("WebMercatorQuad", 10, 552, 355))


def test_a_block_on_the_grid_is_found():
    assert block_of(FRAME, mercator_tile(10, 550, 352, 10), 256) == (2, 3)


@pytest.mark.parametrize(
    ("transform", "block"),
    [
        (mercator_tile(10, 550, 352, 10), 512),
        (mercator_tile(10, 550, 352, 11), 256),
        (mercator_tile(10, 553, 352, 10), 256),
        (mercator_tile(10, 550, 352, 10) * Affine.translation(0.1, 0), 256),
        (mercator_tile(10, 550, 352, 10) * Affine.translation(0, 0.1), 256),
        (mercator_tile(10, 550, 352, 10) * Affine.rotation(1), 256),
        (mercator_tile(10, 550, 352, 10) * Affine.scale(1, -1), 256),
        (mercator_tile(10, 550, 352, 10) * Affine.scale(1.0001, 1), 256),
    ],
    ids=["size", "zoom", "left of it", "beside", "above", "turned", "upside down", "resolution"],
)
def test_a_block_that_is_no_tile_is_none(transform, block):
    assert block_of(FRAME, transform, block) is None
