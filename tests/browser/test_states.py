"""What the page says when something is refused, expires or goes away, and how it goes on afterwards."""

import numpy as np
import pytest

from tests.browser.conftest import REFUSED, drawn, sign_in
from tests.browsing import opened_page
from tests.handlers.conftest import UNKNOWN_ID
from tests.rasters import write_cog_of


@pytest.mark.gen_test
async def test_unknown_and_invisible_datasets_look_alike(http_server, base_url, samples):
    told = []
    async with opened_page(allowed=[REFUSED]) as page:
        for dataset_id in (UNKNOWN_ID, samples.elevation.id):
            await page.goto(f"{base_url}#dataset={dataset_id}")
            await page.reload()
            await page.wait_for_selector("text=There is no such dataset for you.")
            told.append(await page.inner_text("#panel"))
    assert told[0] == told[1]


@pytest.mark.gen_test
async def test_an_expired_sign_in_is_told_and_the_view_comes_back_with_a_new_one(http_server, base_url, samples):
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        samples.world.services.keys.replace([b"a new key of the gateway, and of nobody else"])
        await page.click("#download")
        await page.wait_for_selector("text=Your sign-in has expired.")
        assert await page.inner_text("#account") == "Sign in"
        await page.wait_for_selector("text=There is no such dataset for you.")
        await page.click("#banner-retry")
        await page.fill("#bearer", samples.bearer)
        await page.press("#bearer", "Enter")
        await drawn(page)
        assert await page.inner_text("#title") == "Elevation"
        assert await page.is_hidden("#banner")


@pytest.mark.gen_test
async def test_a_server_that_comes_back_is_found_again(http_server, base_url, samples):
    async with opened_page(allowed=["net::ERR_INTERNET_DISCONNECTED"]) as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=1 dataset")
        await page.wait_for_load_state("networkidle")
        await page.context.set_offline(True)
        await page.click("text=Blue Marble")
        await page.wait_for_selector("#banner:has-text('The server does not answer.')")
        await page.context.set_offline(False)
        await page.click("#banner-retry")
        await drawn(page)
        assert await page.inner_text("#title") == "Blue Marble"
        assert await page.is_hidden("#banner")


@pytest.mark.gen_test
async def test_a_file_without_a_place_is_a_picture_where_the_map_would_be(http_server, base_url, world):
    write_cog_of(world.folder / "scan.tif", np.arange(512 * 512, dtype=np.uint16).reshape(1, 512, 512), crs=None)
    dataset = world.register("scan.tif", title="Scan")
    async with opened_page() as page:
        await page.goto(f"{base_url}#dataset={dataset.id}")
        await page.wait_for_selector("#unplaced img")
        assert await page.is_visible("text=This file has no coordinate system")
        assert await page.is_enabled("#download")
        assert await page.is_hidden("#how")
        await page.check("#ramps [value=magma]")
        await page.wait_for_selector("#legend img[src*=magma]")
        await page.click("#use-open")
        assert await page.locator("#use-clients [role=tab]:visible").all_inner_texts() == ["GDAL", "Python", "curl"]
