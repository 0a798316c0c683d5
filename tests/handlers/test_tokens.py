import base64
import json
import socket
import time
from concurrent.futures import Future
from urllib.parse import urlencode

import jwt
import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import Level, Principal, Scale, TokenKind
from gateway.tokens import mint_scoped
from tests.handlers.conftest import UNKNOWN_ID, act, grant, problem

pytestmark = pytest.mark.gen_test


@pytest.fixture
def database_url(database):
    return database


async def mint(fetch, dataset, kind="download", **options):
    response = await fetch(f"/api/auth/{kind}-token/{dataset.id}", "POST", **options)
    return response, json.loads(response.body)


def claims(token):
    return jwt.decode(token, options={"verify_signature": False})


async def test_an_anonymous_token_has_no_sub_and_lives_two_minutes(world, fetch):
    dataset = world.add()
    response, minted = await mint(fetch, dataset)
    assert response.code == 200
    assert response.headers["Cache-Control"] == "no-store"
    assert minted["expires_in"] == 120
    found = claims(minted["token"])
    assert set(found) == {"typ", "scope", "iat", "exp", "jti"}
    assert (found["typ"], found["scope"]) == ("download", f"dataset:{dataset.id}")
    assert found["exp"] - found["iat"] == 120


async def test_a_signed_in_caller_is_named_in_the_token_without_needless_roles(world, fetch):
    _, minted = await mint(fetch, world.add(), token=world.bearer("ben", ("admin", "survey")))
    assert set(claims(minted["token"])) == {"typ", "scope", "iat", "exp", "jti", "sub"}


async def test_a_right_through_a_role_carries_that_role_alone(world, fetch):
    dataset = world.add(visibility=Scale.PRIVATE)
    grant(world, dataset, Level.DOWNLOAD, role="survey")
    _, minted = await mint(fetch, dataset, token=world.bearer("ben", ("survey", "other")))
    assert claims(minted["token"])["roles"] == ["survey"]
    assert (await fetch(minted["url"])).code == 200
    world.services.records.remove_grant(dataset.id, act(), role="survey")
    assert (await fetch(minted["url"])).code == 404


async def test_a_download_token_is_minted_only_for_a_file_that_may_be_had_now(world, fetch):
    gone, cut = world.add("gone.tif"), world.add("cut.tif")
    (world.folder / "gone.tif").unlink()
    path = world.folder / "cut.tif"
    path.write_bytes(path.read_bytes()[:1000])
    response, told = await mint(fetch, gone)
    assert (response.code, told["detail"]) == (404, "The file of this dataset is gone.")
    response, told = await mint(fetch, cut)
    assert (response.code, told["type"]) == (422, "/problems/not-a-cog")
    assert told["errors"]
    assert world.audit("token.minted") == []


async def test_minting_for_a_replaced_file_judges_it_and_names_its_version(world, fetch):
    dataset = world.add()
    path = world.folder / "elevation.tif"
    path.write_bytes(path.read_bytes())
    response, minted = await mint(fetch, dataset)
    assert response.code == 200
    assert (await fetch(minted["url"])).code == 200
    (row,) = world.audit("token.minted")
    assert row.version == world.services.records.dataset(dataset.id).version


async def test_minting_is_on_record_with_the_token_id(world, fetch):
    dataset = world.add()
    _, minted = await mint(fetch, dataset, token=world.bearer("ben"))
    (row,) = world.audit("token.minted")
    assert (row.user_id, row.dataset_id, row.token_id) == ("ben", dataset.id, claims(minted["token"])["jti"])


async def test_minting_follows_the_download_scale(world, fetch):
    hidden = world.add("a.tif", visibility=Scale.PRIVATE)
    shown = world.add("b.tif", visibility=Scale.PUBLIC, download=Scale.INTERNAL)
    assert (await mint(fetch, hidden))[0].code == 404
    assert (await mint(fetch, shown))[0].code == 403
    assert (await mint(fetch, shown, kind="tile"))[0].code == 200
    assert (await mint(fetch, shown, token=world.bearer()))[0].code == 200
    assert (await fetch(f"/api/auth/download-token/{UNKNOWN_ID}", "POST")).code == 404
    assert (await fetch("/api/auth/download-token/nonsense", "POST")).code == 422


async def test_a_bad_bearer_is_never_taken_for_anonymous(world, fetch):
    response, _ = await mint(fetch, world.add(), token="nonsense")
    assert problem(response)["status"] == 401
    assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("name", ["jku", "x5u", "kid"])
async def test_a_key_that_a_token_points_to_is_never_fetched(world, fetch, name):
    dataset, key = world.add(), "a" * 16 + "key-of-a-stranger"
    with socket.create_server(("127.0.0.1", 0)) as canary:
        header = {name: f"http://127.0.0.1:{canary.getsockname()[1]}/keys.json"}
        now = int(time.time())
        forged = jwt.encode({"sub": "ana", "iat": now, "exp": now + 60}, key, "HS256", headers=header)
        response, _ = await mint(fetch, dataset, token=forged)
        assert problem(response)["status"] == 401
        canary.setblocking(False)
        with pytest.raises(BlockingIOError):
            canary.accept()


@pytest.mark.parametrize(
    "header", ["[" * 5000, '{"alg":' * 900, '{"alg":"HS256","crit":["x"]}', "\x00", '{"alg":"none"}']
)
async def test_a_header_that_is_no_header_is_a_401_before_anything_else(world, fetch, header):
    dataset = world.add()
    forged = base64.urlsafe_b64encode(header.encode()).decode().rstrip("=") + ".e30.AAAA"
    assert problem((await mint(fetch, dataset, token=forged))[0])["status"] == 401
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog?token={forged}")).code == 401


async def test_no_token_is_given_away_that_is_not_on_record(world, fetch, monkeypatch, caplog):
    failed: Future[None] = Future()
    failed.set_exception(RecordsUnavailable("The audit cannot be written."))
    monkeypatch.setattr(type(world.services.audit), "record", lambda self, row: failed)
    response, refused = await mint(fetch, world.add())
    assert problem(response)["status"] == 503
    assert "Retry-After" in response.headers
    assert "token" not in refused


async def test_a_name_is_never_a_part_of_a_statement(world, fetch):
    world.add("a.tif", visibility=Scale.PRIVATE, owner="ana")
    dataset = world.add("b.tif", visibility=Scale.PRIVATE)
    grant(world, dataset, Level.DOWNLOAD, role="survey")
    for name in ("x' OR '1'='1", "ana'--", 'ana"', "ana' UNION SELECT 1--", "%", "?"):
        token = world.bearer(name, (name, "survey' OR 'a'='a"))
        assert json.loads((await fetch("/api/datasets", token=token)).body)["total"] == 0
        assert (await fetch(f"/api/datasets/{dataset.id}", token=token)).code == 404
        found = await fetch(f"/api/datasets?{urlencode({'q': name})}", token=world.bearer("ana", ("survey",)))
        assert json.loads(found.body)["total"] == 0
    assert json.loads((await fetch("/api/datasets", token=world.bearer("ana", ("survey",)))).body)["total"] == 2


async def test_a_scoped_token_mints_no_other(world, fetch):
    dataset = world.add()
    _, minted = await mint(fetch, dataset)
    path = f"/api/auth/download-token/{dataset.id}"
    assert (await fetch(f"{path}?token={minted['token']}", "POST")).code == 401
    assert (await fetch(path, "POST", token=minted["token"])).code == 401


async def test_tile_tokens_open_metadata_and_never_the_file(world, fetch):
    dataset, other = world.add("a.tif", visibility=Scale.PRIVATE, owner="ana"), world.add("b.tif")
    _, minted = await mint(fetch, dataset, kind="tile", token=world.bearer("ana"))
    assert minted["expires_in"] == 3600
    tail = f"?token={minted['token']}"
    assert (await fetch(minted["url"])).code == 200
    assert (await fetch(f"/api/datasets/{dataset.id}/validation{tail}")).code == 200
    assert (await fetch(f"/api/datasets/{other.id}{tail}")).code == 401
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog{tail}")).code == 401
    assert (await fetch(f"/api/datasets{tail}")).code == 401


async def test_download_tokens_open_their_own_dataset_and_nothing_else(world, fetch):
    dataset, other = world.add("a.tif"), world.add("b.tif")
    _, minted = await mint(fetch, dataset)
    tail = f"?token={minted['token']}"
    assert (await fetch(f"/api/datasets/{dataset.id.upper()}/download/cog{tail}")).code == 200
    assert (await fetch(f"/api/datasets/{other.id}/download/cog{tail}")).code == 401
    assert (await fetch(f"/api/datasets/{dataset.id}{tail}")).code == 401


async def test_a_bearer_in_the_query_is_refused(world, fetch):
    dataset = world.add()
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog?token={world.bearer()}")).code == 401


async def test_authorization_wins_over_the_query_whether_good_or_bad(world, fetch):
    dataset = world.add()
    _, minted = await mint(fetch, dataset)
    path = f"/api/datasets/{dataset.id}/download/cog"
    assert (await fetch(f"{path}?token=nonsense", token=world.bearer())).code == 200
    assert (await fetch(f"{path}?token={minted['token']}", token="nonsense")).code == 401
    assert (await fetch(f"{path}?token={minted['token']}", headers={"Authorization": "Basic eDp5"})).code == 401
    assert (await fetch(f"{path}?token={minted['token']}", headers={"Authorization": ""})).code == 401


async def test_two_tokens_are_refused(world, fetch):
    dataset = world.add()
    _, minted = await mint(fetch, dataset)
    path = f"/api/datasets/{dataset.id}/download/cog?token={minted['token']}"
    assert (await fetch(f"{path}&token={minted['token']}")).code == 401


async def test_a_token_in_the_body_of_a_post_is_no_credential(world, fetch):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    body = f"token={world.bearer('ana')}"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await fetch(f"/api/auth/download-token/{dataset.id}", "POST", headers=headers, body=body)).code == 404


async def test_a_rightly_signed_token_that_lives_too_long_is_refused(world, fetch):
    dataset = world.add()
    keys = world.services.keys
    for seconds, code in ((120, 200), (121, 401)):
        token, _ = mint_scoped(keys, TokenKind.DOWNLOAD, dataset.id, Principal(), seconds, time.time())
        assert (await fetch(f"/api/datasets/{dataset.id}/download/cog?token={token}")).code == code


async def test_an_anonymous_token_for_what_is_no_longer_public_opens_nothing(world, fetch):
    dataset = world.add(visibility=Scale.PRIVATE)
    token, _ = mint_scoped(world.services.keys, TokenKind.DOWNLOAD, dataset.id, Principal(), 60, time.time())
    assert (await fetch(f"/api/datasets/{dataset.id}/download/cog?token={token}")).code == 404


@pytest.mark.parametrize("settings", [{"public_url": "https://maps.example.org/gw"}], indirect=True)
async def test_the_url_is_built_on_the_public_origin(world, fetch):
    dataset = world.add()
    _, minted = await mint(fetch, dataset, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
    expected = f"https://maps.example.org/gw/api/datasets/{dataset.id}/download/cog?token={minted['token']}"
    assert minted["url"] == expected


@pytest.mark.parametrize("settings", [{"trusted_proxies": ("127.0.0.0/8",)}], indirect=True)
async def test_behind_a_trusted_proxy_its_word_makes_the_url_and_the_address(world, fetch):
    headers = {
        "X-Forwarded-Host": "maps.example.org",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "6.6.6.6, 9.9.9.9",
    }
    dataset = world.add()
    _, minted = await mint(fetch, dataset, headers=headers)
    assert minted["url"].startswith("https://maps.example.org/api/")
    assert world.audit("token.minted")[0].ip == "9.9.9.9"
    _, minted = await mint(
        fetch, dataset, headers={**headers, "X-Forwarded-Prefix": "/gw", "X-Forwarded-Port": "8443"}
    )
    assert minted["url"].startswith("https://maps.example.org:8443/gw/api/")
