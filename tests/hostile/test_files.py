"""Hostile files are refused with findings wherever they turn up, and lead nobody to another file or address."""

import json
import os
import subprocess
import sys
from dataclasses import asdict

import pytest

from gateway.cog import DEPTHS, inspect
from gateway.cog.layout import read_layout
from gateway.cog.raster import open_raster
from gateway.files import open_file
from tests.handlers.conftest import problem
from tests.hostile.canary import SECRET_PIXEL
from tests.hostile.files import ACCEPTED, REFUSED

# Each file in a process of its own, since GDAL remembers what did not answer; they share the imports.
OPENLY = """
import os, sys, rasterio
from rasterio.warp import transform_bounds
from rasterio.vrt import WarpedVRT
for name in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            with rasterio.open(name.strip()) as raster:
                raster.overviews(1)
                raster.read(out_shape=(raster.count, 8, 8))
                if raster.crs:
                    transform_bounds(raster.crs, "OGC:CRS84", *raster.bounds)
                    WarpedVRT(raster, crs="EPSG:3857").close()
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    print(name, end="", flush=True)
"""
SINGING = [
    "document-vrt", "document-wmts", "reference-overview_file", "reference-overview_file_vsicurl",
    "reference-overview_file_vrt", "reference-with_bom", "reference-decimal_reference",
    "reference-reference_beyond_32_bits", "reference-reference_to_nothing", "reference-no_quotes",
    "reference-geolocation", "reference-crs_grids_behind_a_plain_one",
]  # fmt: skip


@pytest.fixture(scope="module")
def openly():
    """Return a function that lets GDAL open a file as it does by itself."""
    limits = {"GDAL_HTTP_TIMEOUT": "1", "GDAL_HTTP_CONNECTTIMEOUT": "1", "GDAL_HTTP_MAX_RETRY": "0"}
    environment = {**os.environ, **limits, "no_proxy": "127.0.0.1"}
    arguments = [sys.executable, "-W", "ignore", "-c", OPENLY]
    with subprocess.Popen(
        arguments, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(path):
            print(path, file=process.stdin, flush=True)
            assert process.stdout.readline() == f"{path}\n"

        yield ask
        process.stdin.close()


@pytest.mark.parametrize("name", SINGING)
def test_the_canary_sings_when_gdal_opens_such_a_file_freely(hostile, openly, untouched, name):
    openly(hostile / f"{name}.tif")
    assert not untouched()


@pytest.mark.parametrize("name", REFUSED)
def test_a_hostile_file_is_refused_and_nothing_else_is_opened(hostile, untouched, name):
    for depth in DEPTHS:
        with open_file(hostile / f"{name}.tif") as source:
            inspection = inspect(source, depth=depth)
        assert inspection.report.errors, depth
        assert inspection.raster is None, depth
        assert untouched(), depth


@pytest.mark.parametrize("name", ACCEPTED)
def test_an_odd_file_is_a_true_cog_with_facts_that_json_can_hold(hostile, untouched, name):
    for depth in DEPTHS:
        with open_file(hostile / f"{name}.tif") as source:
            inspection = inspect(source, depth=depth)
        assert inspection.report.errors == (), depth
        assert json.loads(json.dumps(asdict(inspection.raster), allow_nan=False))["width"]
        assert untouched(), depth


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_command_says_the_same_in_bounded_memory(checked, depth):
    told = checked[depth].of
    assert {name for name, line in told.items() if line["valid"] is True and not line["errors"]} == set(ACCEPTED)
    assert {name for name, line in told.items() if line["valid"] is False and line["errors"]} == set(REFUSED)


def test_the_command_never_ends_in_a_traceback_nor_touches_another_file(checked):
    for told in checked.values():
        assert (told.code, told.stderr, told.touched, told.calls) == (1, "", set(), 0)


def test_ingest_refuses_hostile_files_and_says_why(ingested):
    told = ingested[False].of
    assert {name for name in REFUSED if (told[name]["status"], told[name]["id"]) != ("refused", None)} == set()
    assert {name for name in REFUSED if not told[name]["findings"]} == set()


def test_nothing_is_made_of_a_document_or_of_a_file_with_references(ingested):
    names = [name for name in REFUSED if name.startswith(("document-", "reference-"))]
    assert names
    assert {ingested[True].of[name]["status"] for name in names} == {"refused"}


@pytest.mark.parametrize("convert", [False, True])
def test_ingest_never_ends_in_a_traceback_nor_touches_another_file(ingested, convert):
    told = ingested[convert]
    assert (told.code, told.touched, told.calls) == (1, set(), 0)
    assert "Traceback" not in told.stderr
    assert {line["status"] for line in told.of.values()} <= {"refused", "registered"}
    assert all(told.of[name]["status"] == "registered" for name in ACCEPTED)


@pytest.mark.gen_test
@pytest.mark.parametrize("name", REFUSED)
async def test_a_download_of_what_became_hostile_is_422_with_findings(world, fetch, hostile, untouched, name):
    dataset = world.add()
    replace(world.folder / dataset.key, hostile / f"{name}.tif")
    response = await fetch(f"/api/datasets/{dataset.id}/download/cog", token=world.bearer())
    assert response.code == 422
    document = problem(response)
    assert document["type"] == "/problems/not-a-cog"
    assert document["errors"]
    assert bytes([SECRET_PIXEL]) * 64 not in response.body
    assert str(world.folder) not in response.body.decode()
    assert untouched()


def replace(path, by):
    """Put another file in the place of one, as a writer does who takes care."""
    beside = path.with_name("new")
    beside.write_bytes(by.read_bytes())
    beside.replace(path)


@pytest.mark.parametrize("name", [n for n in REFUSED if n.startswith("reference-") and "crs_" not in n])
def test_even_without_the_look_at_the_bytes_no_reference_is_followed(hostile, untouched, name):
    with open_file(hostile / f"{name}.tif") as source:
        open_raster(source, read_layout(source))
    assert untouched()
