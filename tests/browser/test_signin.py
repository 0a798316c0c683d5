"""Signing in with an issuer: at a certified provider, and what comes of hostile answers."""

import json
from contextlib import closing
from hashlib import sha256
from urllib.error import HTTPError
from urllib.parse import parse_qs, urlencode, urlsplit
from urllib.request import urlopen

import pytest

from tests.browser.conftest import REFUSED, SAMPLES, drawn
from tests.browsing import opened_page
from tests.issuer import Issuer
from tests.provider import running_provider

AUDIENCE = "https://maps.example.org/api"
# The provider's pages for development ask for a font elsewhere.
ELSEWHERE = [REFUSED, "ERR_NAME_NOT_RESOLVED"]
# A minute before tokens of ten minutes end they are renewed.
NEARLY = 9 * 60 * 1000 + 1000


@pytest.fixture(scope="module")
def provider():
    with running_provider() as running:
        yield running


class HostileIssuer(Issuer):
    """An issuer whose token endpoint answers `tokens` with `status` to the pages of all origins."""

    def __init__(self) -> None:
        super().__init__()
        self.said = {"authorization_endpoint": f"{self.url}/auth", "token_endpoint": f"{self.url}/token"}
        self.status, self.tokens = 200, {}
        self.server.RequestHandlerClass.do_POST = lambda handler: self.posted(handler)

    def posted(self, handler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        body = json.dumps(self.tokens).encode()
        handler.send_response(self.status)
        handler.send_header("Access-Control-Allow-Origin", "*")
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@pytest.fixture
def hostile():
    with closing(HostileIssuer()) as issuer:
        yield issuer


@pytest.fixture
def settings(settings, request):
    """Those of a gateway at whose issuer people sign in, the provider or the one that the test names."""
    named = "hostile" if "hostile" in request.fixturenames else "provider"
    issuer = getattr(request.getfixturevalue(named), "url" if named == "hostile" else "issuer")
    told = {"oidc_issuer": issuer, "oidc_audience": AUDIENCE, "oidc_client_id": "people"}
    return settings.model_copy(update=told)


@pytest.fixture
def client(provider, samples, base_url):
    """Return a function that gives the gateway a client of its own at the provider."""

    def made(**options) -> None:
        made_id = provider.client(f"{base_url}/", **options)
        vars(samples.world.services.settings).update(oidc_client_id=made_id)

    return made


async def sign_in_there(page, name: str) -> None:
    """Sign in on the provider's own pages, and agree to what the gateway asks for."""
    await page.fill("input[name=login]", name)
    await page.fill("input[name=password]", "any")
    await page.click("button[type=submit]")
    await page.click("text=Continue")


async def kept(page) -> list:
    """What the browser keeps for the page."""
    return await page.evaluate("[{...localStorage}, {...sessionStorage}, document.cookie, location.search]")


@pytest.mark.gen_test
async def test_somebody_signs_in_at_the_issuer_stays_so_by_a_click_and_signs_out(
    http_server, base_url, samples, client
):
    client(renewed=False)
    async with opened_page(ELSEWHERE) as page:
        await page.clock.install()
        await page.goto(f"{base_url}/#dataset={samples.elevation.id}")
        await page.click("#dataset-state button")
        await page.click("#signin-go")
        await sign_in_there(page, "ana")
        await drawn(page)
        assert await page.text_content("#title") == "Elevation"
        assert await page.text_content("#who") == "ana of the tests"
        assert await kept(page) == [{}, {}, "", ""]
        await page.clock.fast_forward(NEARLY)
        await page.wait_for_selector("text=Your sign-in ends at")
        place = page.url
        await page.click("text=Sign in again")
        # The issuer knows who it is, and asks nothing.
        await page.wait_for_selector("text=Your sign-in ends at", state="hidden")
        await drawn(page)
        assert page.url == place
        await page.click("#account")
        await page.click("#signout-there")
        await page.click("text=Yes, sign me out")
        await page.wait_for_url(f"{base_url}/")
        await page.click("#account")
        await page.click("#signin-go")
        # Whoever signs in after that is asked who they are.
        await page.wait_for_selector("input[name=login]")


@pytest.mark.gen_test
async def test_a_link_to_a_file_opened_in_a_browser_signs_in_and_saves_it(
    http_server, base_url, samples, client, provider
):
    client()
    file = f"{base_url}/api/datasets/{samples.elevation.id}/download/cog"
    async with opened_page(ELSEWHERE) as page:
        await page.clock.install()
        await page.goto(file, wait_until="commit")
        async with page.expect_download() as saved:
            await sign_in_there(page, "ana")
        content = await (await saved.value).path()
        assert sha256(content.read_bytes()).digest() == sha256((SAMPLES / "elevation.tif").read_bytes()).digest()
        await drawn(page)
        assert "download" not in page.url
        place = page.url
        async with page.expect_response("**/token") as renewed:
            await page.clock.fast_forward(NEARLY)
        used = parse_qs((await renewed.value).request.post_data)
        assert used["grant_type"] == ["refresh_token"]
        # Somebody has stolen that one: the provider ends all that came of it.
        with pytest.raises(HTTPError, match="400"):
            urlopen(f"{provider.issuer}/token", urlencode(used, doseq=True).encode(), timeout=60)
        assert await page.is_hidden("#banner")
        await page.clock.fast_forward(NEARLY)
        await page.wait_for_selector("text=Your sign-in could not be renewed")
        assert page.url == place
        # Here alone; the next page is not one of somebody who is signed in.
        await page.click("#account")
        async with page.expect_response("**/token/revocation"):
            await page.click("#signout-here")
        await page.wait_for_selector("text=There is no such dataset for you.")
        # Not Ana's: Ben is led there and back, and told.
        await page.goto("about:blank")
        await page.context.clear_cookies()
        await page.goto(file, wait_until="commit")
        await sign_in_there(page, "ben")
        await page.wait_for_selector("text=It may have been removed, or it is not shared with you.")
    rows = samples.world.audit("download.cog")
    assert [row.user_id for row in rows] == ["ana"]
    assert samples.world.audit("download.refused") == []


NONCE = {"nonce": "n"}
CASES = [
    ({"state": "other", "code": "c"}, {}, "was not begun in this window"),
    ({"state": "s", "code": "c", "iss": "https://evil.example"}, {}, 'not to be trusted: unexpected "iss"'),
    ({"state": "s", "error": "access_denied"}, {}, "The issuer refuses: access_denied"),
    ({"state": "s", "code": "c"}, {"status": 400, "tokens": {"error": "invalid_grant"}}, "invalid_grant"),
    ({"error": "access_denied"}, {}, "was not begun in this window"),
    ({"state": "s", "code": "c"}, {"status": 500}, "not to be trusted"),
    ({"state": "s", "code": "c"}, {"id": {"nonce": "another"}}, "not to be trusted: unexpected ID Token"),
    ({"state": "s", "code": "c"}, {"id": {**NONCE, "aud": "other"}}, 'not to be trusted: unexpected JWT "aud"'),
    ({"state": "s", "code": "c"}, {"id": NONCE, "aud": "other"}, "does not accept the issuer's token"),
    ({"state": "s", "code": "c"}, {"id": NONCE}, None),
]
ARRIVE = """async ([answer, question]) => {
  const { arrive } = await import("/static/signin.js");
  const { api, session } = await import("/static/first.js");
  const told = await arrive(api, session, { answer: new URLSearchParams(answer), question });
  return [told, session.bearer];
}"""


@pytest.mark.gen_test
async def test_answers_that_nobody_asked_for_or_may_trust_are_one_sentence(http_server, base_url, samples, hostile):
    async with opened_page([REFUSED, "500"]) as page:
        await page.goto(f"{base_url}/?code=c&state=s")
        await page.wait_for_selector("text=This sign-in was not begun in this window, so it was not finished.")
        assert await kept(page) == [{}, {}, "", ""]
        await page.evaluate("location.hash = 'near=1&at=3.00,10.00,20.00'")
        await page.click("#account")
        await page.click("#signin-go")
        await page.wait_for_url(f"{hostile.url}/**")
        asked = {name: value for name, [value] in parse_qs(urlsplit(page.url).query).items()}
        assert asked["code_challenge_method"] == "S256"
        assert (asked["redirect_uri"], asked["resource"]) == (f"{base_url}/", AUDIENCE)
        words = "<img src=x onerror=alert(1)>" * 20
        told = urlencode({"error": "access_denied", "error_description": words, "state": asked["state"]})
        await page.goto(f"{base_url}/?{told}")
        await page.wait_for_selector("text=The issuer refuses: <img")
        assert await page.text_content("#banner-text") == f"The issuer refuses: {words[:200]}"
        assert "near=1" in page.url
        assert await kept(page) == [{}, {}, "", ""]
        for answer, said, sentence in CASES:
            hostile.status, hostile.tokens = said.get("status", 200), said.get("tokens", {})
            if "id" in said:
                id_token = hostile.token(**{"aud": "people", **said["id"]})
                bearer = hostile.token(aud=said.get("aud", AUDIENCE))
                hostile.tokens = {"access_token": bearer, "token_type": "Bearer", "id_token": id_token}
            question = {"state": "s", "nonce": "n", "verifier": "v" * 43}
            told, held = await page.evaluate(ARRIVE, [urlencode(answer), question])
            assert (told is None) == (sentence is None) == (held is not None), (answer, told)
            assert sentence is None or sentence in told, told
