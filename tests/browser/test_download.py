"""Download: a token, the file on the visitor's disk, and what is said to those who may not have it."""

import time
from types import SimpleNamespace

import pytest

from tests.browser.conftest import REFUSED, SAMPLES, sign_in
from tests.browsing import opened_page


@pytest.mark.gen_test(timeout=60)
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
        await page.wait_for_selector("text=Your browser saves it now")
    [row] = samples.world.audit("download.cog")
    assert (row.user_id, row.dataset_id, row.status) == ("ana", samples.elevation.id, 200)


@pytest.mark.gen_test(timeout=60)
async def test_an_expired_download_token_is_renewed(http_server, base_url, samples, monkeypatch):
    minted = []

    def clock() -> float:
        minted.append(time.time())
        return time.time() - (100_000 if len(minted) == 1 else 0)

    monkeypatch.setattr("gateway.handlers.tokens.time", SimpleNamespace(time=clock))
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(f"{base_url}#dataset={samples.marble.id}")
        await page.wait_for_selector("#tabs:not([hidden])")
        async with page.expect_download() as expected:
            await page.click("#download")
        assert (await (await expected.value).path()).stat().st_size == samples.marble.size_bytes
    assert len(minted) == 2


@pytest.mark.gen_test(timeout=60)
async def test_who_may_not_download_is_told_why(http_server, base_url, samples):
    shown = samples.to_look_at()
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(f"{base_url}#dataset={shown.id}")
        await page.wait_for_selector("#tabs:not([hidden])")
        await page.click("#download")
        await page.wait_for_selector("text=Only those who are signed in may download this.")
        await sign_in(page, samples.bearer)
        await page.wait_for_selector("#tabs:not([hidden])")
        await page.click("#download")
        await page.wait_for_selector("text=You may look at this dataset, but not download it.")
