"""Bearer tokens of an issuer: the same doors, other keys."""

import asyncio
import json
import threading

import pytest

from gateway.handlers import base
from gateway.model import Scale
from tests.issuer import AUDIENCE, EC_KEY, RSA_KEYS, Issuer, public_jwk, public_pem

pytestmark = pytest.mark.gen_test


@pytest.fixture
def issuer():
    started = Issuer()
    yield started
    started.close()


@pytest.fixture
def settings(settings, issuer):
    return settings.model_copy(
        update={"oidc_issuer": issuer.url, "oidc_audience": AUDIENCE, "oidc_jwks_url": f"{issuer.url}/keys"}
    )


async def test_a_token_of_the_issuer_downloads_and_is_on_record(fetch, world, issuer):
    dataset = world.add(visibility=Scale.INTERNAL)
    for token in (issuer.token(), issuer.token(private=EC_KEY, key_id="curve", algorithm="ES256", sub="eva")):
        answer = await fetch(f"/api/datasets/{dataset.id}/download/cog", token=token)
        assert (answer.code, answer.body) == (200, world.cog.read_bytes())
    assert [row.user_id for row in world.audit("download.cog")] == ["ana", "eva"]
    assert issuer.asked == ["/keys"]


async def test_a_scoped_token_is_still_the_gateways_own(fetch, world, issuer):
    dataset = world.add(visibility=Scale.INTERNAL)
    minted = await fetch(f"/api/auth/download-token/{dataset.id}", "POST", token=issuer.token())
    assert minted.code == 200
    url = f"/api/datasets/{dataset.id}/download/cog?token="
    assert (await fetch(url + json.loads(minted.body)["token"])).code == 200
    assert (await fetch(url + issuer.token(typ="download", scope=f"dataset:{dataset.id}", jti="j"))).code == 401


@pytest.mark.parametrize("changes", [
    {"iss": "https://login.example"}, {"aud": "other"}, {"exp": 1}, {"typ": "download"}, {"sub": ""},
    {"private": RSA_KEYS[1]}, {"private": "k" * 31 + "ey-of-the-tests", "algorithm": "HS256"},
])  # fmt: skip
async def test_any_other_token_is_refused(fetch, world, issuer, changes):
    dataset = world.add()
    answer = await fetch(f"/api/datasets/{dataset.id}", token=issuer.token(**changes))
    assert answer.code == 401


async def test_the_gateways_own_bearer_tokens_are_refused(fetch, world):
    dataset = world.add()
    assert (await fetch(f"/api/datasets/{dataset.id}", token=world.bearer())).code == 401


async def test_the_public_key_as_hmac_secret_is_refused(fetch, world, issuer, monkeypatch):
    monkeypatch.setattr("jwt.algorithms.is_pem_format", lambda _: False)
    token = issuer.token(private=public_pem(RSA_KEYS[0]), algorithm="HS256")
    assert (await fetch(f"/api/datasets/{world.add().id}", token=token)).code == 401


async def test_requests_wait_for_one_fetch_and_strangers_do_not_cause_more(fetch, world, issuer):
    path = f"/api/datasets/{world.add().id}"
    answers = [fetch(path, token=issuer.token(key_id=f"made up {n}")) for n in range(4)] + [
        fetch(path, token=issuer.token()) for _ in range(4)
    ]
    assert [(await answer).code for answer in answers] == [401] * 4 + [200] * 4
    assert issuer.asked == ["/keys"]


async def test_an_issuer_that_is_away_is_a_503_and_anonymous_callers_are_served(fetch, world, issuer):
    issuer.broken = True
    path = f"/api/datasets/{world.add().id}"
    answer = await fetch(path, token=issuer.token())
    assert answer.code == 503
    assert 1 <= int(answer.headers["Retry-After"]) <= 31
    assert (await fetch(path)).code == 200


async def test_a_slow_issuer_is_a_503_in_time(fetch, world, issuer, monkeypatch):
    monkeypatch.setattr(base, "KEYS_WAIT_SECONDS", 0.05)
    gate = threading.Event()
    answer_at_once = issuer.answer
    issuer.answer = lambda handler: (gate.wait(120), answer_at_once(handler))
    path = f"/api/datasets/{world.add().id}"
    assert (await fetch(path, token=issuer.token())).code == 503
    assert (await fetch(path)).code == 200
    gate.set()
    if (running := world.services.issuer.refresh()) is not None:
        await asyncio.wrap_future(running)
    assert (await fetch(path, token=issuer.token())).code == 200


async def test_rereading_the_keys_asks_the_issuer_anew(fetch, world, issuer):
    path = f"/api/datasets/{world.add().id}"
    assert (await fetch(path, token=issuer.token())).code == 200
    issuer.keys = [public_jwk(RSA_KEYS[1], "second")]
    world.services.reread_keys(world.services.settings)
    # The fetch that runs, or None when it is done.
    if (running := world.services.issuer.refresh()) is not None:
        await asyncio.wrap_future(running)
    assert (await fetch(path, token=issuer.token(private=RSA_KEYS[1], key_id="second"))).code == 200
    assert (await fetch(path, token=issuer.token())).code == 401
