"""Collections, days, words and long lists: what is shown of them, what is asked for, and what a link keeps."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.catalogue.collections import Collection
from gateway.dates import DatedBy, Dates
from gateway.ids import time_ordered_id
from gateway.model import Scale
from tests.browser.conftest import REFUSED, sign_in
from tests.browser.test_access import faults
from tests.browsing import opened_page
from tests.handlers.conftest import act

START = datetime(2001, 1, 1, tzinfo=UTC)
LONG = 1000


def scenes(world, collection: str, title: str, number: int, **values) -> None:
    """Register scenes of a collection, one for each day from 2001 on; they have a place, and no file of their own."""
    services = world.services
    services.records.create_collection(Collection(collection, title, START, START, "Of the survey."), act())
    known = world.datasets[0] if world.datasets else world.add("known.tif", title="Known", collection="known")
    world.datasets[:] = [known]
    made = []
    for each in range(number):
        at = START + timedelta(days=each)
        own = {"id": time_ordered_id(), "key": f"{collection}-{each}.tif", "title": f"{title} {each:04}"}
        dates = Dates(at, at, DatedBy.OPTION)
        made.append((replace(known, **own, collection=collection, dates=dates, **values), act()))
    services.records.register_datasets(made)


async def titles(page, of: str) -> list[str]:
    """Return the titles of the rows of a list."""
    return await page.locator(f"#{of} .item-title").all_inner_texts()


async def fill_day(page, control: str, day: str, told: str) -> None:
    """Choose a day, and return when the list says so."""
    await page.fill(control, day)
    await page.wait_for_selector(f"#count:text-is('{told}')")


@pytest.mark.gen_test
async def test_collections_come_first_and_words_and_days_narrow_them_and_their_datasets(http_server, base_url, world):
    scenes(world, "alps", "<b>Alps</b>", 30)
    scenes(world, "coast", "Coast", 3, visibility=Scale.PRIVATE, owner="ana")
    async with opened_page([REFUSED]) as page:
        await page.goto(base_url)
        await page.wait_for_selector("#count:text-is('2 collections · 31 datasets')")
        assert await titles(page, "collections") == ["<b>Alps</b>", "known"]
        told = await page.locator("#collections .item").first.inner_text()
        assert "30 datasets" in told
        assert "Jan 1 – 30, 2001" in told
        await fill_day(page, "#since", "2001-01-30", "2 collections · 2 datasets")
        await fill_day(page, "#until", "2001-02-01", "1 collection · 1 dataset")
        assert page.url.endswith("#from=2001-01-30&to=2001-02-01")
        await page.fill("#until", "2001-01-02")
        await page.wait_for_selector("text=The last day lies before the first.")
        await page.click("#list-state button")
        await page.click("#collections .item >> nth=0")
        await page.wait_for_selector("#collection-title:text-is('<b>Alps</b>')")
        await page.wait_for_selector("#count:text-is('30 datasets')")
        assert await page.evaluate("document.activeElement.id") == "collection-title"
        assert await page.is_hidden("#sets")
        await page.fill("#q", "0007")
        await page.wait_for_selector("#count:text-is('1 dataset')")
        assert page.url.endswith("#collection=alps&q=0007")
        await page.reload()
        await page.wait_for_selector("#count:text-is('1 dataset')")
        await page.fill("#q", "none of them")
        await page.click("text=Clear the search")
        await page.wait_for_selector("#count:text-is('30 datasets')")
        assert await faults(page) == []
        await page.go_back()
        await page.wait_for_selector("#count:text-is('2 collections · 31 datasets')")
        await page.go_forward()
        await page.wait_for_selector("#count:text-is('30 datasets')")
        await page.click("#leave")
        await page.wait_for_selector("#count:text-is('2 collections · 31 datasets')")
        assert await page.evaluate("document.activeElement.dataset.key") == "collection:alps"
        await page.goto(f"{base_url}#collection=coast")
        await page.wait_for_selector("text=There is no such collection for you.")
        await sign_in(page, world.bearer("ana"))
        await page.wait_for_selector("#count:text-is('3 datasets')")
        await page.click("#account")
        await page.wait_for_selector("text=There is no such collection for you.")
        assert "Coast" not in await page.inner_text("#panel")


@pytest.mark.gen_test
async def test_a_long_list_is_scrolled_with_few_rows_in_the_page_and_kept_on_the_way_back(
    http_server, base_url, world
):
    scenes(world, "long", "Scene", LONG)
    async with opened_page([REFUSED, "status of 500"]) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url) if "&sortby=title" in request.url else None)
        await page.goto(f"{base_url}/#collection=long&row=400")
        await page.wait_for_selector("text=Scene 0399")
        await page.wait_for_selector("text=Scene 0401")
        # What is above is not asked for.
        assert all("offset=350&" in url or "offset=400&" in url for url in asked)
        await page.click("text=Scene 0401")
        await page.wait_for_selector("#dataset-state .state-title, #dataset-head:not([hidden])")
        await page.go_back()
        await page.wait_for_selector("text=Scene 0399")
        assert await page.evaluate("document.activeElement.innerText.startsWith('Scene 0401')")
        assert "row=400" in page.url
        await page.route("**/datasets?*offset=950*", lambda route: route.fulfill(status=500, json={}))
        await page.keyboard.press("End")
        await page.wait_for_selector("text=These rows did not come.")
        await page.unroute("**/datasets?*offset=950*")
        await page.keyboard.press("Enter")
        await page.wait_for_selector(f"text=Scene {LONG - 1:04}")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#dataset:not([hidden])")
        assert await page.locator("#list li").count() < 40
        assert len(asked) <= 5


@pytest.mark.gen_test
async def test_the_answer_to_what_was_typed_last_is_shown_whenever_the_others_come(http_server, base_url, world):
    scenes(world, "typed", "Scene", 12)
    come = asyncio.Event()

    async def wait(route):
        await come.wait()
        await route.continue_()

    async with opened_page([REFUSED]) as page:
        await page.route("**/datasets?*q=Scene&*", wait)
        await page.goto(f"{base_url}/#collection=typed")
        await page.wait_for_selector("#count:text-is('12 datasets')")
        async with page.expect_request("**/datasets?*q=Scene&*") as first:
            await page.fill("#q", "Scene")
        await page.type("#q", " 0011")
        await page.wait_for_selector("#count:text-is('1 dataset')")
        come.set()
        assert await (await first.value).response() is None
        assert await titles(page, "list") == ["Scene 0011"]
        await page.focus("#q")
        await page.keyboard.press("ArrowDown")
        assert await page.evaluate("document.activeElement.innerText.startsWith('Scene 0011')")
        await page.keyboard.press("ArrowUp")
        assert await page.evaluate("document.activeElement.id") == "q"
