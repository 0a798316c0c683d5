"""The STAC API over HTTP: one server, datasets of every kind, and who may see them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from pystac_client import Client

from gateway.catalogue.collections import Collection, Provider
from gateway.handlers import stac
from gateway.model import Finding, Report, Scale
from gateway.pools import Pool
from gateway.stac.landing import CONFORMS_TO
from tests.handlers.conftest import UNKNOWN_ID, act
from tests.patience import SECONDS, until
from tests.stac.conftest import START, dated, several

PROVIDER = Provider("Survey", roles=("producer",), url="https://example.org")


@pytest.fixture(scope="module")
def made(served):
    """Datasets by name."""
    served.services.records.create_collection(
        Collection("maps", "Maps", START, START, "Sheets", keywords=("relief",), providers=(PROVIDER,)), act()
    )
    known = served.add("a.tif", collection="maps", title="a", dates=dated(0), properties={"cloud": 10, "kind": "x"})
    found = {"a": known}
    found["b"] = served.register("a.tif", **_key("b"), collection="maps", title="b", dates=dated(5, 9))
    found["own"] = served.register(
        "a.tif", **_key("own"), collection="own", title="own", dates=dated(2), owner="ana",
        visibility=Scale.PRIVATE, properties={"secret": 1},
    )  # fmt: skip
    found["broken"] = served.register(
        "a.tif", **_key("broken"), collection="maps", title="broken", dates=dated(7), raster=None,
        report=Report("full", (Finding("tile-outside", "cut"),)),
    )  # fmt: skip
    return found


def _key(name):
    return {"key": f"{name}.tif"}


def titles(answer):
    assert answer.code == 200, answer.body
    return "".join(each["properties"]["title"] for each in answer.document["features"])


def links(document):
    return {link["rel"]: link["href"] for link in document["links"]}


@pytest.mark.parametrize("path", ["/stac", "/stac/conformance", "/stac/queryables", "/stac/collections", "/stac/search",
                                  "/stac/collections/maps", "/stac/collections/maps/items",
                                  "/stac/collections/maps/queryables"])  # fmt: skip
def test_documents_have_their_kinds_links_that_answer_and_tags(served, made, path):
    answer = served.ask(path)
    assert answer.code == 200, answer.body
    assert answer.headers["Cache-Control"] == "public, no-cache"
    assert "Authorization" in answer.headers["Vary"]
    again = served.ask(path, headers={"If-None-Match": answer.headers["Etag"]})
    assert (again.code, again.body) == (304, b"")
    signed_in = served.ask(path, token=served.bearer("ben"))
    assert signed_in.headers["Cache-Control"] == "private, no-cache"
    head = served.ask(path, method="HEAD")
    assert (head.code, head.headers["Content-Length"]) == (200, str(len(answer.body)))
    for rel, href in links(answer.document).items() if "links" in answer.document else ():
        assert href.startswith(served.base)
        found = served.ask(href.format(z=0, x=0, y=0))
        assert found.code == 200, rel
        kinds = [each["type"] for each in answer.document["links"] if each["rel"] == rel]
        assert found.headers["Content-Type"].split(";")[0] in kinds[0] or rel == "service-desc"


def test_the_landing_page_says_what_it_conforms_to(served, made):
    document = served.ask("/stac").document
    assert document["conformsTo"] == list(CONFORMS_TO) == served.ask("/stac/conformance").document["conformsTo"]
    assert {"self", "root", "data", "conformance", "search", "service-desc", "service-doc"} <= set(links(document))
    # stac-browser lists links under their titles, and stac-check asks for them.
    collection = served.ask("/stac/collections/maps").document
    assert all(each.get("title") for each in (*document["links"], *collection["links"]))


def test_documents_are_what_the_client_of_qgis_reads(served, made):
    """What src/core/stac of QGIS 3.44 asks of a server before it shows items and makes layers of them."""
    landing = served.ask("/stac").document
    assert landing["type"] == "Catalog"
    assert "https://api.stacspec.org/v1.0.0/core" in landing["conformsTo"]
    [collections] = [each["href"] for each in landing["links"] if each["href"].endswith("/collections")]
    [searched] = {each["href"] for each in landing["links"] if each["rel"] == "search"}
    listed = served.ask(collections).document
    [maps] = [each for each in listed["collections"] if each["id"] == "maps"]
    # Its search names every collection, and its times are of UTC with milliseconds.
    query = "collections=maps&datetime=2026-01-01T00:00:00.000Z/2026-01-02T00:00:00.000Z"
    for document in (served.ask(links(maps)["items"]).document, served.ask(f"{searched}?{query}").document):
        assert isinstance(document["numberMatched"], int)
        assert all(len(item["bbox"]) == 4 for item in document["features"] if item["geometry"] is not None)
        assert {"title", "datetime"} <= set(document["features"][-1]["properties"])
    [item] = document["features"]
    data = item["assets"]["data"]
    # Exactly this text makes a layer, and its title is that of the layer.
    assert data["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert data["title"] == item["properties"]["title"] == "a"
    found = served.ask(data["href"], token=served.bearer())
    assert (found.code, found.body[:2]) == (200, b"II")


def test_the_description_has_the_media_type_that_is_asked_for(served, made):
    [described] = [each for each in served.ask("/stac").document["links"] if each["rel"] == "service-desc"]
    found = served.ask(described["href"], headers={"Accept": described["type"]})
    assert found.headers["Content-Type"] == described["type"]
    assert served.ask(described["href"]).headers["Content-Type"] == "application/json"


def test_an_item_is_that_of_its_dataset(served, made):
    answer = served.ask(f"/stac/collections/maps/items/{made['a'].id}")
    item = answer.document
    assert answer.headers["Content-Type"] == "application/geo+json"
    assert (item["id"], item["collection"], item["properties"]["cloud"]) == (made["a"].id, "maps", 10)
    assert item["geometry"]["type"] == "Polygon"
    for rel in ("self", "root", "parent", "collection", "describedby", "tilejson", "wmts"):
        assert served.ask(links(item)[rel]).code == 200, rel
    data, bearer = item["assets"]["data"], served.bearer()
    found = served.ask(data["href"], token=bearer)
    assert len(found.body) == data["file:size"]
    assert data["file:header_size"] < data["file:size"]
    assert served.ask(item["assets"]["thumbnail"]["href"]).headers["Content-Type"] == "image/png"
    tile = links(item)["xyz"].format(z=0, x=0, y=0)
    assert served.ask(tile).code == 200


def test_a_broken_file_is_no_cog_any_more(served, made):
    item = served.ask(f"/stac/collections/maps/items/{made['broken'].id}").document
    assert item["assets"]["data"]["type"] == "image/tiff; application=geotiff"
    assert item["assets"]["data"]["gateway:valid"] is False
    assert "geometry" in item
    assert "thumbnail" not in item["assets"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["broken", "b", "a"]),
        ({"collections": ["maps"], "sortby": [{"field": "title", "direction": "asc"}]}, ["a", "b", "broken"]),
        ({"datetime": "2026-01-07T00:00:00Z"}, ["b"]),
        ({"bbox": [14, 47, 16, 49]}, ["b", "a"]),
        ({"intersects": {"type": "Point", "coordinates": [0, 0]}}, []),
        ({"filter": {"op": ">", "args": [{"property": "cloud"}, 5]}}, ["a"]),
        ({"filter": "title = 'b' OR kind = 'x'", "filter-lang": "cql2-text"}, ["b", "a"]),
        ({"collections": ["own"]}, []),
        ({"ids": []}, []),
    ],
)
@pytest.mark.every_database
def test_a_search_finds_what_is_asked_for(served, made, body, expected):
    answer = served.ask("/stac/search", body)
    assert titles(answer) == "".join(expected)
    assert answer.document["numberMatched"] == answer.document["numberReturned"] == len(expected)


def test_a_body_that_is_none_asks_for_everything(served, made):
    assert titles(served.ask("/stac/search", b"")) == "brokenba"
    assert served.ask("/stac/search", b"[1").code == 400
    assert served.ask("/stac/search", b'{"bbox": [NaN, 0, 1, 1]}').code == 400


@pytest.mark.every_database
def test_pages_follow_each_other_by_query_and_by_body(served, made):
    first = served.ask("/stac/search?limit=1&sortby=title&collections=maps")
    second = served.ask(links(first.document)["next"])
    assert (titles(first), titles(second)) == ("a", "b")
    third = served.ask(links(second.document)["next"])
    assert titles(third) == "broken"
    assert "next" not in links(third.document)
    body = {"limit": 2, "collections": ["maps"]}
    begun = served.ask("/stac/search", body)
    [following] = [link for link in begun.document["links"] if link["rel"] == "next"]
    assert (following["method"], following["merge"]) == ("POST", True)
    assert titles(served.ask(following["href"], {**body, **following["body"]})) == "a"
    items = served.ask("/stac/collections/maps/items?limit=2")
    assert titles(served.ask(links(items.document)["next"])) == "a"


def test_a_token_is_of_its_search_alone_and_no_credential(served, made):
    token = links(served.ask("/stac/search?limit=1").document)["next"].partition("token=")[2]
    assert served.ask(f"/stac/search?limit=2&token={token}").code == 200
    for path in ("/stac/search?sortby=title", "/stac/search?collections=maps", "/stac/collections?limit=1"):
        answer = served.ask(f"{path}&token={token}")
        assert (answer.code, "token" in answer.document["detail"]) == (400, True)
    assert served.ask(f"/stac/search?token={token[:-2]}").code == 400
    assert served.ask(f"/stac/search?token={served.bearer('ana')}").code == 401
    assert served.ask("/datasets", token=token).code == 401
    assert served.ask("/datasets", token=token.replace("%7E", "~").replace("~", ".")).code == 401
    assert served.ask(f"/datasets/{made['a'].id}/tilejson.json?token={token.replace('~', '.')}").code == 401


@pytest.mark.every_database
def test_collections_come_page_by_page_as_the_caller_sees_them(served, made):
    assert [each["id"] for each in served.ask("/stac/collections").document["collections"]] == ["maps"]
    bearer = served.bearer("ana")
    first = served.ask("/stac/collections?limit=1", token=bearer).document
    second = served.ask(links(first)["next"], token=bearer).document
    assert [each["id"] for page in (first, second) for each in page["collections"]] == ["maps", "own"]
    assert "next" not in links(second)
    found = served.ask("/stac/collections/maps").document
    counted = served.ask("/stac/search?collections=maps").document["numberMatched"]
    assert (found["gateway:count"], second["collections"][0]["gateway:count"]) == (counted, 1)
    assert (found["license"], found["keywords"]) == ("other", ["relief"])
    assert found["providers"] == [{"name": "Survey", "roles": ["producer"], "url": "https://example.org"}]
    assert found["extent"]["temporal"]["interval"] == [["2026-01-01T00:00:00.000Z", "2026-01-10T00:00:00.000Z"]]


@pytest.mark.every_database
def test_queryables_are_those_of_what_the_caller_sees(served, made):
    document = served.ask("/stac/queryables").document
    assert document["properties"]["cloud"]["type"] == "number"
    assert document["properties"]["datetime"]["format"] == "date-time"
    assert document["properties"]["gateway:valid"]["type"] == "boolean"
    assert "secret" not in document["properties"]
    assert (
        "secret" in served.ask("/stac/collections/own/queryables", token=served.bearer("ana")).document["properties"]
    )


def test_fields_choose_members(served, made):
    answer = served.ask("/stac/search?fields=properties,-properties.cloud,id&collections=maps&limit=1").document
    [item] = answer["features"]
    assert set(item) == {"id", "properties"}
    assert {"datetime", "title"} < set(item["properties"])


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stac/collections/none", 404), ("/stac/collections/none/items", 404), ("/stac/collections/none/queryables", 404),
        ("/stac/collections/%00/items", 404), ("/stac/collections/maps/items/none", 404),
        (f"/stac/collections/maps/items/{UNKNOWN_ID}", 404), ("/stac/search?limit=0", 400),
        ("/stac/search?bbox=1,2,3", 400), ("/stac/search?limit=1&limit=2", 400), ("/stac/search?ids=%ff", 400),
        ("/stac/collections?limit=x", 400), ("/stac/search?filter=secret=1", 400), ("/stac/nothing", 404),
    ],
)  # fmt: skip
def test_errors_are_problems(served, made, path, status):
    answer = served.ask(path)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert (answer.code, answer.document["status"]) == (status, status)
    assert "no-store" in answer.headers["Cache-Control"]


def test_a_hidden_item_is_one_that_is_not_there(served, made):
    hidden = made["own"].id
    answers = [served.ask(f"/stac/collections/own/items/{each}") for each in (hidden, UNKNOWN_ID)]
    assert [answer.code for answer in answers] == [404, 404]
    assert answers[0].document["detail"] == answers[1].document["detail"]
    assert served.ask(f"/stac/collections/own/items/{hidden}", token=served.bearer("ana")).code == 200
    assert served.ask(f"/stac/collections/maps/items/{hidden}", token=served.bearer("ana")).code == 404


def test_a_disabled_user_and_a_bad_token_are_refused_everywhere(served, made):
    served.services.records.set_disabled("eve", True, act())
    for path in ("", "/conformance", "/collections", "/collections/maps", "/collections/maps/items", "/search",
                 "/queryables", f"/collections/maps/items/{made['a'].id}", "/collections/maps/items/x"):  # fmt: skip
        for token in (served.bearer("eve"), "bad"):
            assert served.ask(f"/stac{path}", token=token).code == 401, path


def test_links_are_those_of_the_proxy_before_it(served, made, monkeypatch):
    settings = served.services.settings.model_copy(update={"public_url": "https://maps.example.org/x"})
    object.__setattr__(served.services, "settings", settings)
    try:
        document = served.ask("/stac/search?limit=1").document
    finally:
        object.__setattr__(served.services, "settings", settings.model_copy(update={"public_url": None}))
    found = [*links(document).values(), *links(document["features"][0]).values()]
    assert all(href.startswith("https://maps.example.org/x/api/") for href in found)


def test_a_client_of_others_finds_opens_and_filters(served, made):
    client = Client.open(f"{served.base}/stac", headers={"Authorization": f"Bearer {served.bearer('ana')}"})
    assert sorted(each.id for each in client.get_collections()) == ["maps", "own"]
    found = client.search(collections=["maps"], filter="cloud < 20", sortby="-title").item_collection()
    assert [item.id for item in found] == [made["a"].id]
    assert len(list(client.search(limit=1, method="GET").items())) == 4


@pytest.mark.every_database
def test_paging_loses_and_doubles_nothing_while_others_come_and_go(served, made):
    known = made["a"]
    kept = several(served, 60, known=known, collection="many", dates=lambda each: dated(each % 7))
    going = several(served, 10, known=known, collection="many", dates=lambda each: dated(each % 7))
    client, seen = Client.open(f"{served.base}/stac"), []
    for page in client.search(collections=["many"], limit=7).pages():
        seen += [item.id for item in page]
        several(served, 2, known=known, collection="many", dates=lambda each: dated(3))
        if going:
            served.services.records.remove_dataset(going.pop().id, act())
    assert len(seen) == len(set(seen))
    assert {each.id for each in kept} <= set(seen)


@pytest.mark.every_database
def test_a_caller_who_sees_one_of_many_is_told_of_no_other(served, made):
    """Every answer about a collection is byte for byte as if the others were not there."""
    paths = (
        "/stac", "/stac/conformance", "/stac/collections", "/stac/collections?limit=1", "/stac/collections/rights",
        "/stac/collections/rights/items", "/stac/collections/rights/items?limit=1", "/stac/queryables",
        "/stac/collections/rights/queryables", "/stac/search?collections=rights&limit=1",
        "/stac/search?collections=rights&filter=hidden=1", "/stac/search?filter=nowhere=1",
        "/stac/search?collections=hidden", "/stac/collections/hidden", "/stac/search?limit=3&sortby=title",
        "/stac/search?collections=rights&bbox=-180,-90,180,90", f"/stac/search?ids={UNKNOWN_ID}",
    )  # fmt: skip
    one = replace(made["own"], collection="rights", owner="cleo", properties={"seen": 1}, dates=dated(3))
    several(served, 1, known=one, title="z")
    bearer = served.bearer("cleo")
    before = [served.ask(path, token=bearer) for path in paths]
    several(
        served, 999, known=one, owner="ana", title=lambda each: f"a{each}", properties={"hidden": 1},
        collection=lambda each: "rights" if each % 2 else "hidden", dates=lambda each: dated(each),
    )  # fmt: skip
    now = [served.ask(path, token=bearer) for path in paths]
    for path, was, found in zip(paths, before, now, strict=True):
        assert (found.code, plain(found)) == (was.code, plain(was)), path
    assert titles(now[5]) == "z"


def plain(answer):
    """Return body and header fields without what is of the request alone."""
    own = answer.headers["X-Request-Id"]
    fields = {name: value for name, value in answer.headers.items() if name not in ("Date", "X-Request-Id")}
    return answer.body.replace(own.encode(), b""), json.dumps(fields)


def test_searches_that_take_long_keep_nobody_else_waiting(served, made):
    pool, ended = served.services.pools[Pool.SEARCH], threading.Event()
    blocked = [pool.submit(ended.wait, SECONDS) for _ in range(2)]
    with ThreadPoolExecutor(1) as asking:
        try:
            search = asking.submit(served.ask, "/stac/search")
            until(lambda: pool.waiting == 1)
            assert served.ask(f"/datasets/{made['a'].id}").code == 200
            assert served.ask(f"/stac/collections/maps/items/{made['a'].id}").code == 200
            assert not search.done()
        finally:
            ended.set()
        assert search.result(SECONDS).code == 200
    assert all(each.result(SECONDS) for each in blocked)


@pytest.mark.parametrize(
    ("path", "body"), [("/stac/search", None), ("/stac/search", {}), ("/stac/collections", None)]
)
def test_long_documents_are_written_by_the_threads_of_searches(served, made, monkeypatch, path, body):
    """A thousand items take the loop from downloads for as long as they are written."""
    threads, write = set(), stac.json_bytes

    def noted(value):
        threads.add(threading.current_thread().name.partition("_")[0])
        return write(value)

    monkeypatch.setattr(stac, "json_bytes", noted)
    assert served.ask(path, body).code == 200
    assert threads == {"search"}
