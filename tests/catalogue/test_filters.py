from datetime import UTC, datetime

import pytest

from gateway.catalogue.filters import filter_of_json, filter_of_text
from gateway.catalogue.search import Condition, Property
from gateway.errors import BadParameter

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TEXTS = {
    "cloud < 10": Condition("<", (Property("cloud"), 10.0)),
    "10 > \"eo:cloud_cover\"": Condition(">", (10.0, Property("eo:cloud_cover"))),
    "properties.cloud = TRUE": Condition("=", (Property("cloud"), True)),
    "a = 'it''s' AND NOT b IS NULL": Condition(
        "and", (Condition("=", (Property("a"), "it's")), Condition("not", (Condition("isNull", (Property("b"),)),)))
    ),
    "datetime >= TIMESTAMP('2026-01-02T03:04:05Z')": Condition(">=", (Property("datetime"), MOMENT)),
    "datetime >= '2026-01-02T04:04:05+01:00'": Condition(">=", (Property("datetime"), MOMENT)),
    "created < DATE('2026-01-02')": Condition("<", (Property("created"), MOMENT.replace(hour=0, minute=0, second=0))),
    "a LIKE 'S%'": Condition("like", (Property("a"), "S%")),
    "a IN ('x', 'y')": Condition("in", (Property("a"), "x", "y")),
    "a BETWEEN 1 AND 2": Condition("between", (Property("a"), 1.0, 2.0)),
}  # fmt: skip


@pytest.mark.parametrize("text", TEXTS)
def test_text_and_json_become_the_same_condition(text):
    import cql2

    assert filter_of_text(text) == TEXTS[text]
    assert filter_of_json(cql2.parse_text(text).to_json()) == TEXTS[text]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a <", "no CQL2"),
        ("", "no CQL2"),
        ("casei(a) = casei('x')", "'casei'"),
        ("S_INTERSECTS(geometry, POINT(1 2))", "'s_intersects'"),
        ("T_AFTER(datetime, TIMESTAMP('2026-01-01T00:00:00Z'))", "'t_after'"),
        ("a = 1 + 2", "'+'"),
        ("drop(a) = 1", "'drop'"),
        ("datetime > 'yesterday'", "'yesterday'"),
        ("-" * 9000 + "1 = a", "4000 characters"),
        ("-" * 3900 + "1 = a", "signs"),
        ("(" * 9 + "a", "parentheses"),
        ("NOT " * 600 + "a = 1", "NOT"),
        ("NOT " * 30 + "a = 1", "nested"),
        (" OR ".join(["a=1"] * 400), "operands"),
        (f"a = '{'x' * 4_000}'", "4000 characters"),
    ],
)
def test_what_is_not_on_the_list_is_named(text, told):
    with pytest.raises(BadParameter) as caught:
        filter_of_text(text)
    assert told in str(caught.value)


def deep(levels):
    tree = {"op": "=", "args": [{"property": "a"}, 1]}
    for _ in range(levels):
        tree = {"op": "not", "args": [tree]}
    return tree


@pytest.mark.parametrize(
    "value",
    [
        [], "a=1", {}, {"op": "="}, {"op": "=", "args": [1]}, {"op": ["="], "args": [1, 1]}, {"property": "a"},
        {"op": "=", "args": [{"property": 5}, 1]}, {"op": "in", "args": [{"property": "a"}, []]},
        {"op": "=", "args": [{"property": "a"}, None]}, {"op": "not", "args": []}, deep(30), deep(3000),
    ],
)  # fmt: skip
def test_json_that_is_no_filter_is_refused(value):
    with pytest.raises(BadParameter):
        filter_of_json(value)


def test_the_ends_of_between_may_stand_in_a_list_as_in_drafts_of_the_standard():
    found = filter_of_json({"op": "not", "args": [{"op": "between", "args": [{"property": "a"}, [1, 2]]}]})
    assert found == Condition("not", (Condition("between", (Property("a"), 1.0, 2.0)),))


def test_a_text_with_a_nul_is_refused():
    with pytest.raises(BadParameter, match="NUL"):
        filter_of_json({"op": "=", "args": [{"property": "a"}, "\0"]})


def test_a_text_that_is_no_unicode_is_refused():
    with pytest.raises(BadParameter, match="Unicode"):
        filter_of_text("title = '\ud800'")
    with pytest.raises(BadParameter):
        filter_of_json({"op": "=", "args": [{"property": "\ud800"}, "\ud800"]})
