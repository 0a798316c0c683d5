"""Values of tiles, previews and parts: given by the right to download, on record before their first byte."""

import asyncio
import json
from concurrent.futures import Future
from urllib.parse import urlsplit

import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import Level, Scale
from tests.handlers.conftest import UNKNOWN_ID, grant, problem

pytestmark = pytest.mark.gen_test
TILE = "tiles/0/0/0.npy"
PATHS = (
    TILE, "tiles/WebMercatorQuad/0/0/0@2x.tif", "preview.npy?max_size=32", "preview/20x20.tif",
    "bbox/14,47,16,48/20x20.tif", "bbox/14,47,16,48/20x20.npy?coord_crs=EPSG:4326",
    "WMTSCapabilities.xml?SERVICE=WMTS&REQUEST=GetTile&TILEMATRIX=0&TILECOL=0&TILEROW=0&FORMAT=image/tif",
)  # fmt: skip


async def token_for(fetch, dataset, kind, bearer=None):
    return json.loads((await fetch(f"/api/auth/{kind}-token/{dataset.id}", "POST", token=bearer)).body)["token"]


def url(dataset, path, **query):
    tail = "".join(f"&{name}={value}" for name, value in query.items())
    return f"/api/datasets/{dataset.id}/{path}{tail if '?' in path else tail.replace('&', '?', 1)}"


@pytest.mark.parametrize("path", PATHS)
async def test_values_are_on_record_as_a_part_of_the_file(fetch, world, path):
    dataset = world.add(visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    grant(world, dataset, Level.DOWNLOAD, user="ana")
    response = await fetch(url(dataset, path), token=world.bearer("ana"))
    assert response.code == 200
    assert response.headers["Cache-Control"] == "private, no-cache"
    (granted,), (ended,) = world.audit("download.part"), world.audit("download.finished")
    for row in (granted, ended):
        assert (row.dataset_id, row.version, row.backend) == (dataset.id, dataset.version, "local")
        assert (row.user_id, row.status, row.bytes_expected) == ("ana", 200, len(response.body))
        assert row.request_id == response.headers["X-Request-ID"]
    assert granted.detail["format"] == ("tif" if "tif" in path else "npy")
    assert granted.detail["route"] in ("tiles", "preview", "bbox")
    assert granted.detail["bands"] == "all"
    assert ended.detail == {"bytes_sent": len(response.body), "outcome": "completed"}


async def test_the_row_says_which_part_it_was(fetch, world):
    dataset, token = world.add(), world.bearer()
    for path in (f"{TILE}?bidx=1", "bbox/14,47,16,48/20x20.tif?coord_crs=EPSG:4326&expression=b1*2"):
        assert (await fetch(url(dataset, path), token=token)).code == 200
    tile, part = (row.detail for row in world.audit("download.part"))
    assert (tile["tile"], tile["bands"]) == ("WebMercatorQuad/0/0/0@1x", [1])
    assert (part["box"], part["crs"], part["expression"]) == ([14, 47, 16, 48], ["EPSG:4326", None], "b1*2")


async def test_who_may_view_alone_gets_pictures_and_no_values(fetch, world):
    dataset = world.add(visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    for path in PATHS:
        refused = await fetch(url(dataset, path), token=world.bearer())
        assert problem(refused)["status"] == 403
    assert (await fetch(url(dataset, "tiles/0/0/0.png"))).code == 200
    assert world.audit("download.part") == []
    assert {row.status for row in world.audit("download.refused")} == {403}


async def test_an_anonymous_caller_needs_a_download_token_and_a_tile_token_is_not_enough(fetch, world):
    dataset = world.add()
    tiles, download = [await token_for(fetch, dataset, kind) for kind in ("tile", "download")]
    for path in PATHS:
        assert problem(await fetch(url(dataset, path)))["status"] == 401
        assert problem(await fetch(url(dataset, path, token=tiles)))["status"] == 403
        response = await fetch(url(dataset, path, token=download))
        assert (response.code, response.headers["Cache-Control"]) == (200, "private, no-store")
    rows = world.audit("download.part")
    assert len(rows) == len(PATHS)
    assert {(row.user_id, row.token_id is None) for row in rows} == {(None, False)}
    assert (await fetch(url(dataset, "tiles/0/0/0.png", token=download))).code == 401


async def test_hidden_and_unknown_are_alike_for_values(fetch, world):
    hidden = world.add(visibility=Scale.PRIVATE)
    for token, code in ((None, 401), (world.bearer(), 404)):
        answers = [await fetch(f"/api/datasets/{each}/{TILE}", token=token) for each in (hidden.id, UNKNOWN_ID)]
        assert [answer.code for answer in answers] == [code, code]
        assert problem(answers[0])["detail"] == problem(answers[1])["detail"]


async def test_what_transfers_nothing_writes_no_row(fetch, world):
    dataset, token = world.add(), world.bearer()
    first = await fetch(url(dataset, TILE), token=token)
    head = await fetch(url(dataset, TILE), "HEAD", token=token)
    assert (head.code, head.headers["Content-Length"]) == (200, str(len(first.body)))
    again = await fetch(url(dataset, TILE), token=token, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.code, again.headers["Cache-Control"]) == (304, "private, no-cache")
    refused = await fetch(url(dataset, TILE), headers={"If-None-Match": first.headers["ETag"]})
    assert refused.code == 401
    assert [row.request_id for row in world.audit("download.part")] == [first.headers["X-Request-ID"]]


async def test_no_values_leave_that_are_not_on_record(fetch, world, monkeypatch, caplog):
    dataset = world.add()
    failed: Future[None] = Future()
    failed.set_exception(RecordsUnavailable("The audit cannot be written."))
    monkeypatch.setattr(type(world.services.audit), "record", lambda self, row: failed)
    response = await fetch(url(dataset, TILE), token=world.bearer())
    assert problem(response)["status"] == 503
    assert "ETag" not in response.headers


@pytest.mark.parametrize("settings", [{"open_downloads": True}], indirect=True)
async def test_open_downloads_gives_values_of_public_files_on_record(fetch, world):
    public, internal = world.add("a.tif"), world.add("b.tif", download=Scale.INTERNAL)
    response = await fetch(url(public, TILE))
    assert (response.code, response.headers["Cache-Control"]) == (200, "private, no-cache")
    assert [row.user_id for row in world.audit("download.part")] == [None]
    assert (await fetch(url(internal, TILE))).code == 403


@pytest.mark.parametrize("settings", [{"open_values": True}], indirect=True)
async def test_open_values_gives_them_to_all_who_may_view_as_pictures_are(fetch, world):
    dataset = world.add(visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    tiles = await token_for(fetch, dataset, "tile")
    for path in PATHS:
        response = await fetch(url(dataset, path))
        assert response.code == 200
        assert response.headers["Cache-Control"].startswith("public, max-age=")
        assert (await fetch(url(dataset, path, token=tiles))).code == 200
    assert world.audit("download.part") == []
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog")).code == 401


async def test_a_client_who_leaves_before_its_values_has_an_end_on_record(fetch, world, base_url):
    dataset = world.add()
    head = f"GET {url(dataset, 'preview.npy')} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.bearer()}\r\n\r\n"
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base_url).port)
        writer.write(head.encode())
        await asyncio.sleep(0.01)
        writer.transport.abort()
    while world.services.studio.load().waiting:
        await asyncio.sleep(0.01)
    for _ in range(100):
        await asyncio.sleep(0.01)
        granted, ended = (
            {row.request_id for row in world.audit(f"download.{kind}")} for kind in ("part", "finished")
        )
        if granted == ended:
            break
    assert granted == ended
