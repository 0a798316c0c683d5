"""What is taken of a raster in a network when it is judged: as of the same file on a disk, in few and bounded reads."""

import numpy as np
import pytest
from affine import Affine
from rasterio.shutil import copy

from gateway.cog import inspect, summary
from gateway.cog.summary import with_summary
from gateway.files import open_file
from tests.rasters import write_cog_of, write_striped

PLACE = {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 10, 0, -0.01, 50)}


class Far:
    """A file without a path; `asked` are (offset, length) of what was not asked for before."""

    remote, gdal_path = True, "far.tif"

    def __init__(self, path):
        self._near = open_file(path)
        self.size_bytes = self._near.size_bytes
        self.asked = []

    def read_at(self, offset_bytes, length_bytes):
        stop = min(offset_bytes + length_bytes, self.size_bytes)
        if not any(start <= offset_bytes and stop <= start + length for start, length in self.asked):
            self.asked.append((offset_bytes, length_bytes))
        return self._near.read_at(offset_bytes, length_bytes)


def facts_of(source):
    return with_summary(source, inspect(source, depth="header")).raster


@pytest.fixture(scope="module")
def tall(tmp_path_factory):
    """A COG of 1400 x 1100 pixels of two bands, some without a value, with overviews of 700, 350 and 175 pixels."""
    pixels = np.random.default_rng(1).integers(1, 60_000, (2, 1400, 1100)).astype("uint16")
    pixels[:, :300] = 0
    path = tmp_path_factory.mktemp("far") / "a.tif"
    options = {"crs": PLACE["crs"], "transform": PLACE["transform"], "nodata": 0}
    plain = write_striped(path.with_name("plain.tif"), pixels, **options)
    copy(plain, path, driver="COG", blocksize=128, overview_count=3, compress="DEFLATE")
    return path


def test_it_is_that_of_the_same_file_on_a_disk_by_one_request_for_each_overview(tall):
    far = Far(tall)
    inspect(far, depth="header")
    known = len(far.asked)
    found = facts_of(far)
    with open_file(tall) as near:
        same = facts_of(near)
    assert found == same
    assert found.small == same.small
    assert (len(found.stretch), len(found.small.packed)) == (2, 3)
    assert len(far.asked) <= known + 2


def test_of_long_overviews_a_shorter_one_is_looked_at(tall, monkeypatch):
    monkeypatch.setattr(summary, "MOST_BYTES", 700_000)
    far = Far(tall)
    found = facts_of(far)
    assert found.small is not None
    for (low, high), (lower, higher) in zip(found.stretch, facts_of(Far(tall)).stretch, strict=True):
        assert (low, high) == pytest.approx((lower, higher), rel=0.05)
    assert sum(length for offset, length in far.asked if offset > 10_000) < 900_000


def test_of_what_is_too_long_in_all_levels_nothing_is_taken(tall, monkeypatch):
    monkeypatch.setattr(summary, "MOST_BYTES", 10_000)
    found = facts_of(Far(tall))
    assert (found.stretch, found.small) == (None, None)


def test_what_lies_nowhere_has_a_range_alone_and_bytes_pictures_alone(tmp_path):
    wide = write_cog_of(tmp_path / "a.tif", np.arange(600, dtype="uint16").reshape(1, 20, 30), crs=None)
    found = facts_of(Far(wide))
    assert found.stretch is not None
    assert found.small is None
    found = facts_of(Far(write_cog_of(tmp_path / "b.tif", np.ones((1, 20, 30), "uint8"), **PLACE)))
    assert found.stretch is None
    assert found.small is not None
    nowhere = write_cog_of(tmp_path / "c.tif", np.ones((1, 20, 30), "uint8"), crs=None)
    assert facts_of(Far(nowhere)).small is None
    empty = write_cog_of(tmp_path / "d.tif", np.zeros((1, 20, 30), "uint8"), nodata=0, sparse_ok=True, **PLACE)
    assert facts_of(Far(empty)).small is not None


def test_of_scattered_blocks_few_are_read(tall):
    far = Far(tall)
    ahead = summary.Ahead(far, 0, [])
    assert ahead.read_at(0, summary.MOST_BYTES + 1) == b""
    found = [len(ahead.read_at(number, 1)) for number in range(summary.MOST_READS + 1)]
    assert found == [1] * summary.MOST_READS + [0]
    assert ahead.size_bytes == far.size_bytes
