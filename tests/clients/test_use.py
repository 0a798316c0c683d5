"""The lines of "Use in …", as a visitor copies them: shell and Python are run, pages are opened."""

import asyncio
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from imagecodecs import png_decode
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, StaticFileHandler

from tests.browser.conftest import SAMPLES, colours, drawn, sign_in
from tests.browsing import opened_page

CLIENTS = ("qgis", "leaflet", "maplibre", "openlayers", "gdal", "python", "curl")
WEB = ("leaflet", "maplibre", "openlayers")


@pytest.fixture
def elsewhere(io_loop, tmp_path):
    """Yield the origin of a web server over the test's folder, which is not the gateway's."""
    socket, port = bind_unused_port()
    server = HTTPServer(Application([(r"/(.*)", StaticFileHandler, {"path": tmp_path})], log_function=lambda _: None))
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}"
    server.stop()
    io_loop.run_sync(server.close_all_connections)


async def lines(page) -> dict[str, list[str]]:
    """Return what the dialog shows for each program."""
    await page.click("#use-open")
    found = {}
    for client in CLIENTS:
        await page.click(f"#use-{client}")
        found[client] = await page.locator("#use-lines pre").all_inner_texts()
    await page.click("#use-close")
    return found


async def run(folder, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder of its own; fails when it does."""
    environment = {**os.environ, **variables}
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done


async def in_shell(folder, text: str, **variables: str) -> str:
    return (await run(folder, "sh", "-e", "-c", text, **variables)).stdout


async def opened(url: str) -> int:
    """Return how many colours a copied page draws in its middle."""
    async with opened_page(viewport={"width": 640, "height": 460}) as page:
        await page.goto(url)
        await page.wait_for_load_state("networkidle")
        for _ in range(40):
            if (found := await colours(page, "#map")) > 50:
                break
            await asyncio.sleep(0.25)
        return found


@pytest.mark.gen_test
async def test_lines_for_a_private_dataset_work_with_its_style(http_server, base_url, samples, tmp_path, elsewhere):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        await page.check("#ramps [value=viridis]")
        await page.wait_for_selector("#legend img[src*=viridis]")
        found = await lines(page)
        note = await page.locator("#use-lines .note").last.text_content()
    for client in WEB:
        (tmp_path / f"{client}.html").write_text(found[client][0])
        assert await opened(f"{elsewhere}/{client}.html") > 50, client
    # Two of them need no web server at all.
    for client in ("leaflet", "openlayers"):
        assert await opened(f"file://{tmp_path}/{client}.html") > 50, client
    assert samples.bearer not in str(found)
    assert "The tile token in it ends at" in note
    wmts, xyz = found["qgis"]
    for address in (wmts, xyz):
        assert "colormap_name=viridis" in address
        assert "rescale=285%2C919" in address
    await run(tmp_path, sys.executable, "-c", found["python"][0], TOKEN=samples.bearer)
    download, picture = found["curl"]
    await in_shell(tmp_path, f"{download}\n{picture}", TOKEN=samples.bearer)
    assert (tmp_path / "Elevation.tif").read_bytes() == (SAMPLES / "elevation.tif").read_bytes()
    pixels = png_decode((tmp_path / "Elevation.png").read_bytes())[..., :3].astype(int)
    assert (pixels[..., 1] - pixels[..., 0] > 30).mean() > 0.3
    if shutil.which("gdalinfo"):
        values, drawing = found["gdal"]
        assert "UTM zone 16N" in await in_shell(tmp_path, values, TOKEN=samples.bearer)
        await in_shell(tmp_path, drawing)
        with rasterio.open(tmp_path / "Elevation-map.tif") as raster:
            assert raster.crs.to_epsg() == 3857
            assert len(np.unique(raster.read(2))) > 50


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{}, {"open_downloads": True}], indirect=True)
async def test_lines_for_a_public_dataset_work_without_an_account(http_server, base_url, samples, tmp_path):
    async with opened_page() as page:
        await page.goto(base_url)
        await page.click("text=Blue Marble")
        await drawn(page)
        found = await lines(page)
    plain = samples.world.services.settings.open_downloads
    assert ("download-token" in str(found)) is not plain
    assert len(found["qgis"]) == (3 if plain else 2)
    await run(tmp_path, sys.executable, "-c", found["python"][0])
    await in_shell(tmp_path, found["curl"][0])
    assert (tmp_path / "Blue_Marble.tif").exists() or (tmp_path / "Blue Marble.tif").exists()
    if shutil.which("gdalinfo"):
        assert "Pseudo-Mercator" in await in_shell(tmp_path, found["gdal"][0])
