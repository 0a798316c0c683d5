import hashlib
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioIOError
from rasterio.shutil import copy
from rasterio.transform import from_origin
from rasterio.windows import Window
from rio_cogeo import cog_validate

from gateway.cog.convert import CannotConvert, NoRoom, convert, needed_bytes
from gateway.cog.layout import read_layout
from gateway.cog.recipe import convertible
from gateway.files import open_file
from gateway.model import Finding, Report, Severity
from tests.cog.tiffs import BytesSource, Image, masked, pyramid, write
from tests.rasters import write_striped


def converted(source, target):
    with open_file(source) as opened:
        convert(opened, target)


def pixels_of(path):
    with rasterio.open(path) as raster:
        return raster.read()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "complex64"])
def test_pixels_and_dtype_stay_the_same_and_the_source_is_untouched(tmp_path, dtype):
    pixels = np.random.default_rng(1).integers(0, 120, (2, 600, 530)).astype(dtype)
    source = write_striped(tmp_path / "a.tif", pixels)
    before = hashlib.sha256(source.read_bytes()).hexdigest()
    converted(source, tmp_path / "out.tif")
    assert hashlib.sha256(source.read_bytes()).hexdigest() == before
    assert np.array_equal(pixels_of(tmp_path / "out.tif"), pixels)
    assert pixels_of(tmp_path / "out.tif").dtype == dtype
    assert cog_validate(tmp_path / "out.tif")[0]


def test_pixels_of_one_bit_stay(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 2, (1, 600, 530)).astype("uint8")
    copy(write_striped(tmp_path / "a.tif", pixels), tmp_path / "bits.tif", driver="GTiff", NBITS=1)
    converted(tmp_path / "bits.tif", tmp_path / "out.tif")
    assert np.array_equal(pixels_of(tmp_path / "out.tif"), pixels)


def test_nodata_tags_colours_and_georeferencing_stay(tmp_path):
    source = write_striped(tmp_path / "a.tif")
    with rasterio.open(source, "r+") as raster:
        raster.nodata = 7
        raster.update_tags(SURVEY="north")
        raster.update_tags(1, UNIT="m")
        raster.descriptions = ("height",)
        raster.colorinterp = (ColorInterp.gray,)
    converted(source, tmp_path / "out.tif")
    with rasterio.open(source) as old, rasterio.open(tmp_path / "out.tif") as new:
        assert (new.nodata, new.crs, new.transform) == (7, old.crs, old.transform)
        assert (new.tags()["SURVEY"], new.tags(1)["UNIT"]) == ("north", "m")
        assert (new.descriptions, new.colorinterp) == (old.descriptions, old.colorinterp)


def test_a_mask_stays(tmp_path):
    source = write_striped(tmp_path / "a.tif")
    mask = np.full((700, 900), 255, "uint8")
    mask[:100] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(source, "r+") as raster:
        raster.write_mask(mask)
    converted(source, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as new:
        assert np.array_equal(new.dataset_mask(), mask)


def test_a_palette_stays(tmp_path):
    source = write_striped(tmp_path / "a.tif", np.ones((1, 600, 600), "uint8"))
    with rasterio.open(source, "r+") as raster:
        raster.write_colormap(1, {1: (10, 20, 30, 255)})
    converted(source, tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif") as new:
        assert new.colormap(1)[1] == (10, 20, 30, 255)
        assert new.colorinterp == (ColorInterp.palette,)


def test_overviews_hold_only_values_of_the_data(tmp_path):
    pixels = np.random.default_rng(1).choice([3, 200], (1, 1200, 1100)).astype("uint8")
    converted(write_striped(tmp_path / "a.tif", pixels), tmp_path / "out.tif")
    with rasterio.open(tmp_path / "out.tif", overview_level=0) as smaller:
        assert set(np.unique(smaller.read())) == {3, 200}


@pytest.fixture
def no_gdal(monkeypatch):
    """Any use of rasterio by the conversion fails the test."""
    monkeypatch.setattr("gateway.cog.convert.rasterio", None)


def test_a_file_that_refers_to_overviews_elsewhere_is_never_handed_to_gdal(tmp_path, request):
    source = write_striped(tmp_path / "a.tif")
    with rasterio.open(source, "r+") as raster:
        raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=str(tmp_path / "other.tif"))
    request.getfixturevalue("no_gdal")
    with pytest.raises(CannotConvert, match="overviews in another file"):
        converted(source, tmp_path / "out.tif")


def test_a_mask_that_gdal_would_drop_is_not_lost_without_a_word(tmp_path, no_gdal):
    image, mask = np.zeros((600, 600), "uint8"), np.zeros((300, 300), bool)
    with tifffile.TiffWriter(tmp_path / "a.tif") as tiff:
        tiff.write(image)
        tiff.write(mask, photometric="minisblack", subfiletype=4)
    with pytest.raises(CannotConvert, match="the size of no level"):
        converted(tmp_path / "a.tif", tmp_path / "out.tif")


@pytest.mark.parametrize("content", [b"", b"no raster", b"<VRTDataset/>", b"II*\0\xff\xff\xff\x7f"])
def test_what_has_no_sound_directories_is_never_handed_to_gdal(tmp_path, content, no_gdal):
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(CannotConvert):
        converted(tmp_path / "a.tif", tmp_path / "out.tif")


def test_a_file_that_is_cut_cannot_be_converted(tmp_path):
    pixels = np.random.default_rng(1).integers(0, 9, (1, 700, 900)).astype("uint8")
    copy(write_striped(tmp_path / "a.tif", pixels), tmp_path / "b.tif", driver="GTiff", compress="DEFLATE")
    content = bytearray((tmp_path / "b.tif").read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    (tmp_path / "b.tif").write_bytes(content)
    with pytest.raises(CannotConvert, match="GDAL cannot make a COG of it"):
        converted(tmp_path / "b.tif", tmp_path / "out.tif")


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        (("not-tiled",), True),
        (("not-tiled", "overviews-missing"), True),
        (("not-tiled", "refers-to-other-file"), False),
        (("mask-size",), False),
        (("not-a-tiff",), False),
        (("a-rule-of-tomorrow",), False),
        ((), False),
    ],
)
def test_only_what_breaks_rules_of_layout_alone_may_be_converted(rules, expected):
    warning = Finding("extra-page", "There is another page.", Severity.WARNING)
    report = Report("blocks", (*(Finding(rule, "It is wrong.") for rule in rules), warning))
    assert convertible(report.findings) is expected


def test_a_warning_does_not_keep_a_file_from_being_converted(tmp_path):
    (tmp_path / "a.tif").write_bytes(write([*pyramid(), Image(80, 20)]))
    converted(tmp_path / "a.tif", tmp_path / "out.tif")
    assert np.array_equal(pixels_of(tmp_path / "out.tif"), pixels_of(tmp_path / "a.tif"))


def disk_with(free_bytes):
    return lambda _: SimpleNamespace(free=free_bytes)


def test_without_room_for_all_levels_nothing_is_begun(tmp_path, monkeypatch):
    source = write_striped(tmp_path / "a.tif")
    # 700 x 900 pixels of two bytes, and two thirds of it for overviews that are written twice.
    needed = 700 * 900 * 2 * 5 // 3
    monkeypatch.setattr("gateway.cog.convert.disk_usage", disk_with(needed - 1))
    with pytest.raises(NoRoom, match=r"^The conversion may need 2\.1 MB, and the target folder has 2\.1 MB free\.$"):
        converted(source, tmp_path / "out.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]
    monkeypatch.setattr("gateway.cog.convert.disk_usage", disk_with(needed))
    converted(source, tmp_path / "out.tif")


def test_a_mask_and_a_source_that_is_larger_than_its_pixels_count(tmp_path):
    data = write(masked()[0], after=bytes(100_000))
    source = BytesSource(data)
    assert needed_bytes(source, read_layout(source)) == len(data)
    small = BytesSource(write(masked()[0]))
    assert needed_bytes(small, read_layout(small)) == max(len(small.data), 64 * 48 * 2 * 5 // 3)


def test_a_disk_that_fills_up_meanwhile_is_not_the_fault_of_the_file(tmp_path, monkeypatch):
    source, free = write_striped(tmp_path / "a.tif"), iter([10**9, 10])
    monkeypatch.setattr("gateway.cog.convert.disk_usage", lambda _: SimpleNamespace(free=next(free)))

    def fail(*_, **__):
        (tmp_path / "out.tif.ovr.tmp").write_bytes(b"half")
        raise RasterioIOError("write failed")

    monkeypatch.setattr("gateway.cog.convert.copy", fail)
    with pytest.raises(NoRoom, match="no room left"):
        converted(source, tmp_path / "out.tif")
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_memory_stays_bounded(tmp_path):
    """A raster of 128 MB is converted with less than that: what GDAL keeps of it is held to 64 MiB."""
    script = """
import resource, sys
from pathlib import Path
from gateway.cog.convert import convert
from gateway.files import open_file
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open_file(sys.argv[1]) as source:
    convert(source, Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    profile = {"driver": "GTiff", "count": 1, "height": 8000, "width": 8000, "dtype": "uint16"}
    placed = {"crs": CRS.from_epsg(32633), "transform": from_origin(500_000, 5_300_000, 30, 30)}
    with rasterio.open(tmp_path / "a.tif", "w", **profile, **placed) as raster:
        for row in range(0, 8000, 1000):
            raster.write(np.full((1, 1000, 8000), row, "uint16"), window=Window(0, row, 8000, 1000))
    command = [sys.executable, "-c", script, str(tmp_path / "a.tif"), str(tmp_path / "out.tif")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert int(done.stdout) * 1024 < 120e6
