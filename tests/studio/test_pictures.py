"""What lies ready leaves at once, everything else is asked of the studio; versions never mix."""

import os
from concurrent.futures import Future
from dataclasses import replace

import pytest

from gateway.colour.model import Style, TileFormat
from gateway.errors import StorageUnavailable, Unavailable, VersionChanged
from gateway.ground.address import TileAddress
from gateway.studio import tasks
from gateway.studio.pictures import Pictures
from tests.studio.conftest import local
from tests.studio.test_studio import ON_GRID, on_grid
from tests.tiles.rasters import dataset

PNG, JPEG, WEBP = TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP


@pytest.fixture
def world(tmp_path):
    on_grid(tmp_path)
    storages, record = dataset(tmp_path, "grid.tif")
    with local(tmp_path) as bench:
        pictures = Pictures(bench.studio, storages, 1 << 20)
        yield pictures, record, bench
        pictures.close()


def drawn(pictures, record, address, format):
    if not pictures.holds(record):
        pictures.open(record)
    return pictures.tile(record, address, Style(), format).result(120)


def learned(pictures, record):
    known = pictures._known[record.id, record.version]
    for _ in range(1000):
        if known.stored.get("WebMercatorQuad"):
            return
        pictures.ask(tasks.grids()).result(120)


def test_what_lies_ready_is_given_at_once_and_nothing_else(world, tmp_path):
    pictures, record, _ = world
    assert pictures.ready(record, ON_GRID, Style(), JPEG) is None
    made = drawn(pictures, record, ON_GRID, PNG)
    assert pictures.ready(record, ON_GRID, Style(), PNG) == made
    assert pictures.ready(record, ON_GRID, Style(), WEBP) is None
    learned(pictures, record)
    assert pictures.ready(record, ON_GRID, Style(), JPEG).way == "passthrough"
    beside = TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4)
    assert pictures.ready(record, beside, Style(), JPEG) == drawn(pictures, record, beside, JPEG)
    for address in (replace(beside, buffer=1), replace(beside, tilesize=512), replace(beside, z=11)):
        assert pictures.ready(record, address, Style(), JPEG) is None
    assert pictures.ready(record, beside, Style(nodata=1), JPEG) is None
    os.utime(tmp_path / "grid.tif", ns=(1, 1))
    assert pictures.ready(record, replace(beside, x=beside.x + 1), Style(), JPEG) is None
    with pytest.raises(VersionChanged):
        pictures.tile(record, replace(beside, x=beside.x + 1), Style(), WEBP)
    assert not pictures.holds(record)


def test_a_file_that_is_closed_meanwhile_has_nothing_ready(world):
    pictures, record, _ = world
    drawn(pictures, record, ON_GRID, JPEG)
    learned(pictures, record)
    beside = replace(ON_GRID, x=ON_GRID.x + 1)
    assert pictures.ready(record, beside, Style(), JPEG) is not None
    pictures._known[record.id, record.version].file.close()
    assert pictures.ready(record, beside, Style(), JPEG) is None


def test_another_version_is_not_opened(world):
    pictures, record, _ = world
    with pytest.raises(VersionChanged):
        pictures.open(replace(record, version="1-2-3"))
    with pytest.raises(StorageUnavailable):
        pictures.open(replace(record, root="nowhere"))


def test_the_longest_unused_files_are_closed(world):
    pictures, record, _ = world
    before = len(os.listdir("/proc/self/fd"))
    for number in range(pictures._most_files + 10):
        pictures.open(replace(record, id=str(number)))
        pictures.open(replace(record, id=str(number)))
    assert len(os.listdir("/proc/self/fd")) == before + pictures._most_files


def test_a_question_about_stored_blocks_that_fails_is_asked_again(tmp_path):
    on_grid(tmp_path)
    storages, record = dataset(tmp_path, "grid.tif")

    class Full:
        def __init__(self):
            self.asked = []

        def submit(self, task, files=()):
            self.asked.append(task.work)
            if task.work == "stored":
                raise Unavailable("busy")
            done = Future()
            done.set_result(None)
            return done

    studio = Full()
    pictures = Pictures(studio, storages, 0)
    pictures.open(record)
    pictures.cache.get_or_make = lambda key, make: make()
    for _ in range(2):
        pictures.tile(record, ON_GRID, Style(), JPEG)
    assert studio.asked == ["tile", "stored"] * 2
    pictures.close()
