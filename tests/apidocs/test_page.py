"""Swagger UI in a browser: drawn without a refusal of its policy, and its requests are answered."""

import pytest

from tests.browsing import opened_page
from tests.handlers.conftest import *  # noqa: F403 - the gateway and how to ask it


@pytest.mark.gen_test(timeout=60)
async def test_the_page_shows_the_api_and_tries_it(http_server, base_url, world):
    world.add(title="Hills")
    async with opened_page() as page:
        await page.goto(f"{base_url}/api/docs")
        await page.wait_for_selector(".opblock-summary-path")
        assert await page.locator(".opblock").count() > 50
        block = page.locator("#operations-datasets-get_datasets")
        await block.locator(".opblock-summary-control").click()
        await block.get_by_role("button", name="Try it out").click()
        await block.get_by_role("button", name="Execute").click()
        answer = block.locator(".live-responses-table .response .response-col_status").first
        await answer.wait_for()
        assert (await answer.inner_text()).startswith("200")
        assert "Hills" in await block.locator(".live-responses-table").inner_text()
