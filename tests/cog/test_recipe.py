import shlex
import shutil
import subprocess
import warnings

import numpy as np
import pytest
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.shutil import copy

from gateway.cog import inspect
from gateway.cog.layout import read_layout
from gateway.cog.recipe import creation, recipe_of
from gateway.files import open_file
from gateway.model import Report
from tests.cog.geotiffs import GEOTIFFS, noise, put, tiled
from tests.cog.tiffs import BytesSource, Image, Patch, masked, pyramid, write

STRIP_OFFSETS, STRIP_BYTE_COUNTS = 273, 279


def report_of(path):
    with open_file(path) as source:
        return inspect(source).report


def options_of(report):
    words = report.recipe
    assert words[:5] == ("gdal_translate", "-if", "GTiff", "-of", "COG")
    assert set(words[5::2]) == {"-co"}
    return dict(word.split("=") for word in words[6::2])


def made(path, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return GEOTIFFS[name](path)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rgb striped", {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "RESAMPLING": "AVERAGE"}),
        ("rgb with alpha", {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "RESAMPLING": "AVERAGE"}),
        ("palette", {"COMPRESS": "DEFLATE", "PREDICTOR": "NO", "RESAMPLING": "NEAREST"}),
        ("colour table", {"COMPRESS": "DEFLATE", "PREDICTOR": "NO", "RESAMPLING": "NEAREST"}),
        ("int8", {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "RESAMPLING": "NEAREST"}),
        ("float32 with NaN nodata", {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "RESAMPLING": "AVERAGE"}),
        ("jpeg", {"COMPRESS": "DEFLATE", "PREDICTOR": "YES", "RESAMPLING": "AVERAGE"}),
        ("planar separate", {"COMPRESS": "LZW", "PREDICTOR": "YES", "RESAMPLING": "AVERAGE"}),
        ("tiled without overviews", {"COMPRESS": "ZSTD", "PREDICTOR": "YES", "RESAMPLING": "AVERAGE"}),
    ],
)
def test_the_options_fit_the_file(tmp_path, name, expected):
    options = options_of(report_of(made(tmp_path / "a.tif", name)))
    assert options == {**expected, "BIGTIFF": "IF_SAFER", "OVERVIEWS": "AUTO", "NUM_THREADS": "ALL_CPUS"}


@pytest.mark.parametrize(
    ("pixels", "options", "expected"),
    [
        (noise(1, "uint8", 0, 2), {"nbits": 1}, ("NO", "NEAREST")),
        (noise(1, "complex64"), {}, ("NO", "NEAREST")),
        (noise(1, "float32"), {"nbits": 16}, ("NO", "AVERAGE")),
        (noise(1, "uint16", 0, 4000), {"nbits": 12}, ("NO", "AVERAGE")),
        (noise(1, "uint8"), {"compress": "JPEG"}, ("YES", "AVERAGE")),
        (noise(2, "uint8"), {}, ("YES", "NEAREST")),
    ],
)
def test_predictor_and_resampling_follow_bits_and_kind(tmp_path, pixels, options, expected):
    found = options_of(report_of(put(tmp_path / "a.tif", pixels, **options)))
    assert (found["PREDICTOR"], found["RESAMPLING"]) == expected


@pytest.mark.skipif(shutil.which("gdal_translate") is None, reason="needs gdal_translate of gdal-bin")
@pytest.mark.parametrize("name", [name for name in GEOTIFFS if name != "int8"])
def test_the_line_makes_a_cog_of_the_same_pixels(tmp_path, name):
    source = made(tmp_path / "it's -a.tif", name)
    line = report_of(source).mend(str(source))
    subprocess.run(["bash", "-c", line], check=True, capture_output=True)
    assert shlex.split(line)[-1] == str(tmp_path / "it's -a.cog.tif")
    assert report_of(tmp_path / "it's -a.cog.tif").valid
    # Two builds of libjpeg decode differently: both sides must be of the same one.
    plain = ["gdal_translate", "-q", "-if", "GTiff", str(source), str(tmp_path / "plain.tif")]
    subprocess.run(plain, check=True, capture_output=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(tmp_path / "plain.tif") as old, rasterio.open(shlex.split(line)[-1]) as new:
            assert np.array_equal(old.read(), new.read(), equal_nan=old.dtypes[0].startswith("float"))


def test_a_true_cog_has_none(cogs):
    report = report_of(cogs["deflate"])
    assert (report.valid, report.recipe, report.mend("a.tif"), report.as_json("a.tif")["mend"]) == (
        True,
        (),
        None,
        None,
    )


def test_a_report_keeps_its_recipe_without_the_name(tmp_path):
    report = report_of(tiled(tmp_path / "a.tif"))
    assert report.recipe
    assert Report.from_json(report.as_json("it's a.tif")) == report


def test_a_report_of_an_older_record_has_none():
    data = Report("blocks", (), ("gdal_translate",)).as_json("a.tif")
    del data["mend"]
    assert Report.from_json(data) == Report("blocks")


@pytest.mark.parametrize("kept", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("name", ["rgb striped", "palette", "tiled without overviews"])
def test_a_file_that_was_cut_has_none(tmp_path, name, kept):
    content = made(tmp_path / "a.tif", name).read_bytes()
    (tmp_path / "b.tif").write_bytes(content[: int(len(content) * kept)])
    report = report_of(tmp_path / "b.tif")
    assert (report.valid, report.recipe) == (False, ())


def striped(tmp_path, **options):
    path = put(tmp_path / "a.tif", noise(1, "uint8"), **options)
    return Patch(path.read_bytes())


def recipe(data):
    source = BytesSource(bytes(data))
    return inspect(source).report.recipe


@pytest.mark.parametrize("big", ["NO", "YES"])
def test_a_strip_beyond_the_end_leaves_none(tmp_path, big):
    patch = striped(tmp_path, bigtiff=big)
    assert recipe(patch)
    assert recipe(patch.value(0, STRIP_OFFSETS, len(patch.data) - 10, at=5)) == ()


def test_a_sparse_strip_does_no_harm(tmp_path):
    patch = striped(tmp_path)
    assert recipe(patch.value(0, STRIP_OFFSETS, 0, at=5).value(0, STRIP_BYTE_COUNTS, 0, at=5))


def test_strips_without_their_sizes_have_none(tmp_path):
    patch = striped(tmp_path)
    assert recipe(patch.tag(0, STRIP_BYTE_COUNTS, 280)) == ()


def test_strips_of_which_some_have_no_size_have_none(tmp_path):
    patch = striped(tmp_path)
    entry = patch.layout.ifds[0].tags[STRIP_BYTE_COUNTS]
    assert recipe(patch.count(0, STRIP_BYTE_COUNTS, entry.count - 1)) == ()


def test_too_many_strips_to_look_at_have_none(tmp_path, monkeypatch):
    monkeypatch.setattr("gateway.cog.recipe.MAX_STRIP_BYTES", 100)
    assert recipe(striped(tmp_path)) == ()


def test_a_source_that_shrinks_meanwhile_has_none(tmp_path):
    source = BytesSource(striped(tmp_path).data)
    layout, findings = read_layout(source), inspect(source).report.findings
    assert recipe_of(source, layout, findings)
    source.data = source.data[:200]
    assert recipe_of(source, layout, findings) == ()


def test_a_damaged_tile_behind_a_wrong_layout_leaves_none():
    patch = Patch(write([Image(600, 600, tile=(24, 24), tags=pyramid()[0].tags)]))
    assert recipe(patch)
    assert recipe(patch.value(0, 324, len(patch.data) + 5, at=3)) == ()


def test_tiles_that_no_memory_may_hold_leave_none():
    images = [Image(600, 600, tile=(40, 40), tags=pyramid()[0].tags), Image(64, 64, tile=(8192, 16), subfile=1)]
    report = inspect(BytesSource(write(images))).report
    assert {found.rule for found in report.errors} == {"tile-side-not-16", "tile-too-large"}
    patch = Patch(write([Image(600, 600, tile=(8192, 16), tags=pyramid()[0].tags), Image(64, 64, subfile=1)]))
    for tag, strips in ((324, STRIP_OFFSETS), (325, STRIP_BYTE_COUNTS)):
        patch.tag(1, tag, strips)
    assert recipe(patch) == ()


def overviews_of(images, **options):
    return creation(read_layout(BytesSource(write(images, **options))))["OVERVIEWS"]


def test_overviews_are_taken_over_only_where_the_pyramid_is_whole():
    assert overviews_of(pyramid()) == "AUTO"
    assert overviews_of(masked()[0]) == "AUTO"
    assert overviews_of(masked()[0][:-1]) == "IGNORE_EXISTING"
    assert overviews_of([*pyramid(), Image(30, 24, subfile=1)]) == "IGNORE_EXISTING"
    assert overviews_of([pyramid()[0], Image(32, 24, sub_of=0, subfile=1)]) == "IGNORE_EXISTING"


def test_a_pyramid_that_stops_early_is_made_anew():
    images = [Image(1300, 1300, tile=(64, 64)), Image(650, 650, tile=(64, 64), subfile=1)]
    assert overviews_of(images, blocks=[(0, 0), (1, 0)]) == "IGNORE_EXISTING"


def test_a_mask_that_gdal_would_drop_leaves_none(tmp_path):
    copy(put(tmp_path / "a.tif", noise(1, "uint8")), tmp_path / "b.tif", driver="GTiff")
    data = write([*pyramid(), Image(20, 20, subfile=4)], before=b"\0" * 64)
    report = inspect(BytesSource(data)).report
    assert "mask-size" in {found.rule for found in report.errors}
    assert report.recipe == ()
