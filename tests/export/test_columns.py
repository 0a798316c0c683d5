"""Types that all values of one place fit, and values as their columns take them."""

import json

import pyarrow as pa
import pytest

from gateway.export.columns import DEEPEST, MOST_MEMBERS, Kind


def kind_of(*values):
    found = Kind()
    for value in values:
        found.take(value)
    return found


def nested(depth):
    return [nested(depth - 1)] if depth else []


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ((), pa.string()),
        ((None, True), pa.bool_()),
        ((1, None), pa.int64()),
        ((1, 0.5), pa.float64()),
        ((1, "x"), pa.string()),
        ((True, 1), pa.string()),
        ((2**63,), pa.string()),
        (([], [1]), pa.list_(pa.int64())),
        (([], []), pa.list_(pa.string())),
        (([1, "x"],), pa.list_(pa.string())),
        (([1], 1), pa.string()),
        (({},), pa.string()),
        (({"a": 1}, {"b": ["x"]}), pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])),
    ],
)
def test_the_type_of_a_column_fits_all_and_takes_all(values, told):
    kind = kind_of(*values)
    assert kind.type == told
    column = pa.array([kind.fitted(value) for value in values], told).to_pylist()
    for value, found in zip(values, column, strict=True):
        as_text = kind.is_text or value == {}
        assert found == (json.dumps(value) if as_text and value is not None else without_text(kind, value))


def without_text(kind, value):
    """Return a value as a column without JSON texts of its own has it: absent members are null."""
    if isinstance(value, dict):
        return {name: value.get(name) for name in kind.members}
    return [str(json.dumps(each)) for each in value] if value == [1, "x"] else value


def test_what_would_be_no_table_is_text():
    deep, wide = (
        kind_of({"x": nested(DEEPEST + 2)}),
        kind_of({"x": {f"n{number}": 1 for number in range(MOST_MEMBERS + 1)}}),
    )
    assert (deep.members["x"].is_text, wide.members["x"].is_text) == (False, True)
    assert json.loads(wide.fitted({"x": {"n1": 1}})["x"]) == {"n1": 1}
    pa.array([deep.fitted({"x": nested(DEEPEST + 2)})], deep.type)
