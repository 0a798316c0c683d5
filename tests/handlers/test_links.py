"""Links to share: made, used without sign-in, counted, on record, and dead with their maker's right."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import Level, Scale, utc_text
from tests.handlers.conftest import act, grant, problem

pytestmark = pytest.mark.gen_test
LATER = utc_text(datetime.now(UTC) + timedelta(days=3))


@pytest.fixture
def database_url(database):
    return database


async def make(fetch, bearer, code=201, **body):
    response = await fetch("/api/links", "POST", token=bearer, body=json.dumps(body))
    assert response.code == code, response.body
    return json.loads(response.body)


async def share(fetch, world, **body):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    return dataset, await make(fetch, world.bearer(), dataset=dataset.id, **body)


async def test_a_download_link_is_the_file_without_sign_in(fetch, world, caplog):
    dataset, made = await share(fetch, world, right="download", expires_at=LATER, uses=2)
    url = made["url"]
    assert f"/api/datasets/{dataset.id}/download/cog?token=cgl_" in url
    head = await fetch(url, "HEAD")
    whole = await fetch(url)
    assert (head.code, whole.code, len(whole.body)) == (200, 200, dataset.size_bytes)
    assert whole.headers["Cache-Control"] == "private, no-store"
    assert whole.headers["Referrer-Policy"] == "no-referrer"
    for first in (0, 5, 10):
        part = await fetch(url, headers={"Range": f"bytes={first}-{first + 4}"})
        assert (part.code, part.body) == (206, whole.body[first : first + 5])
    assert (await fetch(url, headers={"If-None-Match": whole.headers["ETag"]})).code == 304
    # Of another client: the second use, and the last.
    other = {"User-Agent": "another"}
    assert (await fetch(url, headers=other)).code == 200
    for method in ("GET", "HEAD"):
        assert (await fetch(url, method, headers={"User-Agent": "a third"})).code == 401
    assert problem(await fetch(url))["detail"].startswith("The link is used up")
    # Its ranges are part of its use.
    assert (await fetch(url, headers={"Range": "bytes=0-0", **other})).code == 206
    rows = world.audit("download.cog")
    assert [(row.user_id, row.token_id, row.detail["use"]) for row in rows] == [
        (None, made["id"], use) for use in (1, 1, 1, 1, 2, 2)
    ]
    assert {row.token_id for row in world.audit("download.finished")} == {made["id"]}
    assert len(world.audit("download.finished")) == 6
    refused = world.audit("download.refused")
    assert [(row.user_id, row.token_id) for row in refused] == [(None, made["id"])] * 2
    (listed,) = json.loads((await fetch("/api/links", token=world.bearer())).body)["links"]
    assert (listed["used"], listed["uses"], listed["right"], listed["dataset"]) == (2, 2, "download", dataset.id)
    assert "url" not in listed
    secret = url.partition("token=")[2]
    assert secret not in caplog.text
    # On no other road.
    for path in ("", "/tilejson.json", "/preview.png", "/preview/16x16.tif"):
        assert (await fetch(f"/api/datasets/{dataset.id}{path}?token={secret}")).code == 401
        assert (await fetch(f"/api/datasets/{dataset.id}{path}", token=secret)).code == 401


@pytest.mark.parametrize("settings", [{"audit_wait_seconds": 30}], indirect=True)
async def test_uses_are_counted_exactly_when_many_ask_at_once(fetch, world):
    _, made = await share(fetch, world, right="download", uses=5)
    answers = await asyncio.gather(*(fetch(made["url"], headers={"User-Agent": f"{n}"}) for n in range(12)))
    assert sorted(answer.code for answer in answers) == [200] * 5 + [401] * 7
    assert len(world.audit("download.cog")) == 5


async def test_what_cannot_be_recorded_is_no_use_and_not_sent(fetch, world, monkeypatch):
    _, made = await share(fetch, world, right="download", uses=1)
    tokens = world.services.records.tokens

    def away(use, row):
        raise RecordsUnavailable("The database cannot serve just now.")

    with monkeypatch.context() as patch:
        patch.setattr(type(tokens), "use", lambda self, use, row: away(use, row))
        assert (await fetch(made["url"])).code == 503
    assert world.audit("download.cog") == []
    assert (await fetch(made["url"])).code == 200


async def test_a_view_link_opens_the_page_which_asks_with_what_it_is_exchanged_for(fetch, world):
    dataset, made = await share(fetch, world, uses=1)
    shown = world.add("public.tif")
    secret = made["url"].rpartition("link=")[2]
    assert f"/#dataset={dataset.id}&link=cgl_" in made["url"]
    assert made["right"] == "view"
    for _ in range(2):
        opened = await fetch("/api/auth/link-token", "POST", token=secret)
        assert opened.code == 200
    told = json.loads(opened.body)
    assert (told["dataset"], told["right"], told["expires_in"]) == (dataset.id, "view", 3600)
    assert (await fetch("/api/auth/link-token", "POST", token=secret, headers={"User-Agent": "b"})).code == 401
    token = told["token"]
    path = f"/api/datasets/{dataset.id}"
    assert json.loads((await fetch(path, token=token)).body)["downloadable"] is False
    assert [each["id"] for each in json.loads((await fetch("/api/datasets", token=token)).body)["datasets"]] == [
        dataset.id
    ]
    tiles = json.loads((await fetch(f"{path}/tilejson.json", token=token)).body)["tiles"][0].format(z=0, x=0, y=0)
    assert (await fetch(tiles)).code == 200
    expected = {f"{path}/download/cog": 403, f"{path}/preview/16x16.tif": 403, f"/api/datasets/{shown.id}": 404}
    for address, code in expected.items():
        assert (await fetch(address, token=token)).code == code, address
    assert (await fetch(f"/api/auth/download-token/{dataset.id}", "POST", token=token)).code == 403
    for method, address in (
        ("POST", "/api/auth/tokens"),
        ("POST", "/api/links"),
        ("GET", "/api/links"),
        ("POST", "/api/searches"),
    ):
        assert (await fetch(address, method, token=token)).code == 403
    assert (await fetch(f"{path}?token={token}")).code == 401
    assert (await fetch("/api/auth/link-token", "POST", token=token)).code == 401
    assert (await fetch("/api/auth/link-token", "POST")).code == 401
    rows = world.audit("link.used")
    assert [(row.user_id, row.token_id, row.detail["use"]) for row in rows] == [(None, made["id"], 1)] * 2
    # It dies with its maker's right, and with their sign-in.
    world.services.records.set_disabled("ana", True, act())
    assert (await fetch(path, token=token)).code == 401
    assert (await fetch(tiles)).code == 401
    assert (await fetch("/api/auth/link-token", "POST", token=secret)).code == 401
    world.services.records.set_disabled("ana", False, act())
    assert (await fetch(f"/api/links/{made['id']}", "DELETE", token=world.bearer())).code == 204
    for address in (path, tiles):
        assert (await fetch(address, **({} if "token=" in address else {"token": token}))).code == 401
    assert (await fetch("/api/auth/link-token", "POST", token=secret)).code == 401


async def test_who_may_share_what_and_who_sees_and_ends_it(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    grant(world, dataset, Level.DOWNLOAD, user="dora")
    grant(world, dataset, Level.VIEW, user="vera")
    admin, dora = world.bearer("ada", ("admin",)), world.bearer("dora")
    refused = [
        (dora, {"dataset": dataset.id, "right": "download"}, 403), (world.bearer("stan"), {"dataset": dataset.id}, 404),
        (world.bearer(), {"collection": "data"}, 403), (admin, {"collection": "none"}, 404), (admin, {}, 400),
        (admin, {"dataset": dataset.id, "collection": "data"}, 400), (admin, {"dataset": 1}, 400),
        (admin, {"dataset": dataset.id, "right": "own"}, 400), (admin, {"dataset": dataset.id, "uses": 0}, 400),
        (admin, {"dataset": dataset.id, "uses": True}, 400), (admin, {"dataset": dataset.id, "days": 3}, 400),
        (admin, {"dataset": dataset.id, "expires_at": "2001-01-01T00:00:00Z"}, 400), (None, {"dataset": dataset.id}, 401),
    ]  # fmt: skip
    for bearer, body, code in refused:
        await make(fetch, bearer, code, **body)
    whole = await make(fetch, admin, collection="data", right="download")
    assert "/#collection=data&link=cgl_" in whole["url"]
    # The page offers a collection's to those alone who may make them.
    own = await fetch("/api/auth/tokens", "POST", token=admin, body="{}")
    for bearer, offered in ((admin, True), (world.bearer(), None), (json.loads(own.body)["token"], None)):
        document = json.loads((await fetch("/api/stac/collections/data", token=bearer)).body)
        assert document.get("gateway:shareable") is offered
    one = await make(fetch, admin, dataset=dataset.id, right="download")

    async def listed(bearer):
        return {each["id"] for each in json.loads((await fetch("/api/links", token=bearer)).body)["links"]}

    assert await listed(admin) == {whole["id"], one["id"]}
    assert await listed(world.bearer()) == {one["id"]}
    assert await listed(dora) == set()
    told = json.loads((await fetch("/api/auth/link-token", "POST", token=whole["url"].rpartition("=")[2])).body)
    minted = await fetch(f"/api/auth/download-token/{dataset.id}", "POST", token=told["token"])
    assert (await fetch(json.loads(minted.body)["url"])).code == 200
    row = world.audit("download.cog")[-1]
    assert (row.user_id, row.detail["through"]) == (None, whole["id"])
    for bearer, name, code in (
        (dora, one, 404),
        (world.bearer(), whole, 404),
        (world.bearer(), one, 204),
        (admin, whole, 204),
    ):
        assert (await fetch(f"/api/links/{name['id']}", "DELETE", token=bearer)).code == code
    assert (await fetch(f"/api/auth/tokens/{one['id']}", "DELETE", token=admin)).code == 404
    assert (await fetch(one["url"])).code == 401
    # An owner's link gives nothing any more when the dataset is another's.
    lent = await make(fetch, world.bearer(), dataset=dataset.id, right="download")
    from gateway.records import Change

    world.services.records.change_dataset(dataset.id, Change(owner="eve"), act())
    assert (await fetch(lent["url"])).code == 404
