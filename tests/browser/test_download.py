"""Download: a token, the file on the visitor's disk, and what is said to those who may not have it."""

import time
from types import SimpleNamespace

import pytest

from tests.browser.conftest import REFUSED, SAMPLES, drawn, sign_in
from tests.browsing import opened_page


@pytest.mark.gen_test
async def test_the_saved_file_is_the_source_under_its_own_name(http_server, base_url, samples, tmp_path):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await page.wait_for_selector("text=Download · 422 kB")
        async with page.expect_download() as expected:
            await page.click("#download")
        download = await expected.value
        await download.save_as(tmp_path / "saved.tif")
        assert download.suggested_filename == "Elevation.tif"
        assert (tmp_path / "saved.tif").read_bytes() == (SAMPLES / "elevation.tif").read_bytes()
        await page.wait_for_selector("text=Saving. Your browser shows how far it is.")
    [row] = samples.world.audit("download.cog")
    assert (row.user_id, row.dataset_id, row.status) == ("ana", samples.elevation.id, 200)


@pytest.mark.gen_test
async def test_a_link_to_a_public_file_saves_it_and_an_expired_download_token_is_renewed(
    http_server, base_url, samples, monkeypatch
):
    minted = []

    def clock() -> float:
        minted.append(time.time())
        return time.time() - (100_000 if len(minted) == 1 else 0)

    monkeypatch.setattr("gateway.handlers.tokens.time", SimpleNamespace(time=clock))
    async with opened_page(allowed=[REFUSED]) as page:
        async with page.expect_download() as expected:
            await page.goto(f"{base_url}/api/datasets/{samples.marble.id}/download/cog", wait_until="commit")
        assert (await (await expected.value).path()).stat().st_size == samples.marble.size_bytes
    assert len(minted) == 2


@pytest.mark.gen_test
async def test_who_may_not_download_is_offered_none_and_told_why(http_server, base_url, samples):
    shown = samples.to_look_at()
    async with opened_page() as page:
        await page.goto(f"{base_url}/api/datasets/{shown.id}/download/cog")
        # Without an issuer a token is asked for.
        await page.wait_for_selector("#bearer")
        await page.keyboard.press("Escape")
        await page.wait_for_selector("text=To download it, you have to sign in.")
        assert await page.is_disabled("#download")
        await page.click("#download-note button")
        await page.fill("#bearer", samples.bearer)
        await page.press("#bearer", "Enter")
        await page.wait_for_selector("text=You may look at this dataset, but not download it.")
        await drawn(page)
        assert "download" not in page.url
        assert await page.is_disabled("#download")


@pytest.mark.gen_test
async def test_what_cannot_be_had_offers_no_download_and_is_marked_in_the_list(http_server, base_url, samples):
    marble, shown = samples.marble, samples.to_look_at()
    path = samples.world.folder / "blue_marble.tif"
    path.write_bytes(path.read_bytes()[:200_000])
    (samples.world.folder / "shown.tif").unlink()
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(base_url)
        await page.wait_for_selector(f"[data-id='{marble.id}'] .badge:has-text('not a COG')")
        await page.wait_for_selector(f"[data-id='{shown.id}'] .badge:has-text('file is gone')")
        await page.click("text=Blue Marble")
        await page.wait_for_selector("#download-note:has-text('no true COG any more')")
        assert await page.is_disabled("#download")
        assert await page.is_visible("#report .verdict.bad")
        assert await page.is_hidden("#use-open")
        await page.click("#back")
        await page.click("text=To look at")
        await page.wait_for_selector("#badges:has-text('file is gone')")
        assert await page.inner_text("#download-note") == "The file of this dataset is gone."
        assert await page.is_disabled("#download")
