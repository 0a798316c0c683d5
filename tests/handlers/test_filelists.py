"""Lists of many files: made, read in each format, taken without sign-in, on record, and dead with their maker's right."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree as ET

import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from gateway import filelists
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow, Level, Scale, TokenKind
from gateway.records import FileList
from gateway.tokens import mint_of_list, mint_scoped
from tests.handlers.conftest import UNKNOWN_ID, act, grant, problem

pytestmark = pytest.mark.gen_test
SHA = "ab" * 32


@pytest.fixture
def database_url(database):
    return database


async def make(fetch, bearer, code=201, **body):
    response = await fetch("/api/downloads", "POST", token=bearer, body=json.dumps(body))
    assert response.code == code, response.body
    return json.loads(response.body)


def href(made, form):
    return next(link["href"] for link in made["links"] if link["rel"] == form)


async def test_a_list_is_read_in_every_format_and_its_files_are_taken_without_sign_in(fetch, world, caplog):
    titles = ("Été", "été", 'a"b\\c\n -o /etc/x', "-rf", "con")
    mine = [
        world.add(f"{n}.tif", title=title, visibility=Scale.PRIVATE, owner="ana", sha256=SHA if n else None)
        for n, title in enumerate(titles)
    ]
    hidden, viewed = world.add("h.tif", visibility=Scale.PRIVATE, owner="ben"), world.add("v.tif", owner="ben")
    world.services.records.remove_dataset(viewed.id, act())
    viewed = replace(viewed, download=Scale.PRIVATE)
    world.services.records.register_dataset(viewed, act())
    ids = [each.id for each in (*mine, hidden, viewed)]
    made = await make(fetch, world.bearer(), ids=[*ids, ids[0], UNKNOWN_ID])
    assert (made["count"], made["bytes"]) == (5, sum(each.size_bytes for each in mine))
    ends = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=23, minutes=58) < ends <= timedelta(hours=24)
    (row,) = world.audit("list.created")
    assert (row.user_id, row.token_id, row.detail["count"]) == ("ana", made["id"], 5)
    texts = {}
    for form in ("metalink", "aria2", "curl", "urls", "ndjson"):
        for bearer in (None, world.bearer()):
            url = href(made, form) if bearer is None else f"/api/downloads/{made['id']}.{form}"
            got = await fetch(url, token=bearer)
            assert (got.code, got.headers["Cache-Control"], got.headers["Referrer-Policy"]) == (
                200, "private, no-store", "no-referrer",
            )  # fmt: skip
            assert texts.setdefault(form, got.body.decode()) == got.body.decode()
    told = [json.loads(line) for line in texts["ndjson"].splitlines()]
    assert [each["id"] for each in told] == ids[:5]
    names = [each["name"] for each in told]
    assert names[0] == "Été.tif"
    assert names[1] == f"été-{ids[1]}.tif"
    assert names[3:] == ["_rf.tif", "_con.tif"]
    assert all(re.fullmatch(r"[^/\\\"\n]+\.tif", name) for name in names)
    assert set(told[0]) == {"id", "name", "size", "sha256", "url", "collection", "datetime"}
    files = ET.fromstring(texts["metalink"])
    space = "{urn:ietf:params:xml:ns:metalink}"
    assert [file.get("name") for file in files] == names
    assert [file.findtext(f"{space}size") for file in files] == [str(each.size_bytes) for each in mine]
    assert [file.findtext(f"{space}hash") for file in files] == [None, *[SHA] * 4]
    urls = [file.findtext(f"{space}url") for file in files]
    assert urls == texts["urls"].splitlines() == [each["url"] for each in told]
    assert texts["aria2"].splitlines()[2:5] == [urls[1], f"  out={names[1]}", f"  checksum=sha-256={SHA}"]
    assert texts["curl"].splitlines()[3:5] == [f'url = "{urls[0]}"', f'output = "{names[0]}"']
    assert len(texts["curl"].splitlines()) == 13
    for url in urls:
        assert (await fetch(url)).code == 200
    token = urls[0].partition("token=")[2]
    # Not beyond what is in it, though its maker may have it, and on no other road.
    extra = world.add("x.tif", visibility=Scale.PRIVATE, owner="ana")
    for path in (f"datasets/{extra.id}/download/cog", f"datasets/{hidden.id}/download/cog", f"datasets/{ids[0]}",
                 f"datasets/{ids[0]}/preview/16x16.tif", "auth/tokens"):  # fmt: skip
        assert (await fetch(f"/api/{path}?token={token}")).code in (401,), path
        assert (await fetch(f"/api/{path}", token=token)).code == 401
    rows = world.audit("download.cog")
    assert [(row.dataset_id, row.user_id, row.token_id) for row in rows] == [
        (each, "ana", made["id"]) for each in ids[:5]
    ]
    assert token not in caplog.text


async def test_what_is_listed_is_counted_before_a_list_is_made_of_it(fetch, world, monkeypatch):
    monkeypatch.setattr("gateway.filelists.PAGE", 2)
    mine = [world.add(f"{n}.tif", title=f"Alp {n}", visibility=Scale.PRIVATE, owner="ana") for n in range(3)]
    world.add("v.tif", title="Alp of ben", download=Scale.PRIVATE, owner="ben")
    world.add("o.tif", title="other", collection="else")
    world.add("h.tif", title="Alp that is hidden", visibility=Scale.PRIVATE, owner="ben")
    size = {"count": 3, "bytes": sum(each.size_bytes for each in mine), "left_out": 1}
    asked = {
        "datasets": {
            "q": "alp",
            "collection": "data",
            "bbox": "-180,-90,180,90",
            "datetime": "../2100-01-01T00:00:00Z",
        }
    }
    assert await make(fetch, world.bearer(), 200, **asked, dry_run=True) == size
    assert world.audit("list.created") == []
    made = await make(fetch, world.bearer(), **asked)
    assert {name: made[name] for name in size} == size
    monkeypatch.undo()
    told = (await fetch(href(made, "ndjson"))).body.splitlines()
    assert {json.loads(line)["id"] for line in told} == {each.id for each in mine}
    await make(fetch, world.bearer("eve"), 404, datasets={"q": "alp", "collection": "nothing"}, dry_run=True)


async def test_rights_are_judged_when_a_file_is_taken(fetch, world):
    dataset, other = (world.add(f"{n}.tif", visibility=Scale.PRIVATE, owner="ben") for n in (1, 2))
    for each in (dataset, other):
        grant(world, each, Level.DOWNLOAD, role="survey")
    made = await make(fetch, world.bearer("ana", ("survey",)), collection="data")
    urls = (await fetch(href(made, "urls"))).body.decode().split()
    assert made["count"] == len(urls) == 2
    assert (await fetch(urls[0], "HEAD")).code == 200
    world.services.records.remove_grant(other.id, act(), role="survey")
    assert (await fetch(f"{urls[0]}" if other.id in urls[0] else urls[1])).code == 404
    assert (await fetch(href(made, "urls"))).body.decode().split() == [url for url in urls if dataset.id in url]
    # Whose list it is not, and whoever has no token.
    for bearer, code in ((world.bearer("ben"), 404), (None, 401)):
        assert (await fetch(f"/api/downloads/{made['id']}.urls", token=bearer)).code == code
    another = await make(fetch, world.bearer("ben"), ids=[dataset.id])
    crossed = href(another, "urls").replace(another["id"], made["id"])
    assert (await fetch(crossed)).code == 404
    world.services.records.set_disabled("ana", True, act())
    assert [(await fetch(url)).code for url in (*urls, href(made, "urls"))] == [401] * 3
    world.services.records.set_disabled("ana", False, act())
    world.services.records.remove_dataset(dataset.id, act())
    assert [(await fetch(url)).code for url in (*urls, href(made, "urls"))] == [404, 404, 200]
    refused = world.audit("download.refused")
    assert {row.token_id for row in refused} == {made["id"]}


async def test_the_grants_on_what_is_listed_are_read_by_pages_and_not_one_by_one(fetch, world, monkeypatch):
    private = {"visibility": Scale.PRIVATE, "download": Scale.PRIVATE, "owner": "ben"}
    listed = [world.add(f"{number}.tif", **private) for number in range(5)]
    for dataset in listed:
        grant(world, dataset, Level.DOWNLOAD if dataset is not listed[2] else Level.VIEW, user="ana")
    monkeypatch.setattr(filelists, "PAGE", 3)
    read, asked = type(world.services.records).grants, []
    monkeypatch.setattr(
        type(world.services.records), "grants", lambda self, *ids: asked.append(ids) or read(self, *ids)
    )
    made = await make(fetch, world.bearer("ana"), ids=[each.id for each in listed])
    assert (made["count"], [len(ids) for ids in asked]) == (4, [3, 2])


async def test_a_list_made_by_a_token_of_ones_own_gives_no_more_and_ends_with_it(fetch, world):
    dataset, other = (world.add(f"{n}.tif", visibility=Scale.PRIVATE, owner="ana") for n in (1, 2))

    async def own(**body):
        return json.loads((await fetch("/api/auth/tokens", "POST", token=world.bearer(), body=json.dumps(body))).body)

    one = await own(scope=["download"], **{"for": f"dataset:{dataset.id}"})
    made = await make(fetch, one["token"], search={"collections": ["data"]})
    assert made["count"] == 1
    assert (await make(fetch, one["token"], 200, datasets={}, dry_run=True))["count"] == 1
    whole = await make(fetch, world.bearer(), ids=[dataset.id, other.id])
    assert (await fetch(f"/api/downloads/{whole['id']}.urls", token=one["token"])).code == 404
    assert (await fetch(f"/api/downloads/{made['id']}.urls", token=one["token"])).code == 200
    (url,) = (await fetch(href(made, "urls"))).body.decode().split()
    assert (await fetch(url)).code == 200
    assert (await fetch(url.replace(dataset.id, other.id))).code == 401
    await make(fetch, (await own(scope=["view"]))["token"], 403, ids=[dataset.id])
    assert (await fetch(f"/api/auth/tokens/{one['id']}", "DELETE", token=world.bearer())).code == 204
    assert [(await fetch(each)).code for each in (url, href(made, "urls"))] == [401, 401]


async def test_what_cannot_be_listed_is_said_and_old_lists_go(fetch, world, monkeypatch):
    dataset = world.add()
    bearer = world.bearer()
    for body in ({}, [], {"ids": []}, {"ids": ["x"]}, {"ids": [1]}, {"collection": "a/b"}, {"search": 1},
                 {"ids": [dataset.id], "collection": "data"}, {"search": {"bbox": [1]}}, {"datasets": ["q"]},
                 {"datasets": {"bbox": "1"}}, {"datasets": {"limit": "1"}}, {"datasets": {}, "dry_run": 1}):  # fmt: skip
        answer = await fetch("/api/downloads", "POST", token=bearer, body=json.dumps(body))
        assert problem(answer)["status"] == 400, body
    for body in ({"ids": [UNKNOWN_ID]}, {"collection": "nothing"}):
        await make(fetch, bearer, 404, **body)
    link = json.loads((await fetch("/api/links", "POST", token=world.bearer("ada", ("admin",)),
                                   body=json.dumps({"collection": "data"}))).body)["url"].rpartition("=")[2]  # fmt: skip
    await make(fetch, link, 401, collection="data")
    await make(fetch, None, 401, ids=[dataset.id])
    monkeypatch.setattr("gateway.filelists.MOST_FILES", 0)
    await make(fetch, bearer, 400, ids=[dataset.id])
    monkeypatch.undo()
    monkeypatch.setattr("gateway.handlers.filelists.MOST_LISTS", 1)
    made = await make(fetch, bearer, ids=[dataset.id])
    await make(fetch, bearer, 409, ids=[dataset.id])
    lists = world.services.records.lists
    token = lists.by_id(made["id"]).token
    ended = replace(token, id=UNKNOWN_ID, owner="eve", created_at=token.created_at - timedelta(days=2),
                    expires_at=token.created_at - timedelta(days=1))  # fmt: skip
    assert lists.store(FileList(ended, (dataset.id,), 1), 1, AuditRow("list.created"))
    address, file = f"/api/downloads/{ended.id}.urls", f"/api/datasets/{dataset.id}/download/cog"
    for each in (address, file):
        assert (await fetch(f"{each}?token={mint_of_list(world.services.keys, ended)}")).code == 401
    assert (await fetch(address, token=world.bearer("eve"))).code == 404
    # A token of another kind reads none, and one that would live longer is none.
    tiles, _ = mint_scoped(world.services.keys, TokenKind.TILES, dataset.id, world_principal(), 60, 1e9)
    longer = replace(token, expires_at=token.expires_at + timedelta(seconds=1))
    for secret in (tiles, mint_of_list(world.services.keys, longer), f"cgd_{world.bearer()}", "cgd_x"):
        assert (await fetch(f"/api/downloads/{made['id']}.urls?token={secret}")).code == 401
    await make(fetch, world.bearer("ben"), ids=[dataset.id])
    assert lists.by_id(ended.id) is None
    assert lists.by_id(made["id"]).dataset_ids == (dataset.id,)


async def test_a_list_that_cannot_be_read_to_its_end_does_not_end_like_a_whole_one(fetch, world, monkeypatch):
    datasets = [world.add(f"{n}.tif") for n in (1, 2)]
    made = await make(fetch, world.bearer(), ids=[each.id for each in datasets])
    monkeypatch.setattr("gateway.handlers.filelists.PAGE", 1)
    real, fails = filelists.by_ids, {datasets[1].id}

    def read(records, reader, ids):
        if fails & set(ids):
            raise RecordsUnavailable("The database cannot serve just now.")
        return real(records, reader, ids)

    monkeypatch.setattr("gateway.filelists.by_ids", read)
    with pytest.raises(HTTPStreamClosedError):
        await fetch(href(made, "urls"))
    fails.add(datasets[0].id)
    assert problem(await fetch(href(made, "urls")))["status"] == 503
    monkeypatch.setattr("gateway.filelists.by_ids", real)
    assert len((await fetch(href(made, "urls"))).body.split()) == 2


def world_principal():
    from gateway.model import Principal

    return Principal("ana")
