"""A collection as one layer of the page and of the examples: what is drawn of which day, and the files under a click."""

import re

import cv2
import numpy as np
import pytest
from rasterio.transform import from_origin

from tests.browser.conftest import REFUSED, middle
from tests.browsing import opened_page
from tests.clients.test_browsers import pixels
from tests.handlers.layerscenes import PIXEL, make_scenes
from tests.rasters import write_cog_of
from tests.stac.conftest import dated

# Scenes of one grey each.
WEST, EAST = 50, 100
SMALL = {"width": 640, "height": 460}


async def painted(page) -> set[int]:
    """Return of which scenes the middle of the map has much once all is drawn, by their greys."""
    await page.wait_for_selector("#map[aria-busy=false]")
    seen = await middle(page, "#map")
    return {grey for grey in (WEST, EAST) if (seen == grey).all(axis=2).mean() > 0.05}


@pytest.mark.gen_test
async def test_a_collection_is_drawn_as_one_layer_of_the_day_on_the_slider(http_server, base_url, world):
    make_scenes(world)
    async with opened_page([REFUSED], viewport=SMALL | {"width": 960}, reduced_motion="reduce") as page:
        await page.goto(base_url)
        # The only one that lies anywhere: the map has looked at all of it already, from afar.
        await page.click("#collections .item")
        await page.wait_for_selector("#days:not([hidden])")
        assert await painted(page) == {WEST, EAST}
        # The hidden one has no day on the slider.
        assert await page.get_attribute("#day", "max") == "2"
        box = await page.locator("#map").bounding_box()
        await page.mouse.click(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2)
        await page.wait_for_selector("#popup .files")
        assert (await page.inner_text("#popup")).startswith("1 file here\neast\nJan 2, 2026")
        await page.click("#popup .files [aria-label='Download east']")
        await page.wait_for_selector("#popup >> text=To download it, you have to sign in.")
        await page.focus("#day")
        async with page.expect_response(re.compile("/tiles/.*2026-01-01T")):
            await page.keyboard.press("ArrowRight")
        await page.wait_for_selector("#day-told:text-is('Jan 1, 2026')")
        assert page.url.endswith("#collection=scenes&day=2026-01-01")
        assert await painted(page) == {WEST}
        await page.goto("about:blank")
        await page.goto(f"{base_url}/#collection=scenes&day=2026-01-02")
        await page.wait_for_selector("#day-told:text-is('Jan 2, 2026')")
        assert await painted(page) == {EAST}
        await page.click("#layer-on")
        assert page.url.endswith("#collection=scenes&layer=0&day=2026-01-02")
        assert await painted(page) == set()


@pytest.mark.gen_test
async def test_datasets_that_make_no_layer_are_told_and_stay_outlines(http_server, base_url, world):
    make_scenes(world)
    place = from_origin(10.25, 48.0, PIXEL, PIXEL)
    write_cog_of(world.folder / "three.tif", np.full((3, 40, 40), 90, "uint8"), crs="EPSG:4326", transform=place)
    world.register("three.tif", title="three", collection="scenes", dates=dated(3))
    async with opened_page([REFUSED], reduced_motion="reduce") as page:
        await page.goto(f"{base_url}/#collection=scenes")
        await page.wait_for_selector("#layer-note:has-text('It cannot be drawn as one layer.')")
        assert await page.is_hidden("#days")
        box = await page.locator("#map").bounding_box()
        await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await page.wait_for_selector("#title:text-is('three')")


@pytest.mark.gen_test
@pytest.mark.parametrize("client", ["leaflet", "maplibre", "openlayers"])
async def test_examples_draw_a_collection_and_one_of_its_days(http_server, base_url, world, client):
    make_scenes(world)
    async with opened_page([REFUSED], viewport=SMALL) as page:
        await page.goto(f"{base_url}/examples/{client}.html#collection=scenes")
        whole = await pixels(page)
        assert await page.locator("#day option").all_inner_texts() == ["All days", "2026-01-02", "2026-01-01"]
        await page.select_option("#day", "2026-01-02")
        east = await pixels(page)
    lit = [(abs(cv2.cvtColor(each, cv2.COLOR_BGR2GRAY).astype(int) - WEST) < 3).mean() for each in (whole, east)]
    assert lit[0] > 0.05 > lit[1]
