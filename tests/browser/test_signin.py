"""Signing in with an issuer: at a certified provider, and what comes of hostile answers."""

from hashlib import sha256

import pytest

from tests.browser.conftest import REFUSED, SAMPLES, drawn
from tests.browsing import opened_page
from tests.provider import running_provider

AUDIENCE = "https://maps.example.org/api"
# The provider's pages for development ask for a font elsewhere, and Chromium for what they do not have.
ELSEWHERE = [REFUSED, "ERR_NAME_NOT_RESOLVED"]


@pytest.fixture(scope="module")
def provider():
    with running_provider() as running:
        yield running


@pytest.fixture
def settings(settings, provider):
    return settings.model_copy(update={"oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE})


@pytest.fixture
def client(provider, samples, base_url):
    """Return a function that lets people sign in to the gateway with a new client of that name."""

    def made(name: str = "gateway") -> None:
        vars(samples.world.services.settings).update(oidc_client_id=provider.client(f"{base_url}/", name=name))

    return made


async def sign_in_there(page, name: str) -> None:
    """Sign in on the provider's own pages, and agree to what the gateway asks for."""
    await page.fill("input[name=login]", name)
    await page.fill("input[name=password]", "any")
    await page.click("button[type=submit]")
    await page.click("text=Continue")


async def stored(page) -> str:
    """Everything that the browser keeps for the page."""
    kept = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    return f"{kept} {page.url}"


@pytest.mark.gen_test
async def test_somebody_signs_in_at_the_issuer_and_sees_what_is_theirs(http_server, base_url, samples, client):
    client()
    async with opened_page(ELSEWHERE) as page:
        await page.goto(f"{base_url}/#at=3.00,10.00,20.00&near=1")
        await page.wait_for_selector("text=1 dataset")
        await page.click("#account")
        await page.click("#signin-go")
        await sign_in_there(page, "ana")
        await page.wait_for_selector("#who:not([hidden])")
        assert await page.text_content("#who") == "ana of the tests"
        assert page.url.startswith(f"{base_url}/#")
        assert "near=1" in page.url
        assert await stored(page) == f'[{{}},{{}},""] {page.url}'
        await page.evaluate(f"location.hash = 'dataset={samples.elevation.id}'")
        await drawn(page)
        assert await page.text_content("#title") == "Elevation"
        # There and here: whoever signs in after that is asked who they are.
        await page.click("#account")
        await page.click("#signout-there")
        await page.click("text=Yes, sign me out")
        await page.wait_for_url(f"{base_url}/")
        assert await page.text_content("#account") == "Sign in"
        await page.click("#account")
        await page.click("#signin-go")
        await page.wait_for_selector("input[name=login]")


@pytest.mark.gen_test
async def test_a_link_to_a_file_opened_in_a_browser_signs_in_and_saves_it(http_server, base_url, samples, client):
    client("short")
    file = f"{base_url}/api/datasets/{samples.elevation.id}/download/cog"
    async with opened_page(ELSEWHERE) as page:
        await page.goto(file, wait_until="commit")
        async with page.expect_download() as saved:
            await sign_in_there(page, "ana")
        content = await (await saved.value).path()
        assert sha256(content.read_bytes()).digest() == sha256((SAMPLES / "elevation.tif").read_bytes()).digest()
        await drawn(page)
        assert "download" not in page.url
        # Before its end the token is renewed, and nothing on the page changes.
        async with page.expect_response("**/token") as renewed:
            pass
        assert "refresh_token" in (await renewed.value).request.post_data
        assert await page.is_hidden("#banner")
    rows = samples.world.audit("download.cog")
    assert [row.user_id for row in rows] == ["ana"]
    assert samples.world.audit("download.refused") == []
