"""Painters of files in a network: processes of their own, that read from a store by themselves."""

from pathlib import Path

import pytest

from gateway.colour.model import Style, TileFormat
from gateway.storage import open_storage
from gateway.studio import Source, forks, tasks
from tests.s3 import new_bucket
from tests.studio.conftest import processes
from tests.tiles.rasters import landscape, utm, write
from tests.tiles.test_engine import address_over, engine_of

KEY = "hills.tif"


@pytest.fixture(autouse=True)
def patient_painters(monkeypatch):
    monkeypatch.setattr(forks, "PROGRAM", "tests.studio.patient")


@pytest.fixture(scope="module")
def hills(tmp_path_factory):
    return write(tmp_path_factory.mktemp("far") / KEY, landscape(3, 700, 900), utm())


@pytest.fixture
def far(store, hills):
    """The settings of a root that has the raster, and its version there as a source."""
    bucket = new_bucket(store)
    store.client.upload_file(str(hills), bucket, KEY)
    root = store.root(bucket)
    with open_storage("far", root).open(KEY) as opened:
        return {"far": root}, Source("far", opened.stat.version, "far", KEY, True)


def test_a_painter_draws_tells_and_judges_what_lies_in_a_store(tmp_path, far, hills):
    roots, source = far
    with engine_of(hills) as (engine, record):
        address = address_over(hills)
        expected = engine.tile(record, address, Style(), TileFormat.PNG)
    with processes(tmp_path, far=roots) as bench:

        def do(task):
            return bench.studio.submit(task).result(120)

        assert do(tasks.tile(source, address, Style(), TileFormat.PNG)) == expected
        assert do(tasks.info(source))["width"] == 900
        assert len(do(tasks.statistics(source, Style(), (128, None, None), None, {}))) == 3
        verdict = do(tasks.verdict(source, False))
        assert (verdict.report.valid, verdict.report.depth, verdict.raster.count) == (True, "header", 3)
        pids = [child.pid for place in bench.studio._places for child in place.children]
        assert len(pids) == 2
        assert all("Seccomp:\t2" in Path(f"/proc/{pid}/status").read_text() for pid in pids)
        assert bench.studio.load().deaths == 0
