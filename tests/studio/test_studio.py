"""What every studio does, in this process or in another: tasks in, pictures, facts and the work's own errors out."""

import os

import pytest

from gateway.cog import inspect
from gateway.cog.summary import with_summary
from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter, CannotBeDrawn, GatewayError, NotFound, VersionChanged
from gateway.files import open_file
from gateway.ground.address import TileAddress
from gateway.studio import tasks
from gateway.tiles.model import Layer
from tests.studio.conftest import source
from tests.tiles.rasters import MERCATOR, engine_of, landscape, mercator_tile, utm, write
from tests.tiles.test_engine import address_over

PNG, JPEG = TileFormat.PNG, TileFormat.JPEG
ON_GRID = TileAddress("WebMercatorQuad", 10, 137 * 4, 88 * 4)


@pytest.fixture
def hills(tmp_path):
    return write(tmp_path / "hills.tif", landscape(3, 700, 900), utm())


def on_grid(folder):
    pixels = landscape(3, 1024, 1024)
    return write(folder / "grid.tif", pixels, mercator_tile(8, 137, 88, 10), MERCATOR, blocksize=256, compress="JPEG")


def damaged(folder):
    """Write a raster of which each block but the first is zeros where data should be."""
    path = write(folder / "damaged.tif", landscape(1, 700, 900), utm(), blocksize=256, overviews="NONE")
    body = bytearray(path.read_bytes())
    body[len(body) // 2 :] = bytes(len(body) - len(body) // 2)
    path.write_bytes(body)
    return path


def test_a_tile_is_that_of_the_engine(bench, hills):
    address = address_over(hills)
    with engine_of(hills) as (engine, record):
        for format in (None, *TileFormat):
            expected = engine.tile(record, address, Style(), format)
            assert bench.do(lambda s, f=format: tasks.tile(s, address, Style(), f), hills) == expected


def test_facts_and_pictures(bench, hills):
    size = (64, None, None)
    assert bench.do(tasks.info, hills)["width"] == 900
    assert bench.do(lambda s: tasks.preview(s, Style(), size, PNG), hills).body.startswith(b"\x89PNG")
    bounds = (14.9, 47.6, 15.3, 47.8)
    part = bench.do(lambda s: tasks.part(s, (bounds, (None, None)), Style(), size, PNG), hills)
    assert part.format is PNG
    lies = bench.do(lambda s: tasks.on_map(s, "WebMercatorQuad"), hills)
    assert lies.minzoom < lies.maxzoom
    found = bench.do(lambda s: tasks.statistics(s, Style(), (128, None, None), None, {}), hills)
    assert len(found) == 3
    with pytest.raises(NotFound):
        bench.do(lambda s: tasks.point(s, (0.0, 0.0), None, Style()), hills)


def test_documents_and_legends(bench):
    assert "WebMercatorQuad" in bench.do(tasks.grids())
    assert bench.do(tasks.grid_json("WebMercatorQuad"))["id"] == "WebMercatorQuad"
    assert "viridis" in bench.do(tasks.colormaps())
    assert len(bench.do(tasks.colours("viridis"))) == 256
    assert bench.do(tasks.legend("viridis", 16, 4, vertical=False)).startswith(b"\x89PNG")
    layer = Layer("a", "A", (0, 0, 1, 1), "http://x/{TileMatrix}", "http://x?", (("default", None),))
    told = ("A", (layer,), "WebMercatorQuad", (0, 3), 256, ("http://x", ("GetCapabilities",)))
    assert "<Layer>" in bench.do(tasks.capabilities(*told))


def test_a_verdict_is_that_of_the_check(bench, hills):
    with open_file(hills) as opened:
        expected = with_summary(opened, inspect(opened))
    assert bench.do(lambda s: tasks.verdict(s, False), hills) == expected
    assert expected.report.valid
    (hills.parent / "none.tif").write_bytes(b"no raster")
    found = bench.do(lambda s: tasks.verdict(s, False), hills.parent / "none.tif")
    assert [finding.rule for finding in found.report.errors] == ["not-a-tiff"]


def test_errors_of_the_work_arrive_whole(bench, hills):
    with pytest.raises(BadParameter, match="bidx: this dataset has the bands 1 to 3") as caught:
        bench.do(lambda s: tasks.tile(s, address_over(hills), Style(bidx=(9,)), PNG), hills)
    assert caught.value.detail == "bidx: this dataset has the bands 1 to 3."
    with pytest.raises(NotFound):
        bench.do(tasks.colours("no-such-map"))


def test_another_version_than_the_task_names_is_refused(bench, hills):
    old = source(hills)
    os.utime(hills, ns=(5, 5))
    with open_file(hills) as opened, pytest.raises(VersionChanged):
        bench.studio.submit(tasks.info(old), (opened,)).result(120)
    with open_file(hills) as opened, pytest.raises(VersionChanged):
        bench.studio.submit(tasks.verdict(old, False), (opened,)).result(120)


def test_a_raster_needs_its_descriptor_and_no_path(bench, hills):
    with open_file(hills) as opened:
        known = source(hills)
        hills.unlink()
        assert bench.studio.submit(tasks.info(known), (opened,)).result(120)["count"] == 3


def test_a_damaged_dataset_spoils_none_of_its_neighbours(bench_of, tmp_path, hills):
    broken = damaged(tmp_path)
    with bench_of(tmp_path, threads=1) as bench:
        refused = 0
        for _ in range(4):
            try:
                bench.do(lambda s: tasks.preview(s, Style(), (700, None, None), PNG), broken)
            except CannotBeDrawn:
                refused += 1
            assert bench.do(tasks.info, hills)["count"] == 3
        assert refused == 4


def test_many_tasks_over_few_datasets_leave_no_descriptor_open(bench_of, tmp_path, hills):
    before = len(os.listdir("/proc/self/fd"))
    with bench_of(tmp_path, queue_limit=200) as bench:
        found = [
            bench.begin(lambda s, z=z: tasks.tile(s, address_over(hills, z), Style(), PNG), hills)
            for z in (9, 10, 11)
        ]
        found += [bench.begin(tasks.info, hills, id=f"d{n}") for n in range(100)]
        assert all(each.result(120) for each in found)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_picture_that_takes_long_keeps_no_tile_of_its_dataset_waiting(tmp_path, hills):
    with engine_of(hills) as (engine, record):
        expected = engine.tile(record, address_over(hills), Style(), PNG)
        found = engine.lend(
            record, lambda _: engine.lend(record, lambda __: engine.tile(record, address_over(hills), Style(), PNG))
        )
    assert found == expected


def test_stored_blocks_are_found_out_once_and_named_by_zoom(bench, tmp_path, hills):
    found = bench.do(lambda s: tasks.stored(s, "WebMercatorQuad"), on_grid(tmp_path))
    assert (found.format, found.side, sorted(found.zooms)) == (JPEG, 256, [8, 9, 10])
    with open_file(tmp_path / "grid.tif") as opened:
        assert found.tile(opened.read_at, ON_GRID) == bench.do(
            lambda s: tasks.tile(s, ON_GRID, Style(), JPEG), tmp_path / "grid.tif"
        )
    assert bench.do(lambda s: tasks.stored(s, "WebMercatorQuad"), hills) is None
    assert bench.do(lambda s: tasks.stored(s, "WorldCRS84Quad"), tmp_path / "grid.tif") is None


def test_a_root_that_is_not_configured_is_unavailable(bench, hills):
    from dataclasses import replace

    far = replace(source(hills), remote=True, root="nowhere")
    with pytest.raises(GatewayError) as caught:
        bench.studio.submit(tasks.info(far)).result(120)
    assert caught.value.status == 503
