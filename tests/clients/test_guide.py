"""The guide's own lines, run as they stand."""

import asyncio
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent.parent.parent / "docs" / "clients"
GUIDE, POLYGONS = ((CLIENTS / name).read_text() for name in ("maps.md", "polygons.md"))
pytestmark = pytest.mark.gen_test


def piece(language: str) -> str:
    """Return the piece of the guide under the heading GDAL or Python that is in that language."""
    part = GUIDE.partition("## GDAL")[2]
    (found,) = re.findall(rf"```{language}\n(.*?)```", part, re.DOTALL)
    return found


async def test_the_python_lines_get_a_tile(base_url, http_server, samples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"gateway": base_url, "dataset": samples.marble.id}
    code = piece("python").replace('open("tile.png", "wb").write(tile.read())', "body = tile.read()")
    await asyncio.to_thread(exec, code, names)
    assert names["body"].startswith(b"\x89PNG")


async def test_the_gdal_lines_read_the_layer(base_url, http_server, samples, tmp_path):
    if shutil.which("gdalinfo") is None:
        pytest.skip("gdal-bin is not installed; the same driver is tried through rasterio")
    environment = {**os.environ, "G": base_url, "ID": samples.marble.id}

    def run():
        return subprocess.run(
            ["sh", "-e", "-c", piece("sh")],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    done = await asyncio.to_thread(run)
    assert done.returncode == 0, done.stderr
    assert "Pseudo-Mercator" in done.stdout
    assert (tmp_path / "world.tif").stat().st_size > 500_000


async def test_the_lines_about_polygons_get_statistics_and_a_picture(
    base_url, http_server, samples, tmp_path, capsys
):
    names = {"gateway": base_url, "dataset": samples.marble.id}
    await asyncio.to_thread(exec, re.findall(r"```python\n(.*?)```", POLYGONS, re.DOTALL)[0], names)
    assert capsys.readouterr().out.split() == ["Sahara", str(names["band"]["count"]), str(names["band"]["mean"])]
    environment = {**os.environ, "G": base_url, "ID": samples.marble.id}
    for block in re.findall(r"```sh\n(.*?)```", POLYGONS, re.DOTALL):
        line = ["sh", "-e", "-c", block]
        await asyncio.to_thread(subprocess.run, line, cwd=tmp_path, env=environment, check=True)
    told = json.loads((tmp_path / "fields.geojson").read_text())["properties"]["statistics"]["b1"]
    assert told["count"] == names["band"]["count"]
    assert told["percentile_10"] < told["percentile_90"]
    assert (tmp_path / "sahara.png").read_bytes().startswith(b"\x89PNG")
