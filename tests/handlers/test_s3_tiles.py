"""Tiles of datasets in a bucket, over HTTP: those of local files, in few requests, and 503 at once in trouble."""

import asyncio
import re

import pytest

from gateway.settings import RootSettings, Settings
from tests.handlers.conftest import problem
from tests.handlers.test_tiles import covering
from tests.rasters import write_cog
from tests.s3 import one_store

pytestmark = pytest.mark.gen_test


@pytest.fixture
def settings(tmp_path, store, bucket, tunnel, shared) -> Settings:
    """A local root, and a bucket behind a tunnel. No tile is kept: every one is drawn."""
    (tmp_path / "rasters").mkdir()
    return Settings(
        state_dir=tmp_path / "state",
        roots={
            "data": RootSettings(uri=f"file:{tmp_path / 'rasters'}"),
            "bucket": store.root(bucket, "cogs", endpoint_url=tunnel.url),
        },
        secret_keys=("k" * 31 + "ey-of-the-tests",),
        tile_cache_mb=0,
        **shared,
        _env_file=None,
    )


@pytest.fixture
def put(store, bucket):
    """Return a function that stores an object behind the gateway's back."""
    return lambda body: store.client.put_object(Bucket=bucket, Key="cogs/a.tif", Body=body)


@pytest.fixture
def far(world, put, tunnel):
    """A dataset in the bucket; what went through the tunnel until now is forgotten."""
    put(world.cog.read_bytes())
    dataset = world.register("a.tif", root="bucket")
    tunnel.requests.clear()
    return dataset


def tile_of(dataset, place, query=".png"):
    return f"/api/datasets/{dataset.id}/tiles/{'/'.join(map(str, place))}{query}"


async def test_every_answer_is_that_of_the_same_local_file(fetch, world, far):
    near, token = world.add(), world.bearer()
    z, x, y = await covering(fetch, near)
    west, south, east, north = near.raster.bounds
    point = f"{(west + east) / 2},{(south + north) / 2}"
    paths = [
        f"tiles/{z}/{x}/{y}{end}" for end in ("", ".png", ".jpg", ".webp", ".npy", ".tif", ".png?reproject=cubic")
    ]
    paths += [f"tiles/{z - 2}/{x // 4}/{y // 4}@2x.png", "info", "statistics", f"point/{point}", "preview.png"]
    paths += [f"bbox/{west},{south},{(west + east) / 2},{north}/64x64.png", "info.geojson"]
    paths += [f"bbox/{west},{south},{(west + east) / 2},{north}.tif?native=true"]
    for path in paths:
        expected, found = [await fetch(f"/api/datasets/{each.id}/{path}", token=token) for each in (near, far)]
        assert (expected.code, found.code) == (200, 200), path
        assert expected.body == found.body, (path, expected.body.hex(), found.body.hex())
    for path in ("tilejson.json", "WMTSCapabilities.xml"):
        expected, found = [(await fetch(f"/api/datasets/{each.id}/{path}")).body.decode() for each in (near, far)]
        # The default range of values of a file in a bucket is not known before a tile of it is drawn.
        expected = re.sub(r"&amp;rescale=[^\"&]+(?=\"/></Style>)", "", expected)
        assert expected == found.replace(far.id, near.id).replace(far.version, near.version), path


async def test_a_tile_costs_one_look_and_the_blocks_it_shows(fetch, far, tunnel):
    place = await covering(fetch, far)
    await fetch(tile_of(far, place))
    tunnel.requests.clear()
    assert (await fetch(tile_of(far, (place[0], place[1], place[2]), ".webp"))).code == 200
    assert [method for method, _ in tunnel.requests] == ["HEAD"]


async def test_a_replaced_object_has_new_tiles(fetch, world, far, put, tmp_path):
    near = world.add()
    place = await covering(fetch, far)
    first = await fetch(tile_of(far, place))
    other = write_cog(tmp_path / "other.tif", seed=2).read_bytes()
    put(other)
    (world.folder / near.key).write_bytes(other)
    second = await fetch(tile_of(far, place))
    assert (first.code, second.code) == (200, 200)
    assert second.headers["ETag"] != first.headers["ETag"]
    assert second.body == (await fetch(tile_of(near, place))).body != first.body


@one_store
@pytest.mark.usefixtures("limits_of_the_product")
@pytest.mark.parametrize("trouble", ["refuses", "never answers"])
async def test_a_store_in_trouble_is_a_503_at_once_and_local_tiles_come_meanwhile(fetch, world, far, tunnel, trouble):
    near = world.add()
    place = await covering(fetch, near)
    assert (await fetch(tile_of(far, place))).code == 200
    if trouble == "refuses":
        tunnel.down()
    tunnel.mute = trouble == "never answers"
    tunnel.requests.clear()
    waiting = asyncio.gather(*(fetch(tile_of(far, place, f".png?rescale=0,{n}")) for n in range(1, 13)))
    for n in range(1, 4):
        assert (await fetch(tile_of(near, place, f".png?rescale=0,{n}"))).code == 200
    for answer in await waiting:
        assert problem(answer)["status"] == 503
        assert int(answer.headers["Retry-After"]) >= 1
    # Nobody waits for two requests that get no answer, one after the other.
    assert len(tunnel.requests) <= 12


@one_store
@pytest.mark.usefixtures("limits_of_the_product")
async def test_a_store_that_goes_silent_under_a_tile_is_asked_once_more_and_found_again(
    fetch, world, far, tunnel, monkeypatch
):
    from gateway.storage import breaker

    monkeypatch.setattr(breaker, "REST_SECONDS", 0.0)
    place = await covering(fetch, far)
    tunnel.requests.clear()

    def fall_silent(_):
        tunnel.mute = bool(tunnel.of("GET"))

    tunnel.before = fall_silent
    path = tile_of(far, (place[0] + 1, place[1] * 2, place[2] * 2), ".npy")
    answer = await fetch(path, token=world.bearer())
    assert tunnel.of("GET")
    assert problem(answer)["status"] == 503
    tunnel.before, tunnel.mute = (lambda _: None), False
    tunnel.drop()
    assert (await fetch(tile_of(far, place))).code == 200
