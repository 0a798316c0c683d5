"""The map: pixels, style, values, the link that restores it, and tokens that expire under it."""

import time
from types import SimpleNamespace

import numpy as np
import pytest
import rasterio
from imagecodecs import png_encode
from rasterio.warp import transform

from tests.browser.conftest import REFUSED, SAMPLES, colours, drawn, sign_in
from tests.browsing import opened_page
from tests.rasters import write_cog_of


@pytest.mark.gen_test
async def test_a_chosen_dataset_is_drawn(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        assert "≈ 9.8 km" in await page.inner_text("#list .item-facts")
        await page.click("text=Blue Marble")
        await drawn(page)
        assert await colours(page, "#map") > 500
        assert "9.8 km" in await page.inner_text("#key-facts")
        assert await page.inner_text("#download") == "Download · 1.86 MB"
        assert "true Cloud-Optimized GeoTIFF" in await page.inner_text("#verdict")
        assert "4,096 × 4,096" in await page.inner_text("#facts")
        await page.wait_for_selector("#histogram path >> nth=2", state="attached")


@pytest.mark.gen_test
async def test_opacity_and_colours_change_what_is_drawn(http_server, base_url, samples):
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        assert await page.is_checked("#ramps [value=gist_earth]")
        assert await colours(page, "#map") > 100
        await page.check("#ramps [value=gray]")
        await page.wait_for_selector("#legend img[src*=gray]")
        await drawn(page)
        assert 50 < await colours(page, "#map") <= 256
        await page.check("#stretch [value=minmax]")
        await page.wait_for_selector("#legend:has-text('240')")
        assert "stretch=minmax" in page.url
        await page.click("#reset")
        await page.wait_for_selector("#legend:has-text('285')")
        await page.fill("#from", "400")
        await page.press("#from", "Enter")
        await page.wait_for_selector("#legend:has-text('400')")
        assert "range=400,919" in page.url
        await page.fill("#opacity", "0")
        await drawn(page)
        assert await colours(page, "#map") < 50


@pytest.mark.gen_test
async def test_the_value_at_a_point_is_that_of_the_raster(http_server, base_url, samples):
    with rasterio.open(SAMPLES / "elevation.tif") as raster:
        row, column = 300, 250
        value = raster.read(1)[row, column]
        [lon], [lat] = transform(raster.crs, "EPSG:4326", *([each] for each in raster.xy(row, column)))
    async with opened_page() as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.goto(f"{base_url}#dataset={samples.elevation.id}&at=14,{lon},{lat}")
        await drawn(page)
        await page.focus("#map")
        await page.keyboard.press("Enter")
        await page.wait_for_selector("#popup dd")
        await page.mouse.move(*[(await page.locator("#map").bounding_box())[each] + 200 for each in ("x", "y")])
        await page.wait_for_selector("#pointer:has-text('° W')")
        assert await page.inner_text("#popup dt") == "Band 1"
        assert await page.inner_text("#popup dd") == str(value)
        assert f"Band 1 {value}" in await page.inner_text("#live:not(:empty)")
        await page.keyboard.press("ArrowRight")
        box = await page.locator("#map").bounding_box()
        await page.mouse.click(box["x"] + 80, box["y"] + box["height"] - 80)
        await page.wait_for_selector("#popup .place")


@pytest.mark.gen_test
async def test_a_link_restores_dataset_place_and_style(http_server, base_url, samples):
    wanted = f"#dataset={samples.elevation.id}&at=11.50,-84.30000,36.30000&range=300,800&colors=magma_r&opacity=0.5"
    async with opened_page([REFUSED], permissions=["clipboard-read", "clipboard-write"]) as page:
        await page.goto(base_url + wanted)
        await page.click("#dataset-state button")
        await page.fill("#bearer", samples.bearer)
        await page.press("#bearer", "Enter")
        await drawn(page)
        assert page.url.endswith(wanted)
        assert await page.is_checked("#ramps [value=magma]")
        assert await page.is_checked("#reversed")
        assert [await page.input_value(each) for each in ("#from", "#to", "#opacity")] == ["300", "800", "50"]
        await page.click("#share")
        await page.wait_for_selector("#live:has-text('The link is copied.')", state="attached")
        assert await page.evaluate("navigator.clipboard.readText()") == page.url
        await page.click("#back")
        assert page.url.rstrip("/") == base_url
    async with opened_page() as page:
        await page.goto(f"{base_url}#dataset={samples.marble.id}&at=2.00,20.00000,10.00000&bands=3,2,1&range=0,200")
        await drawn(page)
        chosen = [await each.input_value() for each in await page.locator("#bands select").all()]
        assert chosen == ["3", "2", "1"]
        assert "zoom level 2.0" in await page.text_content("#map-told")


@pytest.mark.gen_test
async def test_an_expired_tile_token_is_renewed(http_server, base_url, samples, monkeypatch):
    documents = []

    def clock() -> float:
        documents.append(time.time())
        return time.time() - (100_000 if len(documents) == 1 else 0)

    monkeypatch.setattr("gateway.handlers.handed.time", SimpleNamespace(time=clock))
    async with opened_page(allowed=[REFUSED]) as page:
        await page.goto(base_url)
        await sign_in(page, samples.bearer)
        await page.click("text=Elevation")
        await drawn(page)
        assert await colours(page, "#map") > 50
        assert len(documents) == 2
        assert await page.is_hidden("#banner")


TILE = png_encode(np.full((256, 256, 3), (200, 40, 160), np.uint8))


@pytest.mark.gen_test
@pytest.mark.parametrize(
    "settings",
    [
        {
            "basemap_url": "http://127.0.0.1:9/{z}/{x}/{y}.png",
            "basemap_attribution": "© [Somebody](https://example.org/c)",
        }
    ],
    indirect=True,
)
async def test_the_operators_ground_is_drawn_and_can_be_switched_off(http_server, base_url, world):
    asked = []

    async def tile(route):
        asked.append(await route.request.all_headers())
        await route.fulfill(body=TILE, content_type="image/png")

    async with opened_page() as page:
        await page.route("http://127.0.0.1:9/**", tile)
        await page.goto(f"{base_url}/?secret#q=none")
        await page.wait_for_selector("#attribution a[href='https://example.org/c']")
        ground = page.get_by_role("button", name="Picture of the ground")
        await ground.wait_for()
        await page.wait_for_load_state("networkidle")
        await page.wait_for_timeout(400)
        assert await colours(page, "#map") == 1
        assert {each.get("referer") for each in asked} == {f"{base_url}/"}
        await ground.click()
        await page.wait_for_timeout(400)
        assert await colours(page, "#map") > 1


@pytest.mark.gen_test
async def test_values_that_are_no_picture_are_told_and_not_asked_for(http_server, base_url, world):
    write_cog_of(world.folder / "radar.tif", np.zeros((1, 512, 512), np.complex64))
    dataset = world.register("radar.tif", title="Radar")
    async with opened_page() as page:
        await page.goto(f"{base_url}#dataset={dataset.id}")
        await page.wait_for_selector("text=This data type cannot be shown as a picture.")
        assert await page.is_enabled("#download")
        assert await page.is_hidden("#how")
