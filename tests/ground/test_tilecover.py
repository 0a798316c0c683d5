"""Boxes as tiles of Web Mercator: where they lie, how many tiles they take, and how deep they lie."""

import pytest

from gateway.ground import tilecover
from gateway.ground.address import TileAddress
from gateway.ground.mercator import tile_box
from gateway.ground.tilecover import Depth, TileCover, TileRange


def box(z, x, y):
    return tile_box(TileAddress("WebMercatorQuad", z, x, y), 0)


def test_the_box_of_a_tile_is_that_tile_alone_at_its_level_and_below():
    for place in ((7, 67, 44), (18, 137_000, 90_000), (1, 0, 0), (2, 3, 3)):
        cover = TileCover([box(*place)])
        z, x, y = place
        assert cover.range(z) == TileRange(x, y, x + 1, y + 1)
        assert cover.depth(z) == Depth(1, 1)
        assert cover.depth(z + 1) == Depth(4, 1)
        assert cover.range(z - 1) == TileRange(x // 2, y // 2, x // 2 + 1, y // 2 + 1)


def test_boxes_over_one_tile_are_counted():
    cover = TileCover([box(5, 3, 3), box(5, 3, 3), box(4, 1, 1), box(5, 9, 9)])
    assert cover.depth(5) == Depth(5, 3)
    assert cover.depth(0) == Depth(1, 4)
    assert cover.range(5) == TileRange(2, 2, 10, 10)


def test_a_box_over_the_antimeridian_has_two_parts_and_the_whole_world_is_one_tile():
    cover = TileCover([(170.0, -10.0, -170.0, 10.0), (-180.0, -90.0, 180.0, 90.0)])
    assert cover.depth(4) == Depth(256, 2)
    assert TileCover([(170.0, -10.0, -170.0, 10.0)]).depth(4) == Depth(4, 1)
    assert cover.range(0) == TileRange(0, 0, 1, 1)


def test_no_box_has_no_tile_and_too_many_are_not_counted(monkeypatch):
    assert TileCover([]).range(3) is None
    assert TileCover([]).depth(3) == Depth(0, 0)
    monkeypatch.setattr(tilecover, "MOST_COUNTED", 16)
    assert TileCover([box(1, 0, 0)]).depth(3) == Depth(16, 1)
    assert TileCover([box(1, 0, 0)]).depth(4) is None


@pytest.mark.parametrize(("levels", "aligned"), [(0, (5, 6, 7, 9)), (1, (4, 6, 8, 10)), (3, (0, 0, 8, 16))])
def test_a_range_is_aligned_to_the_tiles_of_a_lower_level(levels, aligned):
    assert TileRange(5, 6, 7, 9).aligned(levels) == TileRange(*aligned)
    assert TileRange(5, 6, 7, 9).side == 3
