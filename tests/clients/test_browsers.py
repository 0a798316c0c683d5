"""The examples of the guides in a browser, served from another origin: they draw what the dataset shows."""

import asyncio
import re
from pathlib import Path
from urllib.parse import quote

import cv2
import numpy as np
import pytest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, StaticFileHandler

from tests.browsing import launch, watched_page

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "docs" / "clients" / "examples"
VENDORED = {
    "leaflet@1.9.4/dist": Path(__file__).parent / "vendor" / "leaflet-1.9.4",
    "maplibre-gl@6.17.0/dist": Path(__file__).parent / "vendor" / "maplibre-gl-6.17.0",
    "ol@10.11.0/dist": ROOT / "gateway" / "static" / "vendor" / "ol-10.11.0",
    "ol@10.11.0": ROOT / "gateway" / "static" / "vendor" / "ol-10.11.0",
}
PARAMETER = {"leaflet": "tilejson", "maplibre": "tilejson", "openlayers": "wmts"}
DOCUMENT = {"tilejson": "tilejson.json", "wmts": "WMTSCapabilities.xml"}
KINDS = {".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css"}


@pytest.fixture
def examples(io_loop):
    """Yield the origin of a server of the examples, which is not the gateway's."""
    socket, port = bind_unused_port()
    server = HTTPServer(Application([(r"/(.*)", StaticFileHandler, {"path": EXAMPLES})], log_function=lambda _: None))
    server.add_socket(socket)
    yield f"http://127.0.0.1:{port}"
    server.stop()
    io_loop.run_sync(server.close_all_connections)


async def library(route):
    """Answer for the network with the copy that lies here."""
    folder, _, name = route.request.url.partition("?")[0].removeprefix("https://unpkg.com/").rpartition("/")
    path = VENDORED[folder] / name
    headers = {"Access-Control-Allow-Origin": "*"}
    await route.fulfill(body=path.read_bytes(), content_type=KINDS[path.suffix], headers=headers)


async def picture(browser, url: str) -> np.ndarray:
    """Return what a page has drawn, (rows, cols, bands), blue first."""
    async with watched_page(browser, viewport={"width": 640, "height": 420}) as page:
        await page.route("https://unpkg.com/**", library)
        await page.goto(url)
        await page.wait_for_selector("body[data-drawn=yes]")
        # Tiles fade in.
        await asyncio.sleep(0.6)
        return cv2.imdecode(np.frombuffer(await page.screenshot(), np.uint8), cv2.IMREAD_COLOR)


@pytest.mark.gen_test(timeout=120)
@pytest.mark.parametrize("client", PARAMETER)
async def test_a_public_and_a_private_dataset_are_drawn(http_server, base_url, examples, samples, fetch, client):
    what = PARAMETER[client]
    answer = await fetch(f"/api/auth/tile-token/{samples.elevation.id}", "POST", token=samples.bearer)
    token = re.search(r'"token":"([^"]+)"', answer.body.decode())[1]
    private = f"{base_url}/api/datasets/{samples.elevation.id}/{DOCUMENT[what]}?token={token}"
    async with launch() as browser:
        world = await picture(browser, f"{examples}/{client}.html?gateway={base_url}&dataset={samples.marble.id}")
        hills = await picture(browser, f"{examples}/{client}.html?{what}={quote(private, safe='')}")
    # The world has much dark blue sea and some bright land and ice.
    sea = (world[..., 0].astype(int) - world[..., 2] > 20).mean()
    assert sea > 0.25
    assert len(np.unique(world.reshape(-1, 3), axis=0)) > 2000
    # Heights are shades of grey.
    middle = hills[110:310, 200:440].astype(int)
    assert np.abs(middle[..., 0] - middle[..., 2]).max() <= 12
    assert middle.std() > 15
