"""Tokens of one's own and links to share, on the page."""

import re

import pytest

from tests.browser.conftest import REFUSED, drawn, sign_in
from tests.browsing import opened_page


@pytest.mark.gen_test
async def test_a_token_is_made_copied_and_revoked_on_the_page(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        assert not await page.is_visible("#tokens-open")
        await sign_in(page, samples.bearer)
        await page.click("#tokens-open")
        await page.click("text=Make a token")
        secret = await page.input_value("#tokens .made input")
        assert re.fullmatch("cgw_[A-Za-z0-9_-]{43}", secret)
        await page.wait_for_selector("#tokens .issued li")
        (token,) = samples.world.services.records.tokens.every()
        assert (token.owner, token.name, token.download) == ("ana", "QGIS", True)
        await page.keyboard.press("Escape")
        await page.click("#tokens-open")
        # It was told once.
        assert await page.locator("#tokens .made input").count() == 0
        await page.click("#tokens .issued button")
        await page.wait_for_selector("#tokens .issued:empty", state="attached")
        assert list(samples.world.services.records.tokens.every()) == []


@pytest.mark.gen_test
async def test_a_link_opens_the_page_on_its_dataset_without_sign_in_and_once(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(f"{base_url}#dataset={samples.marble.id}")
        await sign_in(page, samples.bearer)
        await page.wait_for_selector("#title:not(:empty)")
        # Ana's own, and not what is nobody's.
        assert not await page.is_visible("#links-open")
        await page.click("#back")
        await page.click("text=Elevation")
        await page.click("#links-open")
        await page.fill("#links input[type=number]", "1")
        await page.click("text=Make a link")
        url = await page.input_value("#links .made input")
    async with opened_page([REFUSED]) as page:
        await page.goto(base_url + url[url.index("/#") :])
        await drawn(page)
        assert await page.text_content("#title") == "Elevation"
        assert await page.text_content("#who") == "by a link"
        assert not await page.is_visible("#tokens-open")
        assert not await page.is_visible("#links-open")
        assert await page.is_disabled("#download")
        # The address goes on to be the link.
        assert "link=cgl_" in page.url
        samples.world.services.records.tokens.clear()
        await page.reload()
        await page.wait_for_selector("text=This link opens nothing any more.")
