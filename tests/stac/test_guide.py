"""The lines of docs/clients/stac.md, run as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from gateway.catalogue.collections import Collection
from gateway.model import Scale
from tests.handlers.conftest import act
from tests.patience import SECONDS
from tests.stac.conftest import START, dated

ROOT = Path(__file__).parent.parent.parent
GUIDE = (ROOT / "docs" / "clients" / "stac.md").read_text()


def piece(heading: str, language: str) -> str:
    """Return the first piece of the guide under a heading that is in a language."""
    part = GUIDE.partition(f"{heading}\n")[2]
    return re.search(rf"```{language}\n(.*?)```", part, re.DOTALL)[1]


@pytest.fixture(scope="module")
def names(served):
    """What the lines of Python know: the gateway's URL, a token, and what the lines before them found."""
    served.services.records.create_collection(Collection("samples", "Samples", START, START), act())
    for name, title, scale in (
        ("elevation", "Elevation", Scale.PRIVATE),
        ("blue_marble", "Blue Marble", Scale.PUBLIC),
    ):
        shutil.copy(ROOT / "data" / f"{name}.tif", served.folder)
        served.register(
            f"{name}.tif", title=title, visibility=scale, owner="ana", collection="samples", dates=dated(0)
        )
    return {"G": served.base.removesuffix("/api"), "TOKEN": served.bearer("ana")}


def test_the_lines_of_curl_find_what_everybody_may_see(names):
    script = piece("# STAC", "sh")
    done = subprocess.run(
        ["sh", "-e", "-c", script.replace("curl ", "curl -sf ")],
        env={**os.environ, **names},
        capture_output=True,
        check=True,
    )
    found, rest = [], done.stdout.decode()
    while rest:
        document, end = json.JSONDecoder().raw_decode(rest)
        found.append(document)
        rest = rest[end:].lstrip()
    collections, search, filtered = found
    assert [each["id"] for each in collections["collections"]] == ["samples"]
    assert [each["properties"]["title"] for each in search["features"]] == ["Blue Marble"]
    assert filtered["features"] == []


def run(tmp_path, script, names):
    """Run Python in a process of its own: GDAL keeps the interpreter's lock while it waits for sidecars."""
    script = f"G, TOKEN = {names['G']!r}, {names['TOKEN']!r}\n{script}"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


KEEP = """
import numpy
box = cube.odc.geobox
numpy.savez("found.npz", pixels=pixels, cube=cube.data.to_numpy()[0], affine=box.affine[:6], shape=box.shape)
print(item.id)
"""


def test_the_lines_of_python_find_an_item_and_read_its_pixels(names, tmp_path):
    lines = [piece(heading, "python") for heading in ("## pystac-client", "## rasterio", "## odc-stac")]
    told, identity = run(tmp_path, "\n".join([*lines, KEEP]), names).splitlines()
    assert told == f"{identity} True"
    found = np.load(tmp_path / "found.npz")
    with rasterio.open(ROOT / "data" / "elevation.tif") as source:
        assert np.array_equal(found["pixels"], source.read(1))
        height, width = (int(each) for each in found["shape"])
        grid = {"crs": "EPSG:3857", "transform": Affine(*found["affine"]), "height": height, "width": width}
        with WarpedVRT(source, resampling=Resampling.nearest, **grid) as warped:
            expected = warped.read(1)
    both = (found["cube"] > 0) & (expected > 0)
    assert both.mean() > 0.5
    assert np.corrcoef(found["cube"][both], expected[both])[0, 1] > 0.95


STACIT = """
import numpy, rasterio
with rasterio.Env(GDAL_HTTP_AUTH="BEARER", GDAL_HTTP_BEARER=TOKEN), rasterio.open(ADDRESS) as found:
    print(found.driver, found.crs.to_epsg())
    numpy.savez("found.npz", pixels=found.read(1))
"""


def test_the_lines_of_gdal_open_a_search_as_one_raster(names, tmp_path):
    line = piece("## GDAL", "sh")
    assert '--config GDAL_HTTP_AUTH BEARER --config GDAL_HTTP_BEARER "$TOKEN"' in line
    address = re.search(r'"(STACIT:.*asset=data)"', line)[1].replace('\\"', '"').replace("$G", names["G"])
    told = run(tmp_path, STACIT.replace("ADDRESS", repr(address)), names)
    with rasterio.open(ROOT / "data" / "elevation.tif") as source:
        assert told.split() == ["STACIT", str(source.crs.to_epsg())]
        assert np.array_equal(np.load(tmp_path / "found.npz")["pixels"], source.read(1))
