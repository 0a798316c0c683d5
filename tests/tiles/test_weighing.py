"""Weighed statistics beside rio-tiler's, which has all values at once."""

import math

import numpy as np
import pytest
from rio_tiler.utils import get_array_statistics

from gateway.errors import BadParameter
from gateway.tiles import weighing
from gateway.tiles.weighing import Pixels, described, weighed

TYPES = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64")
OPTIONS = {"categorical": False, "categories": None, "percentiles": [0, 2, 50, 98, 100], "hist_options": {"bins": 7}}


def scene(dtype, different=60):
    """Return values, (rows, cols), and how much of each is covered: nothing, a part or all."""
    random = np.random.default_rng(5)
    values = random.integers(-20 if np.dtype(dtype).kind != "u" else 0, different, (40, 50)).astype(dtype)
    if np.dtype(dtype).kind == "f":
        values += random.random((40, 50)).astype(dtype) * (random.random((40, 50)) > 0.5)
    return values, np.clip(random.uniform(-0.5, 1.5, (40, 50)), 0, 1)


def ours(values, weights, options=OPTIONS):
    band = weighed(values.dtype)
    for rows in range(0, 40, 9):
        piece, covered = values[rows : rows + 9], weights[rows : rows + 9]
        band.add(piece[covered == 1])
        partial = (covered > 0) & (covered < 1)
        band.add(piece[partial], covered[partial])
    return described(band, Pixels(values.size, np.count_nonzero(weights)), options)


def theirs(values, weights, options=OPTIONS):
    told = {name: options[name] for name in ("categorical", "categories", "percentiles")}
    masked = np.ma.MaskedArray(values.copy(), weights == 0)[None]
    return get_array_statistics(masked, coverage=weights, **told, **options["hist_options"])[0]


@pytest.mark.parametrize("dtype", TYPES)
def test_all_numbers_are_those_of_rio_tiler(dtype, monkeypatch):
    # Of many tables, the runs of one value not cut.
    monkeypatch.setattr(weighing, "CHUNK", 37)
    values, weights = scene(dtype)
    found, expected = ours(values, weights), theirs(values, weights)
    assert set(found) == set(expected)
    for name in set(expected) - {"histogram", "majority", "minority"}:
        assert found[name] == pytest.approx(expected[name], rel=1e-9), name
    assert found["histogram"][0] == expected["histogram"][0]
    assert found["histogram"][1] == pytest.approx(expected["histogram"][1])


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_what_covers_most_and_least_goes_by_the_ground_and_not_by_pixels(dtype):
    values = np.array([3, 3, 3, 7, 5, 5], dtype)
    weights = np.array([0.1, 0.1, 0.1, 1, 0.5, 0.5])
    band = weighed(values.dtype)
    band.add(values[weights == 1])
    band.add(values[weights < 1], weights[weights < 1])
    found = described(band, Pixels(6, 6), OPTIONS)
    # Of two with as much the greatest.
    assert (found["majority"], found["minority"], found["unique"]) == (7, 3, 3)
    assert (found["count"], found["valid_pixels"]) == (pytest.approx(2.3), 6)


def test_bins_may_be_edges_or_have_a_range():
    values, weights = scene("int16")
    for told in ({"bins": [-5.0, 0.0, 10.0, 50.0]}, {"bins": 5, "range": (0.0, 30.0)}):
        options = {**OPTIONS, "hist_options": told}
        assert ours(values, weights, options)["histogram"] == theirs(values, weights, options)["histogram"]


def test_of_no_value_there_are_no_statistics():
    for dtype in ("uint8", "float64"):
        found = described(weighed(np.dtype(dtype)), Pixels(12, 4), OPTIONS)
        assert (found["count"], found["sum"], found["valid_pixels"], found["masked_pixels"]) == (0, 0, 0, 12)
        assert all(math.isnan(found[name]) for name in ("min", "max", "mean", "std", "median", "majority"))
        assert found["histogram"][0] == [0] * 7


@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_categories_are_counted_all_or_as_asked(dtype, monkeypatch):
    monkeypatch.setattr(weighing, "CHUNK", 37)
    values, weights = scene(dtype)
    for wanted in (None, [3.0, 999.0, 12.0], [3.7]):
        options = {**OPTIONS, "categorical": True, "categories": wanted}
        assert ours(values, weights, options)["histogram"] == theirs(values, weights, options)["histogram"]


def test_an_answer_lists_so_many_categories(monkeypatch):
    monkeypatch.setattr(weighing, "MOST_CATEGORIES", 20)
    values, weights = scene("float32")
    with pytest.raises(BadParameter, match="more than 20 different values"):
        ours(values, weights, {**OPTIONS, "categorical": True})
