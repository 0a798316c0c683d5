"""Direct: the file read by byte ranges in the browser, from this disk and from a bucket."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
from rasterio.transform import from_origin

from gateway.model import Scale
from gateway.services import open_services
from tests.browser.conftest import REFUSED, SAMPLES, colours, drawn, middle, sign_in
from tests.browsing import opened_page
from tests.handlers.conftest import World
from tests.rasters import write_cog_of
from tests.s3 import new_bucket

DRAWN = "#direct-told:has-text('Drawn from')"


@pytest.mark.gen_test
async def test_the_file_is_drawn_from_ranges_alone(http_server, base_url, samples):
    seen = []
    async with opened_page() as page:
        page.on("response", lambda answer: seen.append(answer) if "/download/" in answer.url else None)
        await page.goto(base_url)
        await page.click("text=Blue Marble")
        await drawn(page)
        place = await page.text_content("#map-told")
        await page.check("#how-direct")
        await page.wait_for_selector(DRAWN)
        assert {answer.status for answer in seen} == {206}
        assert len(seen) > 2
        assert await colours(page, "#map") > 500
        assert await page.text_content("#map-told") == place
        assert "how=direct" in page.url
        assert "token" not in page.url
        await page.focus("#map")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#popup dd")
        await page.focus("#how-direct")
        await page.keyboard.press("ArrowLeft")
        await page.wait_for_selector("#direct-told", state="hidden")
        await page.wait_for_url(lambda url: "how=direct" not in url)


@pytest.mark.gen_test
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
        await page.goto(f"{base_url}#dataset={samples.elevation.id}&how=direct&colors=viridis")
        await page.wait_for_selector(DRAWN)
        assert await page.is_visible("#legend")
        assert await colours(page, "#map") > 100
    assert len(minted) == 2


@pytest.mark.gen_test
async def test_a_file_in_a_crs_that_the_map_does_not_know_lies_where_its_tiles_do(http_server, base_url, world):
    pixels = np.tile(np.arange(512, dtype=np.uint16) * 100, (1, 512, 1))
    place = from_origin(4_400_000, 2_700_000, 25, 25)
    write_cog_of(world.folder / "laea.tif", pixels, crs="EPSG:3035", transform=place)
    dataset = world.register("laea.tif", title="LAEA")
    async with opened_page() as page:
        await page.goto(f"{base_url}#dataset={dataset.id}")
        await drawn(page)
        tiles = await middle(page, "#map")
        seen = []
        page.on("request", lambda request: seen.append(request.url) if "/tiles/" in request.url else None)
        await page.check("#how-direct")
        await page.wait_for_selector(DRAWN)
        # WebGL has 16 stops of the ramp and an own way between pixels; another place would differ by far more.
        difference = np.abs((await middle(page, "#map")).astype(int) - tiles)
        assert np.median(difference) < 6
        assert len(np.unique(tiles.reshape(-1, 3), axis=0)) > 100
        assert seen == []


@pytest.mark.gen_test
async def test_who_may_not_download_cannot_read_it_directly(http_server, base_url, samples):
    shown = samples.to_look_at()
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(f"{base_url}#dataset={shown.id}&how=direct")
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

    @pytest.mark.gen_test
    async def test_a_file_is_read_and_saved_through_the_redirect(self, http_server, base_url, world):
        dataset = world.register("elevation.tif", root="far", visibility=Scale.PUBLIC)
        seen = []
        async with opened_page() as page:
            page.on("response", lambda answer: seen.append(answer.status) if "elevation.tif" in answer.url else None)
            await page.goto(f"{base_url}#dataset={dataset.id}&how=direct")
            await page.wait_for_selector(DRAWN)
            assert set(seen) == {206}
            assert await colours(page, "#map") > 100
            async with page.expect_download() as expected:
                await page.click("#download")
            assert (await (await expected.value).path()).read_bytes() == (SAMPLES / "elevation.tif").read_bytes()
