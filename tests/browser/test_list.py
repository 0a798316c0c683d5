"""The list: what a visitor may see, folders, outlines, and signing in."""

import pytest

from tests.browser.conftest import REFUSED, sign_in
from tests.browsing import opened_page


@pytest.mark.gen_test
async def test_private_datasets_are_not_there_until_their_owner_signs_in(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=1 dataset")
        assert await page.locator("#list .item-title").all_inner_texts() == ["Blue Marble"]
        await sign_in(page, samples.bearer)
        await page.wait_for_selector("text=2 datasets")
        assert await page.locator("#list .item-title").all_inner_texts() == ["Blue Marble", "Elevation"]
        assert await page.inner_text("#who") == "ana"
        kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        assert kept == '[{},{},""]'
        assert samples.bearer not in page.url
        await page.click("#account")
        await page.wait_for_selector("text=1 dataset")


@pytest.mark.gen_test
async def test_a_bad_token_is_told_and_changes_nothing(http_server, base_url, samples):
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(base_url)
        await page.click("#account")
        await page.fill("#bearer", samples.bearer[:-4] + "AAAA")
        await page.press("#bearer", "Enter")
        await page.wait_for_selector("#signin-error:has-text('Not a valid token. The')")
        await page.keyboard.press("Escape")
        assert await page.inner_text("#account") == "Sign in"


@pytest.mark.gen_test
async def test_titles_stand_above_their_folders_and_are_linked_with_outlines(http_server, base_url, world):
    for name, title in (("a.tif", "2023/north/scene"), ("b.tif", "2023/south/scene")):
        world.add(name, title=title)
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=2 datasets")
        assert await page.locator("#list .item-above").all_inner_texts() == ["2023/north", "2023/south"]
        assert await page.locator("#list .item-title").all_inner_texts() == ["scene", "scene"]
        await page.wait_for_load_state("networkidle")
        # The map looks at what is listed: both lie in its middle, one over the other, and their collection over both.
        box = await page.locator("#map").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await page.mouse.move(*middle)
        await page.wait_for_selector("#list .item.lit")
        await page.mouse.click(*middle)
        await page.wait_for_selector("#title:has-text('scene')")
        assert await page.inner_text("#folder") in ("2023/north", "2023/south")
        await page.wait_for_selector("#how:not([hidden])")
        await page.go_back()
        await page.wait_for_selector("#list .item")
        await page.select_option("#sort", "-size_bytes")
        await page.wait_for_url(lambda url: url.endswith("#sort=-size_bytes"))


@pytest.mark.gen_test
async def test_an_empty_catalogue_says_so(http_server, base_url, world):
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=There are no datasets to see.")
