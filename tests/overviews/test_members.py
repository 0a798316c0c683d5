"""Which datasets lie under which tiles, on the way from the tile of the whole world to those of one level."""

from dataclasses import replace

import pytest

from gateway.ground.address import TileAddress
from gateway.ground.mercator import EDGE_PIXELS, tile_box
from gateway.model import Scale
from gateway.overviews import members
from gateway.overviews.members import MembersUnder
from gateway.records import open_records
from tests.records.conftest import RASTER, dataset, register

ZOOM = 6
# Beside the edges of tiles of far zooms: nearer to them than a pixel of these is wide. And across the antimeridian.
BESIDE = [(0.05, 10, 0.2, 10.1), (-0.2, 10, -0.05, 10.1), (50, 0.02, 50.1, 0.2), (90.02, -5, 90.1, -4.9),
          (179.85, 30, -179.9, 30.1), (11.3, 66.55, 11.4, 66.6)]  # fmt: skip


@pytest.mark.parametrize("page", [2, 1000], ids=["by searches", "by those that are known"])
def test_no_dataset_is_lost_beside_the_edge_of_a_farther_tile(tmp_path, monkeypatch, page):
    monkeypatch.setattr(members, "PAGE", page)
    records = open_records(tmp_path / "gateway.db")
    for number, bounds in enumerate(BESIDE, 1):
        raster = replace(RASTER, bounds=bounds)
        register(records, dataset(number, raster=raster, collection="scenes", visibility=Scale.PUBLIC))
    found = {(at.x, at.y): {each.id for each in under} for at, under in MembersUnder(records, "scenes").tiles(ZOOM)}
    wanted: dict[tuple[int, int], set[str]] = {}
    for x in range(1 << ZOOM):
        for y in range(1 << ZOOM):
            west, south, east, north = tile_box(TileAddress("WebMercatorQuad", ZOOM, x, y), -EDGE_PIXELS)
            for number, (left, bottom, right, top) in enumerate(BESIDE, 1):
                beside = (left > east or right < west) if left <= right else (left > east and right < west)
                if not (beside or bottom > north or top < south):
                    wanted.setdefault((x, y), set()).add(dataset(number).id)
    assert found == wanted
    records.close()
