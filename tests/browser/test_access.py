"""Keyboard, screen reader, phone and dark: axe's judgement, and what it cannot see."""

import pytest
from axe_playwright_python.async_playwright import Axe

from tests.browser.conftest import colours, drawn, sign_in
from tests.browsing import opened_page

PHONE = {"viewport": {"width": 360, "height": 740}}
DARK = {"color_scheme": "dark"}


async def faults(page) -> list[str]:
    """What axe calls serious or worse."""
    found = (await Axe().run(page)).response["violations"]
    return [
        f"{each['id']}: {node['html']}"
        for each in found
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]


@pytest.mark.gen_test
async def test_axe_finds_nothing_serious(http_server, base_url, samples):
    for options in ({}, DARK, PHONE):
        async with opened_page(**options) as page:
            await page.goto(base_url)
            await page.wait_for_selector("text=1 dataset")
            await page.click("#account")
            # The dialog makes the rest inert, but not invisible to axe.
            assert await faults(page) == []
            await page.keyboard.press("Escape")
            await sign_in(page, samples.bearer)
            await page.click("text=Elevation")
            await drawn(page)
            await page.focus("#map")
            await page.keyboard.press("Enter")
            await page.wait_for_selector("#popup .place")
            assert await faults(page) == []


@pytest.mark.gen_test
async def test_a_phone_shows_everything_without_scrolling_sideways(http_server, base_url, samples):
    async with opened_page(**PHONE, device_scale_factor=2, has_touch=True) as page:
        await page.goto(base_url)
        assert await page.is_visible("#list .item")
        await page.tap("#map-open")
        assert await page.evaluate("document.body.dataset.sheet") == "peek"
        await page.tap("#map-open")
        await page.tap("text=Blue Marble")
        await drawn(page)
        assert await page.evaluate("document.body.dataset.sheet") == "half"
        for height in ("full", "peek", "half"):
            await page.tap("#grip")
            assert await page.evaluate("document.body.dataset.sheet") == height
            assert await page.is_visible("#download")
        assert await page.evaluate("document.documentElement.scrollWidth") == 360
        assert await colours(page, "#map") > 500
        for control in ("#download", "#share", "#opacity", "#mode", "#from"):
            await page.locator(control).scroll_into_view_if_needed()
            box = await page.locator(control).bounding_box()
            assert box["x"] >= 0, control
            assert box["x"] + box["width"] <= 360, control


@pytest.mark.gen_test
async def test_no_control_of_the_panel_is_cut_at_any_width(http_server, base_url, samples):
    async with opened_page(viewport={"width": 1440, "height": 800}) as page:
        await page.goto(f"{base_url}#dataset={samples.marble.id}")
        await drawn(page)
        for width in (1440, 1024, 800, 390, 340):
            await page.set_viewport_size({"width": width, "height": 800})
            cut = await page.evaluate("""() => {
              const { right } = document.querySelector("#panel").getBoundingClientRect();
              const shown = [...document.querySelectorAll("#panel button, #panel select, #panel input")];
              return shown.filter((each) => each.getBoundingClientRect().right > right).map((each) => each.id);
            }""")
            assert cut == [], width
            if width != 340:
                top = "(id) => document.getElementById(id).getBoundingClientRect().top"
                assert await page.evaluate(top, "share") == await page.evaluate(top, "download"), width


@pytest.mark.gen_test
async def test_the_keyboard_alone_is_enough(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await page.wait_for_selector("#list .item")
        await page.focus("#q")
        # Into the collections, and on to the first dataset.
        for key in ("ArrowDown", "ArrowDown", "Enter"):
            await page.keyboard.press(key)
        await drawn(page)
        assert await page.evaluate("document.activeElement.id") == "title"
        await page.focus("#map")
        told = await page.text_content("#map-told")
        await page.keyboard.press("+")
        await page.wait_for_timeout(400)
        nearer = await page.text_content("#map-told")
        assert nearer != told
        await page.keyboard.press("ArrowRight")
        await page.wait_for_timeout(400)
        assert await page.text_content("#map-told") != nearer
        await page.focus("#back")
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.dataset.id") == samples.marble.id


@pytest.mark.gen_test
async def test_dark_is_dark(http_server, base_url, samples):
    grounds = []
    for scheme in ("light", "dark"):
        async with opened_page(color_scheme=scheme) as page:
            await page.goto(base_url)
            grounds.append(await page.evaluate("getComputedStyle(document.querySelector('#panel')).backgroundColor"))
    assert grounds == ["rgb(255, 255, 255)", "rgb(22, 30, 29)"]
