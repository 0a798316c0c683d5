"""The examples in a browser: they draw what the dataset shows, and say what is wrong on the page."""

import asyncio
import json

import cv2
import numpy as np
import pytest

from tests.browser.conftest import REFUSED
from tests.browsing import opened_page

# Faster than the answers come.
CHOOSE_THRICE = "for (let i = 0; i < 3; i++) document.getElementById('dataset').dispatchEvent(new Event('change'))"
CLIENTS = ("leaflet", "maplibre", "openlayers")


async def pixels(page) -> np.ndarray:
    """Return what a page has drawn below its bar, (rows, cols, bands), blue first."""
    await page.wait_for_selector("body[data-drawn=yes]")
    # Tiles fade in.
    await asyncio.sleep(0.6)
    return cv2.imdecode(np.frombuffer(await page.locator("#map").screenshot(), np.uint8), cv2.IMREAD_COLOR)


def greenish(picture: np.ndarray) -> float:
    """Return how much of a picture's middle is green rather than red: viridis is, a grey ramp is not."""
    _, green, red = (picture[100:260, 220:420, band].astype(int) for band in range(3))
    return float((green > red + 30).mean())


@pytest.mark.gen_test
@pytest.mark.parametrize("client", CLIENTS)
async def test_public_and_private_datasets_are_drawn_in_their_style(http_server, base_url, samples, fetch, client):
    answer = await fetch(f"/api/auth/tile-token/{samples.elevation.id}", "POST", token=samples.bearer)
    token = json.loads(answer.body)["token"]
    hidden = f"dataset={samples.elevation.id}&colormap_name=viridis"
    async with opened_page([REFUSED], viewport={"width": 640, "height": 460}) as page:
        await page.goto(f"{base_url}/examples/{client}.html")
        world = await pixels(page)
        await page.evaluate(CHOOSE_THRICE)
        await pixels(page)
        assert await page.locator(".leaflet-map-pane, canvas.maplibregl-canvas, .ol-viewport").count() == 1
        await page.goto(f"{base_url}/examples/{client}.html?{hidden}#token={token}")
        hills = await pixels(page)
        await page.goto(f"{base_url}/examples/{client}.html?{hidden}")
        await page.wait_for_selector("#told:has-text('There is no such dataset. What is not public needs')")
        await page.fill("#bearer", samples.bearer)
        await page.press("#bearer", "Enter")
        again = await pixels(page)
    # The world has much dark blue sea and some bright land and ice.
    assert (world[..., 0].astype(int) - world[..., 2] > 20).mean() > 0.25
    assert len(np.unique(world.reshape(-1, 3), axis=0)) > 2000
    assert greenish(hills) > 0.4
    assert greenish(again) > 0.4


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{}, {"prefix": "/maps/api"}], indirect=True)
async def test_the_pages_lead_to_each_other_and_to_the_api(fetch, world):
    prefix = world.services.settings.prefix
    page = (await fetch("/examples/")).body.decode()
    for name in CLIENTS:
        assert f'href="{name}.html"' in page
        assert f'data-api="..{prefix}"' in (await fetch(f"/examples/{name}.html")).body.decode()
    assert (await fetch("/examples")).headers["Location"] == "examples/"
    for path in ("none.html", "../docs.html", "sub/index.html", "none.js"):
        assert (await fetch(f"/examples/{path}")).code == 404, path
