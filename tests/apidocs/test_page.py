"""Swagger UI in a browser: drawn without a refusal of its policy, and its requests are answered."""

import pytest

from tests.browsing import io_loop, opened_page  # noqa: F401 - the loop of the browser
from tests.handlers.conftest import *  # noqa: F403 - the gateway and how to ask it


@pytest.mark.gen_test
async def test_the_page_shows_the_api_and_tries_it(http_server, base_url, world):
    world.add(title="Hills")
    async with opened_page() as page:
        await page.goto(f"{base_url}/api/docs")
        await page.wait_for_selector(".opblock-summary-path")
        # One row for each thing that can be done: no HEAD, and no second spelling of a path.
        assert 25 < await page.locator(".opblock").count() < 90
        assert await page.locator(".opblock-head").count() == 0
        tiles = page.locator(".opblock-summary-path", has_text="/datasets/{id}/tiles/")
        assert await tiles.count() == 1
        block = page.locator("#operations-datasets-get_datasets")
        await block.locator(".opblock-summary-control").click()
        await block.get_by_role("button", name="Execute").click()
        answer = block.locator(".live-responses-table .response .response-col_status").first
        await answer.wait_for()
        assert (await answer.inner_text()).startswith("200")
        assert "Hills" in await block.locator(".live-responses-table").inner_text()
        # The fields are filled in for a dataset that is there.
        block = page.locator("[id^=operations-maps-][id*=datasets][id*=preview]")
        await block.locator(".opblock-summary-control").click()
        await block.get_by_role("button", name="Execute").click()
        await block.locator(".live-responses-table img").wait_for()
        assert await page.get_by_role("link", name="Viewer").get_attribute("href") == "../"
