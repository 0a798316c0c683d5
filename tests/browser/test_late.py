"""Answers that come late, or to a page that shows something else by now; links that name what is no dataset."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from tests.browser.conftest import REFUSED, drawn, sign_in
from tests.browsing import opened_page


@asynccontextmanager
async def held(page, pattern):
    """Keep answers back; what is asked for then is counted, and the answers come when the block ends."""
    come, asked = asyncio.Event(), []

    async def wait(route):
        asked.append(route.request.url)
        await come.wait()
        await route.continue_()

    await page.route(pattern, wait)
    try:
        yield asked
    finally:
        come.set()


@pytest.mark.gen_test
async def test_lines_for_other_programs_are_there_before_a_style_is(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        async with held(page, "**/statistics*"):
            await page.click("text=Elevation")
            await page.click("#use-open")
            await page.wait_for_selector("#use[open] pre")
            assert "rescale" not in await page.text_content("#use-lines")
        await drawn(page)


@pytest.mark.gen_test
async def test_lines_that_cannot_be_made_are_told_to_all_who_look(http_server, base_url, samples):
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        await page.route("**/tile-token/*", lambda route: route.fulfill(status=429, json={"detail": "Too many."}))
        await page.click("#use-open")
        await page.wait_for_selector("#banner-text:has-text('Too many.')")
        await page.unroute("**/tile-token/*")
        await page.click("#banner-retry")
        await page.wait_for_selector("#use[open] pre")
        assert await page.is_hidden("#banner")


@pytest.mark.gen_test
async def test_lines_end_with_their_dataset(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        await page.click("#use-open")
        await page.wait_for_selector("#use[open] pre")
        await page.go_back()
        await page.wait_for_selector("#catalogue:not([hidden])")
        assert await page.is_hidden("#use")
        await page.click(".item:has-text('Elevation')")
        await drawn(page)
        async with page.expect_response("**/tile-token/*"), held(page, "**/tile-token/*"):
            await page.click("#use-open")
            await page.go_back()
            await page.wait_for_selector("#catalogue:not([hidden])")
        await page.wait_for_timeout(200)
        assert await page.is_hidden("#use")


@pytest.mark.gen_test
async def test_a_link_names_a_dataset_and_no_other_address(http_server, base_url, samples):
    async with opened_page(allowed=[REFUSED]) as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        for hostile in (f"{samples.elevation.id}/download/cog?", "../../livez?", ".."):
            await page.goto("about:blank")
            await page.goto(f"{base_url}/#dataset={hostile}")
            await page.wait_for_selector("#dataset-state:has-text('no such dataset')")
            await sign_in(page, samples.bearer)
            await page.wait_for_selector("#dataset-state:has-text('no such dataset')")
        assert not [url for url in asked if "/download/" in url or "/livez" in url or url.endswith("/api/info")]
    assert samples.world.audit("download.cog") == []


@pytest.mark.gen_test
async def test_a_click_on_the_map_asks_for_its_values_once(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        shown = await page.evaluate(
            "() => { let n = 0; const fetched = fetch;"
            " globalThis.fetch = (url, ...rest) => { n += String(url).includes('/point/'); return fetched(url, ...rest); };"
            " globalThis.counted = () => n; return n; }"
        )
        await page.focus("#map")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#popup dd")
        assert await page.evaluate("counted()") - shown == 1


@pytest.mark.gen_test
async def test_a_file_that_is_left_before_its_token_came_is_not_read(http_server, base_url, samples):
    async with opened_page() as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        pattern = f"**/download-token/{samples.elevation.id}"
        async with page.expect_response(pattern), held(page, pattern):
            await page.check("#how-direct")
            await page.click("#back")
            await page.click(".item:has-text('Blue Marble')")
            await drawn(page)
            await page.check("#how-direct")
            await page.wait_for_selector("#direct-told:has-text('Drawn from')")
        await page.click("#back")
        await page.wait_for_timeout(300)
        assert not [url for url in asked if f"{samples.elevation.id}/download" in url]


@pytest.mark.gen_test
async def test_what_is_drawn_late_leaves_nothing_on_the_list(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        async with page.expect_response("**/download-token/*"), held(page, "**/download-token/*"):
            await page.goto(f"{base_url}/#dataset={samples.elevation.id}&how=direct")
            await page.wait_for_selector("#direct-told:has-text('Reading')")
            await page.click("#back")
        await page.wait_for_timeout(1500)
        assert await page.is_hidden("#legend")
        assert await page.is_hidden("#how")


@pytest.mark.gen_test
async def test_a_file_read_in_another_style_is_read_by_the_same_token(http_server, base_url, samples):
    async with opened_page() as page:
        minted = []
        page.on("request", lambda request: minted.append(request.url) if "/download-token/" in request.url else None)
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        await page.check("#how-direct")
        for ramp in ("viridis", "magma", "gray"):
            await page.wait_for_selector("#direct-told:has-text('Drawn from')")
            await page.check(f"#ramps [value={ramp}]")
            await page.wait_for_selector(f"#legend img[src*={ramp}]")
        await page.wait_for_selector("#direct-told:has-text('Drawn from')")
        assert len(minted) == 1


@pytest.mark.gen_test
async def test_names_of_files_in_lines_to_copy_are_no_options_and_nothing_for_a_shell(http_server, base_url, samples):
    titles = [
        "-rf",
        "--help",
        "..",
        ".bashrc",
        "a\"; $(id) `id` 'x' \\ \n",
        "</script>",
        "x" * 300,
        "日本",
        "É t.1",
        "-",
        "",
    ]
    async with opened_page() as page:
        await page.goto(base_url)
        names = await page.evaluate(
            "async (titles) => titles.map((await import('./static/uselines.js')).fileName)", titles
        )
    assert names == [
        "rf",
        "help",
        "dataset",
        "bashrc",
        "a_id_id_x",
        "script",
        "x" * 100,
        "dataset",
        "E_t.1",
        "dataset",
        "dataset",
    ]


@pytest.mark.gen_test
async def test_a_title_that_cannot_be_seen_or_turns_the_text_is_shown_as_what_it_is(http_server, base_url, samples):
    told = {
        "a/b/c.1": ("c.1", "a/b"), "\u202egnp.exe": ("\ufffdgnp.exe", ""), "\u2067x/\x1b[31my": ("\ufffd[31my", "\ufffdx"),
        "": ("Untitled", ""), "\u200b": ("Untitled", ""), "f/ ": ("Untitled", "f"), "می\u200cخواهم": ("می\u200cخواهم", ""),
    }  # fmt: skip
    samples.world.add("long.tif", title="w" * 3000)
    async with opened_page() as page:
        await page.goto(base_url)
        script = "async (titles) => { const { named } = await import('./static/format.js'); return titles.map((title) => named({ title })); }"
        named = await page.evaluate(script, list(told))
        await page.click("text=www")
        await page.wait_for_selector("#dataset-head:not([hidden])")
        box = await page.locator("#title").bounding_box()
    assert [(each["name"], each["folder"]) for each in named] == list(told.values())
    assert box["height"] < 150
