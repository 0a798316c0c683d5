"""Searches that are stored as layers."""

import json
import time
from datetime import UTC, datetime

import pytest

from gateway.catalogue import layers
from gateway.catalogue.layers import LayerKind, LayerName
from gateway.handlers import searches
from gateway.model import Grant, Level, Principal, Scale, TokenKind
from gateway.tokens import mint_scoped
from tests.handlers.conftest import act, cog_file
from tests.handlers.layerscenes import WHOLE, make_scenes, paint, served
from tests.handlers.test_layers import problem, seen

__all__ = ["cog_file", "served"]


@pytest.fixture(scope="module")
def ana(served):
    make_scenes(served)
    return served.bearer("ana")


def test_the_same_search_is_one_layer_whoever_makes_it(served, ana):
    made = served.ask("/searches", {"collections": ["scenes"], "bbox": [10, 47, 11, 48], "limit": 7}, token=ana)
    assert (made.code, made.headers["Cache-Control"]) == (201, "no-store")
    links = {link["rel"]: link["href"] for link in made.document["links"]}
    assert links["self"] == made.headers["Location"] == f"{served.base}/searches/{made.document['id']}"
    again = served.ask(
        "/searches", {"bbox": [10.0, 47.0, 11.0, 48.0], "collections": ["scenes"]}, token=served.bearer("eve")
    )
    assert (again.code, again.document["id"]) == (200, made.document["id"])
    for more in ({"title": "Alps"}, {"style": {"rescale": "0,1"}}, {"datetime": "2026-01-01T00:00:00Z/.."}):
        body = {"collections": ["scenes"], "bbox": [10, 47, 11, 48], **more}
        assert served.ask("/searches", body, token=ana).document["id"] != made.document["id"]
    rows = [row for row in served.audit("search.stored") if row.detail["id"] == made.document["id"]]
    assert [row.user_id for row in rows] == ["ana", "eve"]
    body = {"bbox": [10.0, 47.0, 11.0, 48.0], "collections": ["scenes"]}
    assert again.document["search"] == body
    told = {"id": made.document["id"], "title": None, "size_bytes": len(json.dumps([body, None, {}]))}
    assert [row.detail for row in rows] == [told, told]
    # It is there for all who know its id; what they see of it is theirs.
    assert served.ask(links["self"]).document == again.document | {"created_at": made.document["created_at"]}
    assert served.ask(links["tilejson"]).document["bounds"] == [10.0, 47.5, 11.0, 48.0]


def test_a_layer_is_what_its_search_asks_for_and_more_of_it_nobody_can_ask(served, ana):
    body = {"filter": "title IN ('west', 'over')", "intersects": {"type": "Point", "coordinates": [10.3, 47.8]}}
    layer = "/searches/" + served.ask("/searches", body, token=ana).document["id"]
    assert seen(served.ask(f"{layer}/tiles/{WHOLE}.png", token=ana)) == "2/2"
    assert seen(served.ask(f"{layer}/tiles/{WHOLE}.png")) == "1/1"
    assert seen(served.ask(f"{layer}/tiles/{WHOLE}.png?time=2026-01-01", token=ana)) == "1/1"
    assert seen(served.ask(f"{layer}/tiles/{WHOLE}.png?sortby=datetime&limit_assets=1", token=ana)) == "1/2"
    assert served.ask(f"{layer}/tilejson.json", token=ana).document["bounds"] == [10.0, 47.5, 10.75, 48.0]
    dated = {"collections": ["scenes"], "datetime": "../2026-01-01T12:00:00Z", "filter": "title <> 'none'"}
    layer = "/searches/" + served.ask("/searches", dated, token=ana).document["id"]
    counts = {"": "1/1", "time=2026-01-03": "0/0", "datetime=2026-01-01T00:00:00Z/..": "1/1"}
    assert {query: seen(served.ask(f"{layer}/tiles/{WHOLE}.png?{query}", token=ana)) for query in counts} == counts
    none = "/searches/" + served.ask("/searches", {"collections": ["none"]}, token=ana).document["id"]
    assert seen(served.ask(f"{none}/tiles/{WHOLE}.png")) == "0/0"
    assert problem(served.ask(f"{none}/tilejson.json"), 404) == "The layer has no place on a map."


def test_the_style_of_a_search_is_that_of_requests_that_name_none(served, ana):
    style = {
        "colormap_name": "viridis",
        "rescale": [0, 250],
        "bidx": 1,
        "return_mask": True,
        "pixel_selection": "lowest",
    }
    made = served.ask("/searches", {"collections": ["scenes"], "style": style}, token=ana).document
    assert made["style"] == {
        "bidx": ["1"], "colormap_name": ["viridis"], "pixel_selection": ["lowest"], "rescale": ["0,250"],
        "return_mask": ["true"],
    }  # fmt: skip
    layer, plain = f"/searches/{made['id']}", "/collections/scenes"
    asked = "colormap_name=viridis&rescale=0,250&pixel_selection=lowest"
    styled = served.ask(f"{layer}/tiles/{WHOLE}.png").body
    assert styled == served.ask(f"{plain}/tiles/{WHOLE}.png?{asked}").body
    # A request's own colours take the place of the style's.
    own = "colormap=" + "%7B%2250%22%3A%22%23ff0000%22%7D"
    assert served.ask(f"{layer}/tiles/{WHOLE}.png?{own}&rescale=0,250").body not in (styled, b"")
    assert "colormap_name=viridis" in served.ask(f"{layer}/tilejson.json").document["tiles"][0]


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ([], "JSON object"), (b"{", "JSON object"), (b"[" * 9999, "JSON object"), (b"{\"bbox\": [NaN]}", "JSON object"),
        ({"bbox": [1, 2, 3]}, "bbox"), ({"title": ""}, "title"), ({"title": 5}, "title"), ({"title": "a\nb"}, "title"),
        ({"style": "red"}, "style"), ({"style": {"url": "x"}}, "'url'"), ({"style": {"rescale": "1"}}, "rescale"),
        ({"style": {"pixel_selection": "best"}}, "pixel_selection"), ({"style": {"bidx": {}}}, "bidx"),
        ({"style": {"bidx": [1] * 601}}, "600"), ({"filter": "cloud < 5"}, "'cloud'"),
        ({"filter": "a = '\ud800'"}, "filter"), ({"collections": ["\ud800"]}, "text"),
        ({"style": {"expression": "\ud800"}}, "expression"),
    ],
)  # fmt: skip
def test_what_is_no_search_is_refused_by_name(served, ana, body, told):
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    assert told in problem(served.ask("/searches", sent, token=ana), 400)


def test_a_search_of_more_than_is_kept_of_one_is_refused(served, ana):
    most, style = layers.MOST_BYTES, {"bidx": ["1"]}
    bare = layers.StoredSearch({"ids": []}, "Many", style, None, datetime.now(UTC))
    room = most - bare.size_bytes - len('""')
    for more, status in ((0, 201), (1, 413)):
        # Characters of two bytes, and others for the rest.
        body = {"ids": ["é" * 20_000 + "x" * (room + more - 40_000)], "title": "Many", "style": style}
        answer = served.ask("/searches", json.dumps(body, ensure_ascii=False).encode(), token=ana)
        assert answer.code == status
    assert problem(answer, 413) == f"The search has {most + 1} bytes with its title and style; the limit is {most}."
    assert max(row.detail["size_bytes"] for row in served.audit("search.stored")) == most


@pytest.mark.parametrize("roles", [(), ("admin",)])
def test_who_has_stored_many_deletes_some_first(served, ana, roles, monkeypatch):
    monkeypatch.setattr(searches, "MOST_OF_A_MAKER", 2)
    token = served.bearer(f"many{len(roles)}", roles)
    bodies = [{"title": f"{number} of many of {len(roles)}"} for number in range(3)]
    made = [served.ask("/searches", body, token=token) for body in bodies]
    told = "You have stored 2 searches already: DELETE those that are not needed."
    assert [answer.code for answer in made] == [201, 201, 409]
    assert problem(made[2], 409) == told
    assert served.ask("/searches", bodies[0], token=token).code == 200
    assert served.ask(f"/searches/{made[0].document['id']}", token=token, method="DELETE").code == 204
    assert served.ask("/searches", bodies[2], token=token).code == 201


def test_only_who_signs_in_stores_searches(served, ana):
    assert problem(served.ask("/searches", {}), 401)
    minted = served.ask("/auth/tile-token/collections/scenes", b"", token=ana).document["token"]
    problem(served.ask(f"/searches?token={minted}", {}), 401)
    problem(served.ask("/searches", method="GET"), 405)


def test_a_search_is_deleted_by_those_who_made_it_and_by_administrators(served, ana):
    body, eve = {"collections": ["scenes"], "title": "To be deleted"}, served.bearer("eve")
    path = "/searches/" + served.ask("/searches", body, token=ana).document["id"]

    def deleted(token, status):
        answer = served.ask(path, token=token, method="DELETE")
        return problem(answer, status) if status != 204 else answer.code == 204

    problem(served.ask(path, method="DELETE"), 401)
    assert deleted(eve, 403) == "A search is deleted by those who made it, and by administrators."
    served.ask("/searches", body, token=eve)
    assert deleted(ana, 204)
    assert served.ask(f"{path}/tilejson.json").code == 200
    deleted(ana, 403)
    assert deleted(eve, 204)
    assert served.ask(f"{path}/tilejson.json").code == served.ask(path).code == 404
    deleted(eve, 404)
    assert served.ask("/searches", body, token=ana).code == 201
    assert deleted(served.bearer("ada", ("admin",)), 204)
    assert served.ask(path).code == 404
    deletions = [row for row in served.audit("search.deleted") if path.endswith(row.detail["id"])]
    rows = [(row.user_id, row.detail["everybody"]) for row in deletions]
    assert rows == [("ana", False), ("eve", False), ("ada", True)]


def test_a_token_of_a_private_layer_is_renewed_and_sees_what_its_holder_may_see_now(served, ana):
    paint(served, "mine", 10.0, 200)
    mine = served.register("mine.tif", collection="mine", visibility=Scale.PRIVATE, owner="ana")
    shared = Grant(mine.id, Level.VIEW, user="kim")
    served.services.records.add_grant(shared, act())
    kim, minutes, tile = served.bearer("kim"), 3600, f"tiles/{WHOLE}.png"
    search = served.ask("/searches", {"collections": ["mine"], "title": "Mine"}, token=ana).document["id"]
    layers = {"/collections/mine": "collections/mine", f"/searches/{search}": f"searches/{search}"}
    names = {path: LayerName(kind, path.split("/")[-1]) for kind, path in zip(LayerKind, layers, strict=True)}
    fresh = {}
    for path, auth in layers.items():
        old, _ = mint_scoped(
            served.services.keys, TokenKind.TILES, names[path], Principal("kim"), minutes, time.time() - minutes - 60
        )
        problem(served.ask(f"{path}/{tile}?token={old}"), 401)
        problem(served.ask(f"{path}/tilejson.json?token={old}"), 401)
        # Whoever signs in has a new one from each.
        (template,) = served.ask(f"{path}/tilejson.json", token=kim).document["tiles"]
        minted = served.ask(f"/auth/tile-token/{auth}", b"", token=kim).document["token"]
        fresh[path] = (template.partition("token=")[2], minted)
        for token in fresh[path]:
            assert seen(served.ask(f"{path}/{tile}?token={token}")) == "1/1"
            # A document asked for with one hands it on.
            assert token in served.ask(f"{path}/tilejson.json?token={token}").document["tiles"][0]
    served.services.records.remove_grant(mine.id, act(), user="kim")
    for path, tokens in fresh.items():
        for token in tokens:
            answer = served.ask(f"{path}/{tile}?token={token}")
            # A collection of which nothing is seen is not there, a search has nothing in it.
            assert (answer.code, answer.headers.get("X-Assets")) == ((404, None) if "mine" in path else (200, "0/0"))
        assert served.ask(f"{path}/tilejson.json", token=kim).code == 404
