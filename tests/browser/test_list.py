"""The list: what a visitor may see, search, pages, and signing in."""

import pytest

from tests.browser.conftest import REFUSED, sign_in
from tests.browsing import opened_page


@pytest.mark.gen_test
async def test_private_datasets_are_not_there_until_their_owner_signs_in(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=1 dataset")
        assert await page.locator(".item-title").all_inner_texts() == ["Blue Marble"]
        await sign_in(page, samples.bearer)
        await page.wait_for_selector("text=2 datasets")
        assert await page.locator(".item-title").all_inner_texts() == ["Blue Marble", "Elevation"]
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
async def test_the_list_is_searched_and_paged_by_the_server(http_server, base_url, world):
    for number in range(23):
        world.add(f"{number}.tif", title=f"Sheet {number:02}")
    async with opened_page(viewport={"width": 900, "height": 400}) as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=1–20 of 23 datasets")
        await page.get_by_role("button", name="Next page").click()
        await page.wait_for_selector("text=21–23 of 23 datasets")
        assert await page.locator(".item").count() == 3
        assert page.url.endswith("#page=2")
        assert (
            await page.evaluate("document.activeElement.innerText") == await page.locator(".item").first.inner_text()
        )
        assert await page.evaluate("document.querySelector('#panel').scrollTop") == 0
        await page.reload()
        await page.wait_for_selector("text=21–23 of 23 datasets")
        await page.fill("#q", "sheet 1")
        await page.wait_for_selector("text=10 datasets")
        await page.fill("#q", "glacier")
        await page.wait_for_selector("text=Nothing matches.")
        assert page.url.endswith("#q=glacier")


@pytest.mark.gen_test
async def test_rows_stand_below_their_folders_and_are_linked_with_outlines(http_server, base_url, world):
    for name, title in (("a.tif", "2023/north/scene"), ("b.tif", "2023/south/scene")):
        world.add(name, title=title)
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=2 datasets")
        assert await page.locator(".group").all_inner_texts() == ["2023/north", "2023/south"]
        assert await page.locator(".item-title").all_inner_texts() == ["scene", "scene"]
        await page.wait_for_load_state("networkidle")
        # The map looks at what is listed: both lie in its middle, one over the other.
        box = await page.locator("#map").bounding_box()
        middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        await page.mouse.move(*middle)
        await page.wait_for_selector(".item.lit")
        await page.mouse.click(*middle)
        await page.wait_for_selector("#title:has-text('scene')")
        assert await page.inner_text("#folder") in ("2023/north", "2023/south")
        await page.wait_for_selector("#how:not([hidden])")
        await page.go_back()
        await page.wait_for_selector(".item")
        await page.select_option("#sort", "-size_bytes")
        await page.wait_for_selector("text=2023/north ·")
        assert page.url.endswith("#sort=-size_bytes")


@pytest.mark.gen_test
async def test_an_empty_catalogue_says_so(http_server, base_url, world):
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("text=There are no datasets to see.")
