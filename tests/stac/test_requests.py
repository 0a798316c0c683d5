"""Queries and bodies as searches: both ways ask for the same, and what cannot be read is named."""

import json
from datetime import UTC, datetime

import pytest

from gateway.catalogue.search import NEWEST_FIRST, Interval, Sort
from gateway.errors import BadParameter
from gateway.stac.fields import Fields
from gateway.stac.queries import body_of
from gateway.stac.requests import asked_of

POINT = {"type": "Point", "coordinates": [15, 48]}


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ({}, {}),
        ({"limit": "", "ids": ""}, {"limit": None, "query": None}),
        ({"bbox": "1,2,3,4.5", "limit": "5"}, {"bbox": [1, 2, 3, 4.5], "limit": 5}),
        ({"bbox": "1,2,-9,3,4,99"}, {"bbox": [1, 2, 3, 4]}),
        ({"ids": "a,b,a", "collections": "c,"}, {"ids": ["a", "b"], "collections": ["c"]}),
        ({"intersects": json.dumps(POINT)}, {"intersects": POINT}),
        ({"sortby": "-properties.datetime, id"}, {"sortby": [{"field": "datetime", "direction": "desc"}, {"field": "id"}]}),
        ({"sortby": "+id,title"}, {"sortby": [{"field": "id"}]}),
        ({"fields": "id,-geometry"}, {"fields": {"include": ["id"], "exclude": ["geometry"]}}),
        ({"fields": ""}, {"fields": {"include": None, "exclude": []}}),
        ({"fields": "-geometry"}, {"fields": {"include": [], "exclude": ["geometry"]}}),
        ({"filter": "title = 'x'"}, {"filter": {"op": "=", "args": [{"property": "title"}, "x"]}}),
        (
            {"filter": '{"op": "=", "args": [{"property": "title"}, "x"]}', "filter-lang": "cql2-json"},
            {"filter": "title = 'x'", "filter-lang": "cql2-text"},
        ),
        ({"limit": "1001"}, {"limit": 10**30}),
        ({"limit": "9" * 5000}, {"limit": 1000}),
        ({"unknown": "x"}, {"colour": 1}),
    ],
)  # fmt: skip
def test_a_query_asks_for_what_a_body_asks_for(query, body):
    assert asked_of(body_of(query)) == asked_of(body)


def test_what_is_asked_for_is_read():
    asked = asked_of({"datetime": "2026-01-01T00:00:00Z/..", "collections": ["c"], "token": "t"})
    assert asked.search.datetime == Interval(datetime(2026, 1, 1, tzinfo=UTC))
    assert (asked.search.collections, asked.token, asked.fields) == (("c",), "t", None)
    assert asked.search.sortby == NEWEST_FIRST
    assert asked_of({"sortby": [{"field": "title", "direction": "desc"}]}).search.sortby == (Sort("title", True),)
    assert asked_of({"collections": ["c"]}, "own").search.collections == ("own",)
    assert asked_of({"ids": []}).search.ids == ()


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"bbox": "1,2,3"}, "bbox"), ({"bbox": "1,2,3,x"}, "bbox"), ({"bbox": "nan,0,1,1"}, "bbox"),
        ({"bbox": "0,5,1,4"}, "bbox"), ({"bbox": "0,0,181,1"}, "bbox"), ({"bbox": "0,0,9,1,1,8"}, "bbox"),
        ({"limit": "0"}, "limit"), ({"limit": "-1"}, "limit"), ({"limit": "x"}, "limit"),
        ({"datetime": "2026-01-01"}, "datetime"), ({"datetime": "../.."}, "datetime"),
        ({"intersects": "x"}, "intersects"), ({"intersects": "[1]"}, "intersects"),
        ({"intersects": json.dumps(POINT), "bbox": "0,0,1,1"}, "intersects"),
        ({"ids": ",".join(map(str, range(1001)))}, "ids"), ({"sortby": "owner"}, "owner"),
        ({"filter": "title ="}, "filter"), ({"filter": "x", "filter-lang": "ecql"}, "filter-lang"),
        ({"filter": "{", "filter-lang": "cql2-json"}, "filter"), ({"filter-crs": "EPSG:3857"}, "filter-crs"),
        ({"query": "{}"}, "query"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_in_a_query_is_named(query, named):
    with pytest.raises(BadParameter, match=named):
        asked_of(body_of(query))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ([], "object"), ({"bbox": "1,2,3,4"}, "bbox"), ({"bbox": [1, 2, 3, True]}, "bbox"), ({"limit": 1.5}, "limit"),
        ({"limit": True}, "limit"), ({"ids": "a"}, "ids"), ({"ids": [1]}, "ids"), ({"collections": {}}, "collections"),
        ({"datetime": 1}, "datetime"), ({"sortby": "id"}, "sortby"), ({"sortby": [{}]}, "sortby"),
        ({"sortby": [{"field": "id", "direction": "up"}]}, "direction"), ({"sortby": [{"field": "id", "direction": []}]}, "sortby"),
        ({"bbox": [10**400, 0, 1, 1]}, "bbox"), ({"fields": ["id"]}, "fields"),
        ({"fields": {"include": "id"}}, "include"), ({"fields": None}, "fields"), ({"filter": "x", "filter-lang": "cql2-json"}, "filter-lang"),
        ({"filter": {}, "filter-lang": "cql2-text"}, "filter-lang"), ({"token": 1}, "token"), ({"ids": ["\0"]}, "ids"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_in_a_body_is_named(body, named):
    with pytest.raises(BadParameter, match=named):
        asked_of(body)


ITEM = {
    "id": "1", "type": "Feature", "geometry": None, "stac_version": "1.1.0", "links": [], "collection": "c",
    "assets": {"data": {"href": "x", "type": "y"}, "thumbnail": {"href": "z"}},
    "properties": {"datetime": "d", "title": "t", "eo:cloud.cover": 5},
}  # fmt: skip
LEAST = {**ITEM, "properties": {"datetime": "d"}}


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (None, (), LEAST),
        ((), (), LEAST),
        (("id", "title"), (), {"id": "1", "properties": {"title": "t"}}),
        (None, ("assets.data.href", "assets.thumbnail"), {**ITEM, "assets": {"data": {"type": "y"}}}),
        (None, ("assets", "links", "absent", "id.x"), {k: v for k, v in ITEM.items() if k not in ("assets", "links")}),
        ((), ("assets", "properties"), {k: v for k, v in LEAST.items() if k not in ("assets", "properties")}),
        ((), ("assets.data",), {**LEAST, "assets": {"thumbnail": {"href": "z"}}}),
        (("properties", "id"), ("properties.title",), {"id": "1", "properties": {"datetime": "d", "eo:cloud.cover": 5}}),
        (("properties.eo:cloud.cover",), ("properties",), {"properties": {"eo:cloud.cover": 5}}),
        (("type", "geometry"), ("geometry",), {"type": "Feature", "geometry": None}),
        (("type",), ("type", "geometry"), {"type": "Feature"}),
        (("assets", "assets.data.href"), ("assets.data",), {"assets": {"data": {"href": "x"}, "thumbnail": {"href": "z"}}}),
        (("assets.none.href", "absent"), (), {}),
    ],
)  # fmt: skip
def test_fields_choose_what_is_included_without_what_is_excluded(include, exclude, expected):
    assert Fields(include, exclude).of(ITEM) == expected
