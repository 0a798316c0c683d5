"""/metrics over HTTP: who may read it, what moves it, and that nothing of a client's is in it."""

import pytest

from gateway.model import Scale
from tests.handlers.conftest import problem
from tests.metrics.test_board import values

pytestmark = [
    pytest.mark.gen_test,
    pytest.mark.one_node("each node counts for itself, and the balancer keeps /metrics for those inside"),
]


async def counted(fetch) -> dict[str, float]:
    response = await fetch("/metrics")
    assert response.code == 200
    assert response.headers["Content-Type"].startswith("text/plain; version=")
    assert response.headers["Cache-Control"] == "no-store"
    return values(response.body)


async def test_requests_are_counted_by_template_and_status(fetch, world):
    dataset = world.add()
    for path in (f"/api/datasets/{dataset.id}", "/api/datasets/none", "/nowhere", "/api/datasets"):
        await fetch(path)
    found = await counted(fetch)
    for route, status in (("/datasets/{id}", 200), ("/datasets/{id}", 422), ("unknown", 404), ("/datasets", 200)):
        assert found[f'http_requests_total{{method="GET",route="{route}",status="{status}"}}'] == 1, route
    assert found['http_request_duration_seconds_count{route="/datasets/{id}"}'] == 2
    assert found['cog_gateway_problems_total{problem="Not Found",status="404"}'] == 1


async def test_downloads_are_counted_on_both_ways_with_their_bytes(fetch, world):
    dataset, token = world.add(), world.bearer()
    path = f"/api/datasets/{dataset.id}/download/cog"
    size = len((await fetch(path, token=token)).body)
    for _ in range(5):
        assert (await fetch(path, token=token, headers={"Range": "bytes=0-99"})).code == 206
    await fetch(path, "HEAD", token=token)
    found = await counted(fetch)
    assert found['cog_gateway_downloads_total{backend="local",outcome="completed"}'] == 6
    assert found['cog_gateway_download_bytes_total{backend="local"}'] == size + 500
    assert found['http_requests_total{method="GET",route="/datasets/{id}/download/cog",status="206"}'] == 5
    assert found["cog_gateway_audit_batch_rows_sum"] >= 6
    assert found["cog_gateway_audit_commit_seconds_count"] >= 1


async def test_tiles_are_counted_by_their_way(fetch, world):
    path = f"/api/datasets/{world.add().id}/tiles/0/0/0.png"
    tag = (await fetch(path)).headers["ETag"]
    await fetch(path)
    await fetch(path, headers={"If-None-Match": tag})
    await fetch(path + "?algorithm=hillshade")
    found = await counted(fetch)
    ways = {way: found.get(f'cog_gateway_tiles_total{{format="png",way="{way}"}}') for way in (
        "hot", "cached", "not-modified", "rio-tiler")}  # fmt: skip
    assert ways == {"hot": 1, "cached": 1, "not-modified": 1, "rio-tiler": 1}
    assert found['cog_gateway_tile_seconds_count{way="rio-tiler"}'] == 1
    assert (found['cog_gateway_tile_cache_total{result="hit"}'], found["cog_gateway_tile_cache_bytes"] > 0) == (
        1,
        True,
    )


async def test_judgements_and_tokens_are_counted(fetch, world):
    dataset = world.add()
    (world.folder / dataset.key).write_bytes(b"no raster")
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog", token=world.bearer())).code == 422
    other = world.add("b.tif")
    await fetch(f"/api/auth/download-token/{other.id}", "POST")
    found = await counted(fetch)
    assert found['cog_gateway_validations_total{result="invalid"}'] == 1
    assert found['cog_gateway_tokens_minted_total{typ="download"}'] == 1
    assert found['cog_gateway_database_bytes{file="gateway.db"}'] > 0
    assert found['cog_gateway_pool_limit{pool="studio"}'] == 4 * 64
    assert found["cog_gateway_open_requests"] == 1


async def test_a_store_that_does_not_answer_is_told_by_its_root(fetch, world, monkeypatch):
    storage = world.services.storages["data"]
    assert (await counted(fetch))['cog_gateway_storage_failures_total{root="data"}'] == 0
    monkeypatch.setattr(storage, "failures", 3)
    monkeypatch.setattr(storage, "resting", True)
    for _ in range(2):
        found = await counted(fetch)
        assert found['cog_gateway_storage_failures_total{root="data"}'] == 3
        assert found['cog_gateway_storage_resting{root="data"}'] == 1


async def test_nothing_of_a_client_is_in_it(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE, title="Secret")
    await fetch(f"/api/datasets/{dataset.id}/strange-path", token=world.bearer("somebody"))
    text = (await fetch("/metrics")).body.decode()
    for word in (dataset.id, "somebody", "Secret", "strange-path", str(world.folder), "eyJ"):
        assert word not in text


@pytest.mark.parametrize("settings", [{"metrics_networks": ("192.0.2.0/24",)}], indirect=True)
async def test_others_may_not_read_it(fetch):
    response = await fetch("/metrics")
    assert response.code == 403
    assert problem(response)["detail"]


@pytest.mark.parametrize("settings", [{"trusted_proxies": ("127.0.0.1",)}], indirect=True)
async def test_whoever_comes_through_a_proxy_is_asked_for_by_his_own_address(fetch):
    assert (await fetch("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})).code == 403
    assert (await fetch("/metrics")).code == 200


@pytest.mark.parametrize(
    "name",
    [
        "X-Forwarded-For", "Forwarded", "Via", "X-Real-IP",
        *(f"X-Forwarded-{what}" for what in ("Host", "Proto", "Port", "Prefix", "Server")),
    ],
)  # fmt: skip
async def test_whoever_comes_through_an_unknown_proxy_on_this_machine_may_not_read_it(fetch, name):
    assert (await fetch("/metrics", headers={name: "127.0.0.1"})).code == 403
