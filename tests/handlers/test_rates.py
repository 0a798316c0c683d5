"""Limits over HTTP: minting, guessing and drawing are slowed, reading is not."""

import time

import pytest

from gateway.model import Scale
from tests.handlers.conftest import problem

pytestmark = pytest.mark.gen_test


@pytest.fixture(autouse=True)
def one_window(world, second, monkeypatch):
    """No window of a node ends under a test, however long that takes."""
    now = time.monotonic()
    for services in (world.services, *world.others):
        monkeypatch.setattr(services.rates, "_clock", lambda: now)
        monkeypatch.setattr(services.rates._table, "_clock", lambda: now)


def told_to_wait(response) -> int:
    assert response.code == 429, response.code
    assert problem(response)["type"] == "/problems/rate-limited"
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return int(response.headers["Retry-After"])


async def test_the_sixty_first_token_of_a_minute_is_told_to_wait(fetch, world):
    path = f"/api/auth/download-token/{world.add().id}"
    for _ in range(60):
        assert (await fetch(path, "POST")).code == 200
    assert 1 <= told_to_wait(await fetch(path, "POST")) <= 60
    assert (await fetch(path, "POST", token=world.bearer())).code == 200
    assert len(world.audit("token.minted")) == 61


@pytest.mark.parametrize("settings", [{"mint_rate": "2/minute"}], indirect=True)
async def test_documents_count_for_each_new_token_in_them_and_for_nothing_else(fetch, world):
    datasets = [world.add(f"{number}.tif", visibility=Scale.INTERNAL) for number in range(3)]
    token = world.bearer()
    paths = [f"/api/datasets/{dataset.id}/tilejson.json" for dataset in datasets]
    for _ in range(3):
        for path in (paths[0], paths[0].replace("tilejson.json", "WMTSCapabilities.xml"), paths[1]):
            assert (await fetch(path, token=token)).code == 200
            assert (await fetch(path, "HEAD", token=token)).code == 200
    assert (await fetch(paths[2], "HEAD", token=token)).code == 200
    told_to_wait(await fetch(paths[2], token=token))
    told_to_wait(await fetch(f"/api/auth/tile-token/{datasets[0].id}", "POST", token=token))
    assert len(world.audit("token.minted")) == 2


@pytest.mark.parametrize("settings", [{"mint_rate": "2/minute"}], indirect=True)
async def test_a_document_counts_once_however_many_tokens_are_in_it(fetch, world):
    for number in range(4):
        world.add(f"{number}.tif", visibility=Scale.INTERNAL)
    other = world.add("other.tif", visibility=Scale.INTERNAL)
    token = world.bearer()
    for _ in range(3):
        answer = await fetch("/api/WMTSCapabilities.xml", token=token)
        assert answer.code == 200
        assert answer.body.count(b"token=") >= 5
    assert len(world.audit("token.minted")) == 5
    path = f"/api/auth/tile-token/{other.id}"
    assert (await fetch(path, "POST", token=token)).code == 200
    told_to_wait(await fetch(path, "POST", token=token))


@pytest.mark.parametrize("settings", [{"failure_rate": "3/minute"}], indirect=True)
async def test_who_guesses_is_told_to_wait_and_who_has_a_token_is_not(fetch, world):
    path = f"/api/datasets/{world.add().id}/download/cog"
    assert [(await fetch(path, token="a.b.c")).code for _ in range(3)] == [401] * 3
    for wrong in ("a.b.c", "d.e.f"):
        told_to_wait(await fetch(path, token=wrong))
    told_to_wait(await fetch(f"{path}?token=x"))
    assert (await fetch(path, token=world.bearer())).code == 200
    assert (await fetch(path)).code == 401
    assert len(world.audit("download.refused")) == 4


@pytest.mark.parametrize("settings", [{"tile_rate": "24/minute"}], indirect=True)
async def test_tiles_cost_what_they_take(fetch, world):
    dataset = world.add()
    base = f"/api/datasets/{dataset.id}"
    tile = await fetch(f"{base}/tiles/0/0/0.png")
    assert (await fetch(f"{base}/tiles/0/0/0.png")).code == 200
    tagged = {"If-None-Match": tile.headers["ETag"]}
    for _ in range(30):
        assert (await fetch(f"{base}/tiles/0/0/0.png", headers=tagged)).code == 304
    assert (await fetch(f"{base}/statistics")).code == 200
    told_to_wait(await fetch(f"{base}/preview.png"))
    assert (await fetch(f"{base}/info", token=world.bearer())).code == 200
    assert (await fetch(base)).code == 200


async def test_a_reader_of_hundreds_of_ranges_is_not_slowed(fetch, world):
    dataset = world.add(visibility=Scale.INTERNAL)
    path, token = f"/api/datasets/{dataset.id}/download/cog", world.bearer()
    for start in range(0, 400_000, 1000):
        response = await fetch(path, token=token, headers={"Range": f"bytes={start}-{start + 99}"})
        assert response.code == 206
