"""What the page shows before its map has come."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.browser.conftest import drawn
from tests.browsing import opened_page

STATIC = Path(__file__).parent.parent.parent / "gateway" / "static"
LIBRARY = "**/ol.js"


async def held(page):
    """Keep the map's library back; returns the event that lets it come."""
    come = asyncio.Event()

    async def wait(route):
        await come.wait()
        await route.continue_()

    await page.route(LIBRARY, wait)
    return come


@pytest.mark.gen_test
async def test_the_list_is_there_before_the_map_and_a_row_that_is_chosen_then_is_opened(
    http_server, base_url, samples
):
    async with opened_page() as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        come = await held(page)
        await page.goto(base_url, wait_until="commit")
        await page.click("text=Blue Marble")
        assert await page.locator("#map canvas").count() == 0
        come.set()
        await drawn(page)
        assert samples.marble.id in page.url
        assert [sum(path in url for url in asked) for path in ("/datasets?limit=50", "/stac/collections")] == [1, 1]


@pytest.mark.gen_test
async def test_what_a_link_leads_to_is_asked_for_before_the_map_has_come_and_only_once(
    http_server, base_url, samples
):
    async with opened_page() as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url.partition("/api")[2]))
        come = await held(page)
        path = f"/datasets/{samples.marble.id}"
        parts = [path, f"{path}/info", f"{path}/validation", "/colorMaps"]
        async with page.expect_request(f"**{parts[-1]}"):
            await page.goto(f"{base_url}/#dataset={samples.marble.id}", wait_until="commit")
        assert set(parts) <= set(asked)
        come.set()
        await drawn(page)
        assert [asked.count(part) for part in parts] == [1] * 4


@pytest.mark.gen_test
async def test_a_server_that_goes_before_the_map_has_come_is_told(http_server, base_url, samples):
    async with opened_page(allowed=["ERR_CONNECTION_REFUSED"]) as page:
        come = await held(page)
        await page.route("**/api/datasets*", lambda route: route.abort("connectionrefused"))
        await page.goto(base_url, wait_until="commit")
        await page.wait_for_selector("#list-state[aria-busy=false]", state="attached")
        come.set()
        await page.wait_for_selector("#banner:has-text('does not answer')")


def test_the_page_names_every_script_that_it_will_need():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    preloaded = re.findall(r'rel="modulepreload"[^>]* href="static/(\w+\.js)"', page)
    reached, ahead = set(), ["main.js"]
    while ahead:
        name = ahead.pop()
        found = re.findall(r'from "\./(\w+\.js)"', (STATIC / name).read_text(encoding="utf-8"))
        ahead += set(found) - reached
        reached |= set(found)
    assert sorted(preloaded) == sorted(reached)
    # The few that show the list come before the map's library, and all others after it.
    first = page.index("ol.js")
    assert page.index("static/catalogue.js") < first < page.index("static/map.js")
