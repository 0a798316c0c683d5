"""The default range of values, taken when a file is judged: of its overview, its pieces, or not at all."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio._env import get_gdal_config

from gateway.cog import inspect, stretch
from gateway.cog.layout import read_layout
from gateway.cog.stretch import ranges_of
from gateway.cog.summary import with_summary
from gateway.files import open_file
from tests.rasters import write_cog, write_striped


def judged(path, **options):
    """Return the raster's facts after the judgement."""
    with open_file(path) as source:
        return with_summary(source, inspect(source, **options)).raster


def test_it_is_near_the_percentiles_of_all_pixels(tmp_path):
    path = write_cog(tmp_path / "a.tif", rows=1500, cols=1800)
    with rasterio.open(path) as raster:
        expected = np.percentile(raster.read(1), (2, 98))
    (found,) = judged(path).stretch
    assert found == pytest.approx(tuple(expected), rel=0.05)


def test_of_a_large_level_pieces_are_read(tmp_path):
    pixels = np.broadcast_to(np.linspace(0, 60_000, 5000).astype("uint16"), (1, 300, 5000))
    plain = write_striped(tmp_path / "plain.tif", np.ascontiguousarray(pixels))
    options = {"driver": "COG", "overviews": "NONE", "blocksize": 256}
    rasterio.shutil.copy(plain, tmp_path / "a.tif", **options)
    (found,) = judged(tmp_path / "a.tif", allow_missing_overviews=True).stretch
    assert 5_000 < found[0] < 20_000
    assert 45_000 < found[1] < 60_000


def test_a_band_without_a_value_has_a_range_that_is_none_of_its_own():
    for band in (np.ma.MaskedArray(np.full((4, 4), np.nan), False), np.ma.MaskedArray(np.ones((2, 2)), True)):
        assert stretch._range(stretch._valid(band)) == (0.0, 1.0)


def test_what_needs_none_has_none(tmp_path):
    path = write_cog(tmp_path / "a.tif")
    with open_file(path) as source:
        found = inspect(source)
        assert with_summary(source, replace(found, raster=None)).raster is None
        for dtype in ("uint8", "complex64"):
            known = replace(found, raster=replace(found.raster, dtype=dtype))
            assert with_summary(source, known).raster.stretch is None


def test_a_block_that_cannot_be_decoded_leaves_it_open(tmp_path):
    path = write_cog(tmp_path / "a.tif")
    with open_file(path) as source:
        levels = read_layout(source).levels
        start = min(int(np.min(ifd.offsets[ifd.offsets > 0])) for ifd in levels)
    with path.open("r+b") as file:
        # Only bytes of blocks lie behind the first one.
        file.seek(start)
        file.write(b"\xff" * (path.stat().st_size - start))
    with open_file(path) as source:
        found = inspect(source, depth="header")
        assert found.report.valid
        assert with_summary(source, found).raster.stretch is None


class Counted:
    """A raster that keeps how many blocks and values were read of it, each call within one block."""

    def __init__(self, raster):
        self._raster = raster
        self.indexes, self.count, self.block_shapes = raster.indexes, raster.count, raster.block_shapes
        self.values, self.blocks = 0, []

    def read(self, *, window, **kwargs):
        found = self._raster.read(window=window, **kwargs)
        self.values += found.size
        (high, wide) = self.block_shapes[0]
        place = window.col_off // wide, window.row_off // high
        assert ((window.col_off + window.width - 1) // wide, (window.row_off + window.height - 1) // high) == place
        self.blocks.append(place)
        return found


@pytest.mark.parametrize(("side", "bands"), [(300, 40), (2000, 900), (5000, 40)])
def test_all_bands_of_a_block_are_read_at_once_and_are_bounded_together(tmp_path, side, bands):
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "count": bands, "width": side, "height": 64, "dtype": "uint16", "sparse_ok": True}
    options = {"tiled": True, "blockxsize": 64, "blockysize": 32, "crs": "EPSG:32633", "interleave": "pixel"}
    with rasterio.open(path, "w", **profile, **options, transform=Affine(30, 0, 0, 0, -30, 0)):
        pass
    with rasterio.open(path) as raster:
        counted = Counted(raster)
        assert len(ranges_of([(side, 64)], lambda _: counted)) == bands
    assert 0 < len(counted.blocks) == len(set(counted.blocks)) <= stretch.MAX_READS / bands
    assert counted.values <= stretch.SAMPLE_VALUES


def test_gdal_keeps_few_blocks_meanwhile(tmp_path, monkeypatch):
    opened, kept = stretch._level, []

    def level(*args):
        kept.append(get_gdal_config("GDAL_CACHEMAX"))
        return opened(*args)

    monkeypatch.setattr(stretch, "_level", level)
    assert judged(write_cog(tmp_path / "a.tif")).stretch
    assert set(kept) == {16 << 20}
