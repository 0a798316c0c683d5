"""Bodies that ask for the same have one normal form, which asks for the same."""

import pytest

from gateway.errors import BadParameter
from gateway.stac.requests import asked_of
from gateway.stac.stored import normal_form

SAME = [
    (
        {"collections": ["b", "a", "b"], "limit": 5, "datetime": "2026-01-01T02:00:00+02:00", "ids": None},
        {"datetime": "2026-01-01T00:00:00Z", "collections": ["a", "b"], "sortby": [{"field": "datetime", "direction": "desc"}]},
    ),
    ({"bbox": [1, 2, 0, 3, 4, 9]}, {"bbox": [1.0, 2.0, 3.0, 4.0], "fields": {"include": ["id"]}}),
    (
        {"filter": "updated > TIMESTAMP('2026-01-01T00:00:00Z') AND kind IN ('x', 'y') AND NOT cloud BETWEEN 1 AND 2"},
        {"filter-lang": "cql2-json", "filter": {"op": "and", "args": [
            {"op": ">", "args": [{"property": "properties.updated"}, {"timestamp": "2026-01-01T00:00:00.000Z"}]},
            {"op": "in", "args": [{"property": "kind"}, ["x", "y"]]},
            {"op": "not", "args": [{"op": "between", "args": [{"property": "cloud"}, 1, 2]}]},
        ]}},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), SAME)
def test_bodies_that_ask_for_the_same_have_one_form_that_asks_for_it(one, other):
    form = normal_form(one)
    assert form == normal_form(other)
    assert normal_form(form) == form
    asked = asked_of(form).search
    assert (asked.filter, asked.datetime, asked.bbox) == (
        asked_of(one).search.filter, asked_of(one).search.datetime, asked_of(one).search.bbox,
    )  # fmt: skip


def test_what_is_no_search_has_none():
    crossed = {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}
    for body in ([], {"bbox": [1]}, {"intersects": crossed}, {"filter": "a ="}):
        with pytest.raises(BadParameter):
            normal_form(body)


def test_what_could_not_be_sent_again_is_not_stored():
    with pytest.raises(BadParameter, match="Unicode"):
        normal_form({"ids": ["\ud800"]})


def test_of_a_geometry_is_kept_where_it_lies():
    point = {"type": "Point", "coordinates": [1, 2]}
    told = {**point, "name": "\ud800", "geometries": [3]}
    assert normal_form({"intersects": told}) == {"intersects": point}
    several = {"type": "GeometryCollection", "geometries": [told], "coordinates": [1]}
    assert normal_form({"intersects": several})["intersects"] == {"type": "GeometryCollection", "geometries": [point]}
