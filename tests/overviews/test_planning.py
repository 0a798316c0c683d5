"""What an overview will be: its zoom level, and which datasets lie under which of its tiles."""

from dataclasses import replace

import pytest

from gateway.ground.tilecover import TileCover
from gateway.model import RasterFacts, Report, Scale
from gateway.overviews import members
from gateway.overviews.members import MembersUnder
from gateway.overviews.planning import USUAL_EMPTY, fitting_zoom, zoom_of
from gateway.records import open_records
from gateway.tiles.overviews import grid_of
from tests.records.conftest import RASTER, dataset, register


def facts(*bounds, width=256, **changes):
    return replace(RASTER, bounds=bounds, width=width, **changes)


def test_a_raster_is_as_fine_as_the_zoom_level_whose_pixels_are_no_larger():
    assert zoom_of(facts(0, 0, 360 / 2**5, 1)) == 5
    assert zoom_of(facts(0, 0, 360 / 2**5, 1, width=257)) == 5
    assert zoom_of(facts(0, 0, 360 / 2**5, 1, width=300)) == 6
    # Over the antimeridian, around the globe, finer than any zoom level, nowhere.
    assert zoom_of(facts(179, 0, 179 - 360 + 360 / 2**4, 1)) == 4
    assert zoom_of(facts(-180, -90, 180, 90, width=512)) == 1
    assert zoom_of(facts(0, 0, 1e-9, 1)) == 24
    assert zoom_of(replace(RASTER, bounds=None)) == 0


def stack(number, degrees=1.0):
    """Return the cover of so many boxes side by side from west to east, of so many degrees each."""
    return TileCover([(each * degrees, 0.1, (each + 1) * degrees, 1.0) for each in range(number)])


def test_the_zoom_level_is_the_greatest_at_which_a_tile_lies_over_many_datasets():
    # 11 of one degree lie over a tile of 11.25 degrees, and six over one of half of that.
    assert fitting_zoom(stack(90), 14, 10_000) == 5
    assert fitting_zoom(stack(90), 3, 10_000) == 3
    assert fitting_zoom(stack(90), 14, 2) == 3
    # Of few datasets that at which they are one view.
    assert fitting_zoom(stack(2), 14, 10_000) == 8
    # One over the other, at every zoom level.
    assert fitting_zoom(TileCover([(0.1, 0.1, 0.2, 0.2)] * 20), 12, 10_000) == 12


def test_datasets_far_from_each_other_leave_no_more_blocks_empty_than_an_index_is_quickly_made_of():
    # Ten in one place and one on the other half of the globe; some on both sides of the antimeridian.
    far = TileCover([(11.5, 48.1, 11.51, 48.11)] * 10 + [(151.2, -33.9, 151.21, -33.89)])
    across = TileCover([(179.9, -17.0, -179.9, -16.5)] * 10)
    for cover in (far, across):
        zoom = fitting_zoom(cover, 17, 10_000)
        blocks = grid_of(cover.range(zoom), zoom).blocks
        assert blocks <= USUAL_EMPTY + cover.depth(zoom).tiles < 4 * blocks
    # Those in one place may have pixels as fine as their own.
    assert fitting_zoom(TileCover([(11.5, 48.1, 11.51, 48.11)] * 10), 17, 10_000) == 17


@pytest.fixture
def records(tmp_path):
    opened = open_records(tmp_path / "gateway.db")
    yield opened
    opened.close()


def test_datasets_come_in_the_order_of_the_layer_under_the_tiles_that_they_lie_under(records, monkeypatch):
    boxes = {1: (10.0, 47.0, 10.5, 47.5), 2: (10.4, 47.0, 11.5, 47.5), 3: (170.0, 0.0, -170.0, 1.0), 4: None}
    for number, box in boxes.items():
        raster = RasterFacts(64, 64, 1, "uint8", None, "EPSG:4326", box)
        hidden = {"visibility": Scale.PRIVATE, "download": Scale.PRIVATE}
        register(records, dataset(number, raster=raster, report=Report("blocks"), **hidden))
    register(records, dataset(5, raster=replace(RASTER, bounds=boxes[1], dtype="complex64")))
    register(records, dataset(6, raster=replace(RASTER, bounds=boxes[1]), collection="others"))

    def told(zoom):
        found = MembersUnder(records, "sheets").tiles(zoom)
        return {(at.x, at.y): [int(each.id[-2:]) for each in under] for at, under in found}

    whole = told(7)
    assert whole[67, 44] == [2, 1]
    assert {x for x, _ in whole} == {67, 68, *range(124, 128), *range(4)} - {68} | {x for x, y in whole if y == 44}
    assert all(under == [3] for (x, _), under in whole.items() if x not in (67, 68))
    assert told(0) == {(0, 0): [3, 2, 1]}
    # So many are not held at once: they are read tile by tile, to the same.
    monkeypatch.setattr(members, "PAGE", 1)
    assert told(7) == whole
    assert told(0) == {(0, 0): [3, 2, 1]}
