"""A collection as one layer of the page and of the examples: what is drawn of which day, and the files under a click."""

import re

import cv2
import numpy as np
import pytest
from rasterio.transform import from_origin

from tests.browser.conftest import REFUSED, middle, sign_in
from tests.browsing import opened_page
from tests.clients.test_browsers import pixels
from tests.handlers.layerscenes import PIXEL, make_scenes
from tests.rasters import write_cog_of
from tests.stac.conftest import dated

# Scenes of one grey each, and what is brightest.
WEST, EAST, WHITE = 50, 100, 255
SMALL = {"width": 640, "height": 460}


async def painted(page) -> set[int]:
    """Return of which scenes the middle of the map has much once all is drawn, by their greys."""
    await page.wait_for_selector("#map[aria-busy=false]")
    seen = await middle(page, "#map")
    return {grey for grey in (WEST, EAST, WHITE) if (seen == grey).all(axis=2).mean() > 0.05}


async def lengths(page) -> list[str]:
    """Return what the page tells of the pixels of a raster that is turned by 45 degrees, in a list and in its head."""
    record = {"bounds": [9, 47, 9.5, 47.38112], "width": 300, "height": 300, "crs": "EPSG:32632"}
    record["transform"] = [70.71068, 70.71068, 6e5, 70.71068, -70.71068, 53e5]
    info = {"bounds": [6e5, 5.27e6, 642426.4, 5.32e6], "width": 300, "crs_proj": "+proj=utm +zone=32 +units=m"}
    both = (
        "([record, info]) => import('./static/format.js').then((m) => [m.about(record), m.resolution(record, info)])"
    )
    return await page.evaluate(both, [record, info])


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
        await page.click("#layer-style summary")
        await page.wait_for_selector("#range:not([hidden])")
        assert [await page.input_value(each) for each in ("#from", "#to")] == ["0", "255"]
        async with page.expect_response(re.compile("/tiles/.*rescale=0%2C100")):
            await page.fill("#to", str(EAST))
            await page.press("#to", "Enter")
        assert await painted(page) == {WHITE}
        await page.select_option("#selection", "lowest")
        styled = "&day=2026-01-02&range=0,100&pixels=lowest"
        await page.wait_for_url(lambda url: url.endswith(f"#collection=scenes{styled}"))
        await page.click("#layer-use")
        lines = await page.inner_text("#use-lines")
        assert "/WMTSCapabilities.xml?rescale=0%2C100&pixel_selection=lowest&datetime=2026-01-02T" in lines
        assert await page.locator("#use-clients [role=tab]:visible").all_inner_texts() == [
            "QGIS", "Leaflet", "MapLibre", "OpenLayers", "GDAL", "curl",
        ]  # fmt: skip
        await page.keyboard.press("Escape")
        # A dataset has a style of its own, and the way back leads to that of the layer.
        await page.click("#list .item >> nth=0")
        await page.wait_for_selector("#how:not([hidden])")
        assert await page.is_hidden("#selection")
        await page.go_back()
        assert await painted(page) == {WHITE}
        await page.click("#layer-on")
        assert page.url.endswith(f"#collection=scenes&layer=0{styled}")
        assert await painted(page) == set()
        assert await lengths(page) == ["≈ 100 m", "100 m"]


@pytest.mark.gen_test
async def test_all_that_is_listed_is_downloaded_by_a_list_and_a_collection_shared_by_its_administrator(
    http_server, base_url, world
):
    found = make_scenes(world)
    async with opened_page([REFUSED]) as page:
        await page.goto(f"{base_url}/#collection=scenes")
        await page.click("#take-all")
        await page.click("#all >> text=Sign in")
        await page.fill("#bearer", world.bearer("ben"))
        await page.press("#bearer", "Enter")
        await page.wait_for_selector("#who:not([hidden])")
        await page.wait_for_selector("#count:text-is('2 datasets')")
        assert await page.is_hidden("#layer-links")
        await page.click("#take-all")
        size = f"1 file, {found['west'].size_bytes} bytes"
        await page.wait_for_selector(f"#all .size:text-is('{size}')")
        assert (await page.inner_text("#all .note >> nth=0")).startswith(
            "1 more is left out: you may not download it"
        )
        await page.select_option("#all select", "urls")
        async with page.expect_download() as saved:
            await page.click("text=Make the list")
        (url,) = (await (await saved.value).path()).read_text().split()
        assert f"/datasets/{found['west'].id}/download/cog?token=" in url
        assert (await saved.value).suggested_filename in await page.inner_text("#all pre")
        # Another program reads the same list.
        await page.select_option("#all select", "fetch")
        await page.click("text=Make the list")
        await page.wait_for_selector("#all pre:has-text('cog-gateway fetch')")
        assert len(world.audit("list.created")) == 1
        await page.keyboard.press("Escape")
        await page.click("#account")
        await sign_in(page, world.bearer("ada", ("admin",)))
        await page.click("#layer-links")
        await page.click("text=Make a link")
        await page.wait_for_selector("#links .made input")
        assert "/#collection=scenes&link=cgl_" in await page.input_value("#links .made input")
        await page.wait_for_selector("#links .issued li")
        await page.keyboard.press("Escape")
        # Something that not everybody sees is in it now.
        await page.click("#layer-use")
        await page.wait_for_selector("#use-lines:has-text('/collections/scenes/WMTSCapabilities.xml?token=')")


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
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        # The map moves before anything else was done to it, and back.
        told = await page.text_content("#map-told")
        for by in (-30, 30):
            await page.mouse.move(*middle)
            await page.mouse.down()
            await page.mouse.move(middle[0] + by, middle[1], steps=3)
            # Whoever rests before letting go does not throw the map.
            await page.wait_for_timeout(150)
            await page.mouse.up()
            await page.wait_for_function("told => document.getElementById('map-told').textContent !== told", arg=told)
            told = await page.text_content("#map-told")
        await page.mouse.click(*middle)
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
