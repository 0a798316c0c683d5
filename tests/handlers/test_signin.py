"""What the gateway says of signing in with its issuer, and who is led to the page of a dataset for it."""

import json
from urllib.parse import urljoin

import pytest

from gateway.handlers.signin import audience_parameter
from gateway.model import Scale
from gateway.settings import Settings
from tests.handlers.conftest import UNKNOWN_ID, comparable, problem
from tests.issuer import AUDIENCE, Issuer

OPENED = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Accept": "text/html,*/*;q=0.8"}


@pytest.fixture
def issuer():
    running = Issuer()
    paths = {"authorization_endpoint": "/auth", "token_endpoint": "/token?a=1", "end_session_endpoint": "/out"}
    running.said = {name: running.url + path for name, path in paths.items()}
    yield running
    running.close()


@pytest.fixture
def settings(settings, issuer):
    told = {"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_client_id": "people"}
    return settings.model_copy(update=told)


@pytest.mark.gen_test
async def test_the_page_is_told_where_people_sign_in_and_may_ask_there_only_when_they_come_back(fetch, issuer, world):
    page = await fetch("/")
    assert f'data-issuer="{issuer.url.removeprefix("http://")}"' in page.body.decode()
    assert issuer.url not in page.headers["Content-Security-Policy"]
    assert issuer.asked == []
    told = json.loads((await fetch("/api/auth/issuer")).body)
    assert (told["client_id"], told["scope"], told["parameters"]) == ("people", "openid", {})
    assert (told["issuer"], told["token_endpoint"]) == (issuer.url, f"{issuer.url}/token?a=1")
    back = await fetch("/?code=secret&state=x")
    policy = back.headers["Content-Security-Policy"]
    assert f"connect-src 'self' {issuer.url}/token;" in policy
    assert f"form-action 'self' {issuer.url}/out;" in policy
    assert back.headers["Cache-Control"] == "no-store"
    assert page.headers["Cache-Control"] == "no-cache"
    assert issuer.asked == ["/.well-known/openid-configuration"]
    vars(world.services.settings).update(oidc_client_id=None)
    assert "people do not sign in" in problem(await fetch("/api/auth/issuer"))["detail"].lower()
    assert (await fetch("/?code=secret&state=x")).headers["Cache-Control"] == "no-cache"
    described = json.loads((await fetch("/.well-known/oauth-protected-resource")).body)
    assert "client_id" not in described


@pytest.mark.gen_test
async def test_an_issuer_that_is_away_keeps_nobody_from_the_page(fetch, issuer):
    issuer.broken = True
    away = await fetch("/api/auth/issuer")
    assert (away.code, problem(away)["detail"]) == (503, "The issuer cannot be asked just now.")
    assert int(away.headers["Retry-After"]) in (30, 31)
    back = await fetch("/?error=access_denied&state=x")
    assert (back.code, back.headers["Cache-Control"]) == (200, "no-store")
    assert issuer.url not in back.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("audience", "parameter", "sent"),
    [
        ("https://maps.example/api", "resource", {"resource": "https://maps.example/api"}),
        ("api://maps", "audience", {"audience": "api://maps"}),
        ("api://maps", "none", {}),
        ("maps", "resource", {}),
        ("https://maps.example/#api", "resource", {}),
    ],
)
def test_the_audience_is_asked_for_as_the_issuer_wants_it(audience, parameter, sent):
    issuer = {"oidc_issuer": "https://login.example", "oidc_audience": audience}
    assert audience_parameter(Settings(**issuer, oidc_audience_parameter=parameter, _env_file=None)) == sent


@pytest.mark.gen_test
async def test_who_opens_a_file_in_a_browser_is_led_to_its_page_whatever_there_is(fetch, world):
    answers = []
    for dataset_id in (world.add(visibility=Scale.PRIVATE).id, world.add("open.tif").id, UNKNOWN_ID):
        for name in ("cog", "map.tif"):
            path = f"/api/datasets/{dataset_id}/download/{name}"
            led = await fetch(path, headers=OPENED)
            assert led.code == 303
            assert urljoin(path, led.headers["Location"]) == f"/#dataset={dataset_id}&download=1"
            assert led.headers["Cache-Control"] == "no-store"
            assert {"Authorization", "Sec-Fetch-Mode"} <= set(led.headers["Vary"].split(", "))
            led.headers["Location"] = led.headers["Location"].replace(dataset_id, "id")
            answers.append(comparable(led))
    assert all(answer == answers[0] for answer in answers)
    # Nothing was refused.
    assert world.audit() == []


@pytest.mark.gen_test
async def test_scripts_parts_of_pages_and_tokens_are_refused_as_ever(fetch, world, issuer):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    path = f"/api/datasets/{dataset.id}/download/cog"
    for changed in (
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Dest": "empty"},
        {"Accept": "image/tiff"},
    ):
        refused = await fetch(path, headers=OPENED | changed)
        assert (refused.code, refused.headers["WWW-Authenticate"]) == (401, 'Bearer realm="cog-gateway"')
    assert (await fetch(path)).code == 401
    assert (await fetch(path, "HEAD", headers=OPENED)).code == 401
    assert (await fetch(f"{path}?token=bad", headers=OPENED)).code == 401
    assert (await fetch(path, headers=OPENED, token="bad")).code == 401
    assert (await fetch(path, headers=OPENED, token=issuer.token(sub="ben"))).code == 404
    assert (await fetch("/api/datasets/nonsense/download/cog", headers=OPENED)).code == 401
    assert (await fetch(path, headers=OPENED, token=issuer.token())).code == 200


@pytest.mark.gen_test
async def test_where_downloads_are_open_a_public_file_is_the_file(fetch, world):
    vars(world.services.settings).update(open_downloads=True)
    public, hidden = world.add("open.tif"), world.add(visibility=Scale.PRIVATE)
    shown = world.add("shown.tif", download=Scale.PRIVATE)
    found = [
        (await fetch(f"/api/datasets/{each}/download/cog", headers=OPENED)).code
        for each in (public.id, hidden.id, UNKNOWN_ID, shown.id)
    ]
    assert found == [200, 303, 303, 303]
