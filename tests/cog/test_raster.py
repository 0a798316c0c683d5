import math
import subprocess
import sys
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from gateway.cog import raster
from gateway.cog.layout import read_layout
from gateway.cog.raster import _unless_undecodable, _unless_unraised, open_raster, strict_options, tagged_at
from gateway.files import open_file
from tests.cog.tiffs import GEO, GEO_KEYS, BytesSource, pyramid, write


@pytest.fixture
def facts_of(tmp_path):
    def judge(tags, **options):
        path = tmp_path / "a.tif"
        path.write_bytes(write(pyramid(tags=tags, **options)))
        with open_file(path) as source:
            facts, problems = open_raster(source, read_layout(source))
        assert problems == ()
        return facts

    return judge


def test_the_facts_of_a_raster(facts_of):
    facts = facts_of(GEO, bits=16)
    assert (facts.width, facts.height, facts.count, facts.dtype) == (64, 48, 1, "uint16")
    assert (facts.crs, facts.nodata) == ("EPSG:32633", None)
    west, south, east, north = facts.bounds
    assert west == pytest.approx(15, abs=1e-6)
    assert 45.14 < south < north < 45.16
    assert west < east < 15.01


@pytest.mark.parametrize(("text", "value"), [("7", 7.0), ("nan", "nan"), ("inf", "inf")])
def test_a_nodata_value_is_one_that_json_can_hold(facts_of, text, value):
    float32 = {339: (3, (3,)), 42113: (2, f"{text}\0".encode())}
    assert facts_of({**GEO, **float32}, bits=32).nodata == value


def test_a_raster_that_cannot_be_placed_has_no_bounds(facts_of):
    assert facts_of({33550: GEO[33550], 33922: GEO[33922]}).bounds is None
    assert facts_of({34735: GEO_KEYS}).bounds is None
    far = {**GEO, 33922: (12, (0.0, 0.0, 0.0, 1e300, 1e300, 0.0))}
    assert facts_of(far).bounds is None


@pytest.mark.parametrize("x", [1e20, -1e20, 1e37])
def test_a_web_mercator_far_off_the_globe_has_no_bounds_and_ends(facts_of, x):
    mercator = (3, (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 3857))
    assert facts_of({**GEO, 33922: (12, (0.0, 0.0, 0.0, x, 0.0, 0.0)), 34735: mercator}).bounds is None


def test_a_crs_without_an_authority_is_wkt(facts_of):
    keys = (1, 1, 0, 9, 1024, 0, 1, 1, 2048, 0, 1, 4326, 3072, 0, 1, 32767, 3074, 0, 1, 32767, 3075, 0, 1, 1)
    keys += (3076, 0, 1, 9001, 3080, 34736, 1, 0, 3081, 34736, 1, 1, 3092, 34736, 1, 2)
    tags = {**GEO, 34735: (3, keys), 34736: (12, (14.3, 0.0, 0.999))}
    assert "PROJ" in facts_of(tags).crs


def test_a_file_without_georeferencing_gives_no_warning_of_rasterio(facts_of):
    assert facts_of({}).crs is None


def test_only_the_gtiff_driver_is_asked(tmp_path):
    (tmp_path / "a.tif").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    layout = read_layout(BytesSource(write(pyramid())))
    facts, problems = open_raster(open_file(tmp_path / "a.tif"), layout)
    assert facts is None
    assert [found.rule for found in problems] == ["gdal-cannot-open"]


def test_local_files_are_opened_without_network():
    assert "CPL_VSIL_CURL_ALLOWED_FILENAME" in strict_options("/dev/fd/7")
    assert "CPL_VSIL_CURL_ALLOWED_FILENAME" not in strict_options("/vsis3/bucket/a.tif")
    assert strict_options("/vsis3/bucket/a.tif")["GDAL_PAM_ENABLED"] == "NO"
    assert math.isfinite(int(strict_options("x")["GDAL_NUM_THREADS"]))


def test_a_file_in_which_gdal_finds_another_one_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    path.write_bytes(write(pyramid(tags=GEO)))
    monkeypatch.setattr(raster, "refers_elsewhere", lambda _: True)
    with open_file(path) as source:
        facts, problems = open_raster(source, read_layout(source))
    assert facts is None
    assert [found.rule for found in problems] == ["refers-to-other-file"]


BROKEN = b"<GDALMetadata><It\xffm name='A'>x</Item></GDALMetadata>\0"
OPENS = """
import sys
from gateway.cog.raster import _unless_undecodable, _unless_unraised, open_dataset, rasterio
from gateway.files import open_file
with open_file(sys.argv[1]) as source, rasterio.Env(), open_dataset(source) as raster:
    print(raster.width)
"""


def test_a_text_of_gdal_that_is_no_utf_8_puts_nothing_on_stderr(tmp_path):
    """As where a file is rewritten between the look at its structure and GDAL's."""
    path = tmp_path / "a.tif"
    path.write_bytes(write(pyramid(tags={**GEO, 42112: (2, BROKEN)})))
    done = subprocess.run([sys.executable, "-c", OPENS, path], capture_output=True, text=True, check=False)
    assert (done.stdout.strip().isdigit(), done.stderr) == (True, "")


def test_all_else_that_nobody_can_catch_is_reported():
    log, text = "rasterio._env.log_error", UnicodeDecodeError("utf-8", b"", 0, 1, "x")
    reported = []
    for error, where in ((text, "elsewhere"), (ValueError("told"), log), (text, log)):
        _unless_undecodable(SimpleNamespace(exc_value=error, object=where), reported.append)
    assert [(each.exc_value, each.object) for each in reported[:1]] == [(text, "elsewhere")]
    assert len(reported) == 2


def test_what_ends_a_process_is_told():
    text, told = UnicodeDecodeError("utf-8", b"", 0, 1, "x"), []
    for error, trace in ((text, "traceback"), (ValueError(), None), (text, None)):
        _unless_unraised(type(error), error, trace, lambda *args: told.append(args[1:]))
    assert [trace for _, trace in told] == ["traceback", None]


def test_the_grid_and_the_scales_are_told_where_the_file_has_them(facts_of):
    facts = facts_of(GEO)
    assert facts.transform == (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_000_000.0)
    assert (facts.wkt2, facts.scaling) == (None, None)
    assert facts_of({}).transform is None
    scaled = '<GDALMetadata><Item name="SCALE" sample="0" role="scale">0.5</Item></GDALMetadata>\0'
    assert facts_of({**GEO, 42112: (2, scaled.encode())}).scaling == ((0.5, 0.0),)
    assert facts_of({**GEO, 42112: (2, scaled.replace("0.5", "nan").encode())}).scaling is None


def test_a_crs_that_cannot_be_written_as_wkt2_is_left_out():
    assert raster._wkt2("[") is None


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2021:03:04 05:06:07", datetime(2021, 3, 4, 5, 6, 7, tzinfo=UTC)),
        ("0000:00:00 00:00:00", None),
        ("2021:02:30 00:00:00", None),
        ("2021-03-04T05:06:07", None),
        (None, None),
    ],
)
def test_a_tagged_moment_is_one_of_the_calendar(text, moment):
    assert tagged_at(text) == moment
