"""Limits that nodes share, over HTTP: what one has counted the other refuses, and without Valkey all go on."""

import asyncio
import contextlib
import json
import time

import pytest

from gateway.model import Scale
from gateway.rates import RateLimits
from gateway.settings import Settings
from tests.handlers.conftest import act, problem
from tests.handlers.test_rates import told_to_wait
from tests.metrics.test_board import values
from tests.valkey import COUNTED_IN

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.skipif("valkey" not in COUNTED_IN, reason="there is no Valkey here"),
]
LIMITS = {"mint": "3/minute", "failure": "3/minute"}
CLIENT = "127.0.0.1"


@pytest.fixture
def settings(settings, valkey) -> Settings:
    rates = {f"{name}_rate": limit for name, limit in LIMITS.items()}
    return settings.model_copy(update={"valkey_url": valkey.url, **rates})


@pytest.fixture
def other(valkey, tmp_path):
    """The limits of another node."""
    (tmp_path / "other").mkdir()
    with contextlib.closing(RateLimits(LIMITS, tmp_path / "other", valkey_url=valkey.url)) as opened:
        yield opened


async def test_bad_credentials_shown_to_another_node_count_and_good_ones_pass(fetch, world, other):
    path = f"/api/datasets/{world.add(visibility=Scale.INTERNAL).id}/download/cog"
    for _ in range(2):
        await asyncio.to_thread(other.spend_shared("failure", None, CLIENT).wait)
    assert problem(await fetch(path, token="a.b.c"))["status"] == 401
    for bad in ({"token": "a.b.c"}, {"headers": {"Authorization": "Basic x"}}):
        assert 50 <= told_to_wait(await fetch(path, **bad)) <= 60
    assert told_to_wait(await fetch(f"{path}?token=x"))
    assert (await fetch(path, token=world.bearer())).code == 200
    assert (await fetch(path)).code == 401
    assert len(world.audit("download.refused")) == 2


async def test_a_disabled_user_is_counted_too(fetch, world):
    world.services.records.set_disabled("ben", True, act())
    path, ben = f"/api/datasets/{world.add().id}", world.bearer("ben")
    assert [(await fetch(path, token=ben)).code for _ in range(4)] == [401, 401, 401, 429]


async def test_tokens_minted_by_another_node_count(fetch, world, other):
    dataset = world.add(visibility=Scale.INTERNAL)
    for _ in range(2):
        await asyncio.to_thread(other.spend_shared("mint", "ana", CLIENT).wait)
    assert (await fetch(f"/api/datasets/{dataset.id}/tilejson.json", token=world.bearer("ana"))).code == 200
    assert told_to_wait(await fetch(f"/api/auth/tile-token/{dataset.id}", "POST", token=world.bearer("ana")))
    assert (await fetch(f"/api/auth/tile-token/{dataset.id}", "POST", token=world.bearer("ben"))).code == 200


async def state(fetch):
    response = await fetch("/readyz")
    assert (response.code, json.loads(response.body)["status"]) == (200, "ready")
    alone = values((await fetch("/metrics")).body)["cog_gateway_limits_alone"]
    return json.loads(response.body)["parts"]["valkey"], alone


async def test_a_hung_valkey_holds_up_one_request_and_readiness_tells_of_it(
    fetch, world, valkey, monkeypatch, caplog
):
    monkeypatch.setattr("gateway.handlers.health.STORE_REMEMBERED_SECONDS", 0)
    monkeypatch.setattr("gateway.rates.valkey.REST_SECONDS", 0.0)
    storage = world.services.rates._valkey._storage
    storage._client.connection_pool.connection_kwargs |= {"socket_timeout": 0.3, "socket_connect_timeout": 0.3}
    path, token = f"/api/auth/download-token/{world.add().id}", world.bearer
    assert await state(fetch) == ("ok", 0)
    with valkey.hung():
        assert (await fetch(path, "POST", token=token("first"))).code == 200
        began = time.monotonic()
        for number in range(10):
            assert (await fetch(path, "POST", token=token(f"user {number}"))).code == 200
        assert time.monotonic() - began < 10 * 0.3
        assert await state(fetch) == ("failing", 1)
    while world.services.rates.counts_alone():
        await asyncio.sleep(0.01)
    assert await state(fetch) == ("ok", 0)
    assert len([text for text in caplog.messages if text.startswith("Limits are counted")]) == 2


async def test_without_the_setting_valkey_is_no_part(world, fetch, settings):
    world.services.rates._valkey.close()
    world.services.rates._valkey = None
    assert "valkey" not in json.loads((await fetch("/readyz")).body)["parts"]
