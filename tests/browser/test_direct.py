"""The second tab: the file read by byte ranges in the browser, from this disk and from a bucket."""

import time
from types import SimpleNamespace

import pytest

from gateway.model import Scale
from gateway.services import open_services
from tests.browser.conftest import REFUSED, SAMPLES, colours, sign_in
from tests.browsing import opened_page
from tests.handlers.conftest import World
from tests.s3 import new_bucket

DRAWN = "#direct-told:has-text('Drawn from the file itself')"


@pytest.mark.gen_test(timeout=60)
async def test_the_file_is_drawn_from_ranges_alone(http_server, base_url, samples):
    seen = []
    async with opened_page() as page:
        page.on("response", lambda answer: seen.append(answer) if "/download/" in answer.url else None)
        await page.goto(base_url)
        await page.click("text=Blue Marble")
        await page.wait_for_selector("#tabs:not([hidden])")
        await page.click("#tab-direct")
        await page.wait_for_selector(DRAWN)
        assert {answer.status for answer in seen} == {206}
        assert len(seen) > 2
        assert await colours(page, "#direct") > 500
        assert "tab=direct" in page.url
        assert "token" not in page.url
        await page.focus("#tab-direct")
        await page.keyboard.press("ArrowLeft")
        assert await page.is_visible("#map")


@pytest.mark.gen_test(timeout=60)
async def test_nodata_and_colours_are_those_of_the_style_and_an_expired_token_is_renewed(
    http_server, base_url, samples, monkeypatch
):
    minted = []

    def clock() -> float:
        minted.append(time.time())
        return time.time() - (100_000 if len(minted) == 1 else 0)

    monkeypatch.setattr("gateway.handlers.tokens.time", SimpleNamespace(time=clock))
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.goto(f"{base_url}#dataset={samples.elevation.id}&tab=direct&colors=viridis")
        await page.wait_for_selector(DRAWN)
        assert await colours(page, "#direct") > 100
    assert len(minted) == 2


@pytest.mark.gen_test(timeout=60)
async def test_who_may_not_download_cannot_read_it_directly(http_server, base_url, samples):
    shown = samples.to_look_at()
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(f"{base_url}#dataset={shown.id}&tab=direct")
        await page.wait_for_selector("text=Only those who may download this file can read it directly.")


@pytest.fixture
def far_world(settings, moto_store, cog_file, tmp_path):
    bucket = new_bucket(moto_store)
    moto_store.client.upload_file(str(SAMPLES / "elevation.tif"), bucket, "elevation.tif")
    roots = {"far": moto_store.root(bucket)}
    with open_services(settings.model_copy(update={"roots": roots})) as services:
        yield World(services, tmp_path / "rasters", cog_file)


class TestOfABucket:
    """The same where downloads are redirected."""

    @pytest.fixture
    def world(self, far_world):
        return far_world

    @pytest.mark.gen_test(timeout=60)
    async def test_a_file_is_read_and_saved_through_the_redirect(self, http_server, base_url, world):
        dataset = world.register("elevation.tif", root="far", visibility=Scale.PUBLIC)
        seen = []
        async with opened_page() as page:
            page.on("response", lambda answer: seen.append(answer.status) if "elevation.tif" in answer.url else None)
            await page.goto(f"{base_url}#dataset={dataset.id}&tab=direct")
            await page.wait_for_selector(DRAWN)
            assert set(seen) == {206}
            assert await colours(page, "#direct") > 100
            async with page.expect_download() as expected:
                await page.click("#download")
            assert (await (await expected.value).path()).read_bytes() == (SAMPLES / "elevation.tif").read_bytes()
