"""Tokens of one's own: made and revoked, and what they open on every road."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.model import Level, Scale, utc_text
from gateway.tokens import hash_of
from tests.handlers.conftest import act, grant, problem
from tests.patience import until

pytestmark = pytest.mark.gen_test


@pytest.fixture
def database_url(database):
    return database


async def make(fetch, bearer, code=201, **body):
    response = await fetch("/api/auth/tokens", "POST", token=bearer, body=json.dumps(body))
    assert response.code == code, response.body
    if code != 201:
        return problem(response)
    assert response.headers["Cache-Control"] == "no-store"
    return json.loads(response.body)


def basic(secret, user="whoever"):
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}


def ids(response):
    found = json.loads(response.body)
    return {each["id"] for each in found.get("datasets", found.get("features", found.get("collections")))}


async def test_a_token_is_told_once_listed_and_dead_at_once_when_it_is_revoked(fetch, world):
    dataset, bearer = world.add(visibility=Scale.PRIVATE, owner="ana"), world.bearer(roles=("survey",))
    made = await make(fetch, bearer, name="QGIS", scope=["view", "download"])
    assert made["token"].startswith("cgw_")
    assert len(made["token"]) == 4 + 43
    (row,) = world.audit("token.created")
    assert (row.user_id, row.token_id) == ("ana", made["id"])
    (listed,) = json.loads((await fetch("/api/auth/tokens", token=bearer)).body)["tokens"]
    assert listed == {name: value for name, value in made.items() if name != "token"}
    assert (listed["for"], listed["roles"], listed["last_used_at"]) == ("all", ["survey"], None)
    assert json.loads((await fetch("/api/auth/tokens", token=world.bearer("ben"))).body) == {"tokens": []}
    # Nowhere, but for its hash.
    assert world.services.records.tokens.by_id(made["id"]).hash == hash_of(made["token"])
    path = f"/api/datasets/{dataset.id}"
    assert (await fetch(path, headers=basic(made["token"]))).code == 200
    assert (await fetch("/api/datasets", token=made["token"])).code == 200
    until(lambda: world.services.records.tokens.by_id(made["id"]).last_used_at is not None)
    assert (await fetch(f"/api/auth/tokens/{made['id']}", "DELETE", token=world.bearer("ben"))).code == 404
    gone = await fetch(f"/api/auth/tokens/{made['id']}", "DELETE", token=bearer)
    assert (gone.code, gone.body) == (204, b"")
    for address in (path, f"{path}/download/cog", "/api/datasets", "/api/stac", "/api/stac/search"):
        refused = await fetch(address, token=made["token"])
        assert refused.code == 401, address
        assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        assert "Basic" not in refused.headers["WWW-Authenticate"]
    assert (await fetch(f"/api/auth/tokens/{made['id']}", "DELETE", token=bearer)).code == 404
    assert [row.token_id for row in world.audit("token.revoked")] == [made["id"]]


async def test_it_opens_the_file_by_basic_and_by_bearer_and_each_download_names_it(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    made = await make(fetch, world.bearer(), scope=["download"])
    assert made["scope"] == ["view", "download"]
    path = f"/api/datasets/{dataset.id}/download/cog"
    whole = await fetch(path, headers=basic(made["token"]))
    assert whole.code == 200
    # The second is one of those that are answered before routing.
    part = await fetch(path, token=made["token"], headers={"Range": "bytes=0-9"})
    assert (part.code, part.body) == (206, whole.body[:10])
    # Of the name nothing is looked at, whatever it is encoded in.
    latin = base64.b64encode("Zoë:".encode("latin-1") + made["token"].encode()).decode()
    for named in (basic(made["token"], ""), {"Authorization": f"Basic {latin}"}):
        assert (await fetch(path, "HEAD", headers=named)).code == 200
    assert [(row.user_id, row.token_id) for row in world.audit("download.cog")] == [("ana", made["id"])] * 2
    minted = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST", token=made["token"])).body)
    assert (await fetch(minted["url"])).code == 200
    last = world.audit("download.cog")[-1]
    assert (last.user_id, last.detail["through"]) == ("ana", made["id"])
    tiles = json.loads((await fetch(f"/api/datasets/{dataset.id}/tilejson.json", token=made["token"])).body)["tiles"][
        0
    ]
    tile = tiles.format(z=0, x=0, y=0)
    assert (await fetch(tile)).code == 200
    await fetch(f"/api/auth/tokens/{made['id']}", "DELETE", token=world.bearer())
    # What came about through it goes with it.
    assert (await fetch(minted["url"])).code == 401
    assert (await fetch(tile)).code == 401


async def test_it_never_gives_more_than_its_owner_has_and_what_it_is_for(fetch, world):
    secret, other = (world.add(f"{n}.tif", visibility=Scale.PRIVATE, owner="ana") for n in (1, 2))
    shown = world.add("3.tif", collection="maps")
    granted = world.add("4.tif", visibility=Scale.PRIVATE)
    grant(world, granted, Level.DOWNLOAD, role="survey")
    bearer = world.bearer(roles=("survey", "admin"))
    view = (await make(fetch, bearer))["token"]
    one = (await make(fetch, bearer, scope=["download"], **{"for": f"dataset:{secret.id.upper()}"}))["token"]
    maps = (await make(fetch, bearer, scope=["download"], **{"for": "collection:maps"}))["token"]
    ben = (await make(fetch, world.bearer("ben"), scope=["download"]))["token"]
    all_ids = {each.id for each in (secret, other, shown, granted)}
    expected = {view: all_ids, one: {secret.id}, maps: {shown.id}, ben: {shown.id}}
    for token, visible in expected.items():
        for address in ("/api/datasets", "/api/stac/search", "/api/stac/search?bbox=-180,-90,180,90"):
            assert ids(await fetch(address, token=token)) == visible, address
        names = {"maps"} if token in (maps, ben) else {"data"} if token == one else {"data", "maps"}
        assert ids(await fetch("/api/stac/collections", token=token)) == names
        assert json.loads((await fetch("/api/datasets", token=token)).body)["total"] == len(visible)
        for name in ("data", "maps"):
            assert (await fetch(f"/api/stac/collections/{name}", token=token)).code == (200 if name in names else 404)
        for dataset in (secret, other, shown, granted):
            path = f"/api/datasets/{dataset.id}"
            seen = await fetch(path, token=token)
            assert seen.code == (200 if dataset.id in visible else 404)
            taken = 404 if dataset.id not in visible else 403 if token == view else 200
            assert (await fetch(f"{path}/download/cog", token=token)).code == taken
            assert (await fetch(f"{path}/preview/16x16.tif", token=token)).code == taken
            if seen.code == 200:
                assert json.loads(seen.body)["downloadable"] is (taken == 200)
    assert ids(await fetch(f"/api/stac/search?ids={other.id}", token=one)) == set()
    assert (await fetch(f"/api/auth/download-token/{shown.id}", "POST", token=view)).code == 403
    world.services.records.set_disabled("ana", True, act())
    for token in (view, one, maps):
        assert (await fetch(f"/api/datasets/{shown.id}", token=token)).code == 401
    world.services.records.remove_grant(granted.id, act(), role="survey")
    world.services.records.set_disabled("ana", False, act())
    assert (await fetch(f"/api/datasets/{secret.id}", token=one)).code == 200


async def test_what_cannot_be_made_is_said_and_nothing_comes_of_it(fetch, world, monkeypatch):
    bearer, hidden = world.bearer(), world.add(visibility=Scale.PRIVATE)
    bodies = [
        {"name": ""}, {"name": "a\u202eb"}, {"name": 1}, {"scope": []}, {"scope": "view"}, {"scope": ["admin"]},
        {"scope": [["view"]]}, {"for": "dataset:x"}, {"for": "everything"}, {"for": 1}, {"for": "collection:../x"},
        {"expires_at": utc_text(datetime.now(UTC) - timedelta(seconds=1))}, {"expires_at": "2999-01-01T00:00:00Z"},
        {"expires_at": "soon"}, {"expires_at": 1e300}, {"expires_at": "9999-12-31T23:59:59-23:59"}, {"roles": ["admin"]},
    ]  # fmt: skip
    for body in bodies:
        assert (await make(fetch, bearer, 400, **body))["detail"], body
    for text in ("[]", "null", "{", "[" * 50_000, '{"name": 1e999}'):
        assert (await fetch("/api/auth/tokens", "POST", token=bearer, body=text)).code == 400
    assert (await fetch("/api/auth/tokens", "POST", token=bearer, body=" " * 100_000)).code in (400, 413, 599)
    await make(fetch, bearer, 404, **{"for": f"dataset:{hidden.id}"})
    await make(fetch, bearer, 404, **{"for": "collection:data"})
    assert (await fetch("/api/auth/tokens", "POST")).code == 401
    assert json.loads((await fetch("/api/auth/tokens", token=bearer)).body) == {"tokens": []}
    monkeypatch.setattr("gateway.issuing.MOST", {"own": 1, "link": 1})
    made = await make(fetch, bearer, expires_at=utc_text(datetime.now(UTC) + timedelta(days=300)))
    await make(fetch, bearer, 409)
    await make(fetch, world.bearer("ben"))
    # It makes no others, whatever its scope.
    for method, path in (("POST", "/api/auth/tokens"), ("GET", "/api/auth/tokens"), ("POST", "/api/links"),
                         ("DELETE", f"/api/auth/tokens/{made['id']}")):  # fmt: skip
        for fields in ({"Authorization": f"Bearer {made['token']}"}, basic(made["token"])):
            refused = await fetch(path, method, headers=fields, **({"body": "{}"} if method == "POST" else {}))
            assert refused.code == 403, (method, path)
    world.services.records.set_disabled("ana", True, act())
    await make(fetch, bearer, 401)


async def test_a_bad_one_is_401_however_it_is_shown_and_none_is_a_token_of_a_url(fetch, world, caplog):
    dataset, made = world.add(), await make(fetch, world.bearer(), scope=["download"])
    path, secret = f"/api/datasets/{dataset.id}/download/cog", made["token"]
    wrong = [
        secret[:-1],
        secret + "A",
        secret.upper(),
        "cgw_" + "A" * 43,
        "cgw_" + "é" * 43,
        "cgw_",
        "cgl_" + secret[4:],
    ]
    for text in wrong:
        fields = {"Authorization": f"Bearer {text}".encode().decode("latin-1")}
        assert (await fetch(path, headers=fields)).code == 401, text
    shown = ["Basic", "Basic ", "Basic !", "Basic " + "A" * 5, basic(world.bearer())["Authorization"], "Basic /////w==",
             base64.b64encode(secret.encode()).decode(), basic(f":{secret}")["Authorization"]]  # fmt: skip
    for text in shown:
        assert (await fetch(path, headers={"Authorization": text})).code == 401, text
    assert (await fetch(f"{path}?token={secret}")).code == 401
    assert (await fetch(f"{path}?token={secret}", token=secret)).code == 200
    world.services.records.tokens.clear()
    stored = replace(world.services.records.tokens.by_id(made["id"]) or _expired(secret), hash=hash_of(secret))
    assert world.services.records.tokens.store(stored, 9, act())
    world.services.shown._known.clear()
    told = await fetch(path, token=secret)
    assert problem(told)["detail"] == "The token has expired."
    assert secret not in caplog.text
    assert not any(secret in json.dumps(str(row)) for row in world.audit())


def _expired(secret):
    from gateway.principal import StoredKind, StoredToken, Target

    now = datetime.now(UTC)
    times = (now - timedelta(days=2), now - timedelta(days=1))
    return StoredToken("1" * 8, StoredKind.OWN, hash_of(secret), "ana", frozenset(), "old", True, Target(), *times)


async def test_what_comes_about_through_it_ends_with_it(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    ends = utc_text(datetime.now(UTC) + timedelta(seconds=90))
    token = (await make(fetch, world.bearer(), scope=["download"], expires_at=ends))["token"]
    for kind in ("tile", "download"):
        minted = await fetch(f"/api/auth/{kind}-token/{dataset.id}", "POST", token=token)
        assert json.loads(minted.body)["expires_in"] <= 90
    # Two of one user's tokens have documents of their own.
    other = (await make(fetch, world.bearer(), scope=["download"], expires_at=ends))["token"]
    path = f"/api/datasets/{dataset.id}/tilejson.json"
    assert len({(await fetch(path, token=each)).body for each in (token, other, token)}) == 2
