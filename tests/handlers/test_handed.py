"""Tile tokens in documents: how long they live, whose they are, and what of them is on record."""

import json
import time
import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest

from gateway.handlers import handed
from gateway.model import Level, Principal, Scale, TokenKind, utc_moment
from gateway.tokens import mint_scoped
from tests.handlers.conftest import grant


@pytest.fixture(autouse=True)
def one_step(monkeypatch):
    """Documents are all of one step of the clock, also where the test crosses its end."""
    now = time.time()
    monkeypatch.setattr(handed, "time", SimpleNamespace(time=lambda: now))


async def document_of(fetch, dataset, **options):
    response = await fetch(f"/api/datasets/{dataset.id}/tilejson.json", **options)
    assert response.code == 200
    (template,) = json.loads(response.body)["tiles"]
    return response, parse_qs(urlsplit(template).query).get("token", [None])[0], template


def path_of(template):
    parts = urlsplit(template.format(z=0, x=0, y=0))
    return f"{parts.path}?{parts.query}"


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{"tile_token_seconds": seconds} for seconds in (60, 900, 3600)], indirect=True)
async def test_what_a_document_hands_out_opens_its_tiles_for_as_long_as_the_setting_says(fetch, world):
    dataset, seconds = world.add(visibility=Scale.INTERNAL), world.services.settings.tile_token_seconds
    _, token, template = await document_of(fetch, dataset, token=world.bearer())
    claims = jwt.decode(token, options={"verify_signature": False, "verify_exp": False})
    assert claims["exp"] - handed.time.time() >= seconds
    assert (await fetch(path_of(template))).code == 200


@pytest.mark.gen_test
@pytest.mark.parametrize("settings", [{"mint_rate": "1/minute"}], indirect=True)
async def test_one_row_for_each_token_that_is_new(fetch, world, app):
    dataset = world.add(visibility=Scale.INTERNAL)
    tokens = set()
    for method in ("HEAD", "GET", "HEAD", "GET"):
        response = await fetch(f"/api/datasets/{dataset.id}/tilejson.json", method, token=world.bearer())
        assert response.code == 200
        if method == "GET":
            tokens.add(json.loads(response.body)["tiles"][0])
        elif not tokens:
            assert world.audit("token.minted") == []
    await fetch(f"/api/datasets/{dataset.id}/WMTSCapabilities.xml", token=world.bearer())
    (row,) = world.audit("token.minted")
    assert len(tokens) == 1
    assert row.at <= utc_moment(row.detail["handed_out_at"]) <= datetime.now(UTC)
    # Another worker remembers nothing: the row is there once all the same, and nothing is counted.
    handler_memory = handed.HandedOut()
    app.settings["handed_out"] = handler_memory
    await document_of(fetch, dataset, token=world.bearer())
    assert handler_memory.holds(row.token_id)
    assert len(world.audit("token.minted")) == 1
    await document_of(fetch, dataset, token=world.bearer("ben"))
    assert [row.user_id for row in world.audit("token.minted")] == ["ana", "ben"]


@pytest.mark.gen_test
async def test_no_two_callers_share_a_token_whatever_their_names(fetch, world):
    dataset = world.add(visibility=Scale.PRIVATE)
    for name in ("a", 'a", ["x"]', "a/['x']"):
        grant(world, dataset, Level.VIEW, user=name)
    grant(world, dataset, Level.VIEW, role="x")
    callers = [("a", ()), ('a", ["x"]', ()), ("a/['x']", ()), ("b", ("x",)), ("b", ("x", "y")), ("c", ("x",))]
    found = {(await document_of(fetch, dataset, token=world.bearer(*caller)))[1] for caller in callers}
    # Of the two of b the same role gave the right.
    assert len(found) == len(callers) - 1 == len(world.audit("token.minted"))


@pytest.mark.gen_test
async def test_a_token_that_lost_against_authorization_is_nowhere(fetch, world):
    dataset, public = world.add("a.tif", visibility=Scale.INTERNAL), world.add("b.tif")
    other, _ = mint_scoped(world.services.keys, TokenKind.TILES, public.id, Principal(), 600, time.time())
    for lost in ("not-a-token", other):
        _, _, template = await document_of(fetch, dataset, token=world.bearer())
        path = f"/api/datasets/{dataset.id}/tilejson.json?token={lost}"
        response = await fetch(path, token=world.bearer())
        assert lost not in response.body.decode()
        assert json.loads(response.body)["tiles"] == [template]
        assert (await fetch(path_of(template))).code == 200
        tile = f"/api/datasets/{public.id}/tiles/0/0/0.png"
        expected, found = [
            await fetch(tile + query, token=world.bearer()) for query in ("", f"?token={lost}")
        ]  # fmt: skip
        assert found.headers["Cache-Control"] == expected.headers["Cache-Control"] == "public, max-age=3600"
        capabilities = await fetch(
            f"/api/datasets/{dataset.id}/WMTSCapabilities.xml?token={lost}", token=world.bearer()
        )
        assert lost not in capabilities.body.decode()


@pytest.mark.gen_test
async def test_a_document_asked_for_with_a_tile_token_carries_that_one_on(fetch, world):
    dataset = world.add(visibility=Scale.INTERNAL)
    minted = json.loads((await fetch(f"/api/auth/tile-token/{dataset.id}", "POST", token=world.bearer())).body)
    response = await fetch(urlsplit(minted["tilejson"]).path + "?" + urlsplit(minted["tilejson"]).query)
    assert minted["token"] in json.loads(response.body)["tiles"][0]
    assert response.headers["Cache-Control"] == "private, no-store"
    assert len(world.audit("token.minted")) == 1


@pytest.mark.gen_test
async def test_a_minted_tile_token_comes_with_the_addresses_that_it_opens(fetch, world):
    dataset = world.add(visibility=Scale.INTERNAL)
    minted = json.loads((await fetch(f"/api/auth/tile-token/{dataset.id}", "POST", token=world.bearer())).body)
    assert set(minted) == {"token", "expires_in", "url", "tilejson", "wmts", "tiles"}
    (template,) = minted["tiles"]
    answers = [
        await fetch(path_of(address)) for address in (minted["url"], minted["tilejson"], minted["wmts"], template)
    ]
    assert [answer.code for answer in answers] == [200] * 4
    assert answers[3].headers["Content-Type"].startswith("image/")
    root = ET.fromstring(answers[2].body)
    assert all(
        minted["token"] in each.get("template") for each in root.iter("{http://www.opengis.net/wmts/1.0}ResourceURL")
    )


def test_only_the_last_ids_are_remembered(monkeypatch):
    monkeypatch.setattr(handed, "REMEMBERED", 2)
    memory = handed.HandedOut()
    for name in "abc":
        memory.keep(name)
    assert [memory.holds(name) for name in "abc"] == [False, True, True]
