"""Statistics of values of which some count in part only, as rio-tiler has them; values come piece by piece.

`count`, `sum`, `mean`, `std`, `median`, the percentiles, `majority` and `minority` go by the covered part of each
pixel; `min`, `max`, `unique`, `histogram` and `valid_pixels` by whole pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gateway.errors import BadParameter
from gateway.ground.systems import Floats

Values = npt.NDArray[Any]
Counts = npt.NDArray[np.int64]
# Whole numbers of so many bytes are counted one by one.
COUNTED_BYTES = 2
# Sorted values that one table is made of, about.
CHUNK = 1 << 20
# Different values that an answer may list.
MOST_CATEGORIES = 1 << 16


@dataclass(frozen=True, slots=True)
class Table:
    """Different values, rising: how many pixels have each, and how much of those is covered."""

    values: Values
    counts: Counts
    weights: Floats


class Weighed(Protocol):
    """The values of one band that are covered, and how much of each."""

    def add(self, values: Values, weights: Floats | None = None) -> None:
        """Add values, and how much of each is covered; None is all."""

    def tables(self) -> Iterator[Table]:
        """Yield all that was added, from the least values to the greatest ones; no value is in two tables."""


class CountedValues:
    """Whole numbers of few bits: how often there is each."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        limits = np.iinfo(dtype)
        self._dtype, self._least, different = dtype, int(limits.min), int(limits.max) - int(limits.min) + 1
        self._counts, self._weights = np.zeros(different, np.int64), np.zeros(different)

    def add(self, values: Values, weights: Floats | None = None) -> None:
        """Add values, and how much of each is covered; None is all."""
        places, length = values.astype(np.intp) - self._least, len(self._counts)
        counts = np.bincount(places, minlength=length)
        self._counts += counts
        self._weights += counts if weights is None else np.bincount(places, weights, length)

    def tables(self) -> Iterator[Table]:
        """Yield one table of all, or none."""
        held = np.flatnonzero(self._counts)
        if held.size:
            yield Table((held + self._least).astype(self._dtype), self._counts[held], self._weights[held])


class KeptValues:
    """Values of all other types: these themselves, and beside them those that are covered in part."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._whole: list[Values] = []
        self._partial: list[Values] = []
        self._weights: list[Floats] = []

    def add(self, values: Values, weights: Floats | None = None) -> None:
        """Add values, and how much of each is covered; None is all."""
        if weights is None:
            self._whole.append(values)
        else:
            self._partial.append(values)
            self._weights.append(weights)

    def tables(self) -> Iterator[Table]:
        """Yield tables of about as many values each."""
        whole, partial, weights = self._sorted()
        borders = np.unique(np.concatenate([whole[CHUNK::CHUNK], partial[CHUNK::CHUNK]]))
        ends = ((*np.searchsorted(values, borders), len(values)) for values in (whole, partial))
        first = second = 0
        for last, end in zip(*ends, strict=True):
            if last > first or end > second:
                yield _table(whole[first:last], partial[second:end], weights[second:end])
            first, second = last, end

    def _sorted(self) -> tuple[Values, Values, Floats]:
        whole, partial = _joined(self._whole, self._dtype), _joined(self._partial, self._dtype)
        weights = _joined(self._weights, np.dtype(float))
        whole.sort()
        order = np.argsort(partial, kind="stable")
        partial, weights = partial[order], weights[order]
        self._whole, self._partial, self._weights = [whole], [partial], [weights]
        return whole, partial, weights


def weighed(dtype: np.dtype[Any]) -> Weighed:
    """Return what takes the values of a band of that type."""
    few = dtype.kind in "iu" and dtype.itemsize <= COUNTED_BYTES
    return CountedValues(dtype) if few else KeptValues(dtype)


def _joined(pieces: list[Values], dtype: np.dtype[Any]) -> Values:
    """Return all pieces as one array; each is let go when it is copied."""
    if len(pieces) == 1:
        return pieces.pop()
    whole = np.empty(sum(map(len, pieces)), dtype)
    end = len(whole)
    while pieces:
        piece = pieces.pop()
        whole[end - len(piece) : end] = piece
        end -= len(piece)
    return whole


def _table(whole: Values, partial: Values, weights: Floats) -> Table:
    """Return the table of sorted values and of sorted ones with weights."""
    (values, counts), (beside, covered) = _runs(whole), _runs(partial)
    every = np.union1d(values, beside)
    found = Table(every, np.zeros(len(every), np.int64), np.zeros(len(every)))
    at = np.searchsorted(every, values)
    found.counts[at] += counts
    found.weights[at] += counts
    if partial.size:
        at = np.searchsorted(every, beside)
        found.counts[at] += covered
        found.weights[at] += np.add.reduceat(weights, np.cumsum(covered) - covered)
    return found


def _runs(values: Values) -> tuple[Values, Counts]:
    """Return the different ones of sorted values, and how often there is each."""
    if not values.size:
        return values, np.empty(0, np.int64)
    starts = np.concatenate([[0], np.flatnonzero(values[1:] != values[:-1]) + 1])
    return values[starts], np.diff(np.append(starts, len(values)))


@dataclass(frozen=True, slots=True)
class Pixels:
    """How many pixels a window has, and how many of these are covered at all."""

    all: int
    covered: int


def described(band: Weighed, pixels: Pixels, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statistics of a band; `options` are rio-tiler's. NaN stands for what nothing has.

    Raises BadParameter for more categories than an answer may list.
    """
    percentiles: Sequence[float] = options["percentiles"]
    found = _summed(band)
    quantiles = _quantiles(band, found["count"], [*(each / 100 for each in percentiles), 0.5])
    valid = found.pop("valid_pixels")
    return {
        **found,
        "std": _deviation(band, found["mean"], found["count"]),
        "median": quantiles[-1],
        # Of one whole number, as rio-tiler names them.
        **{f"percentile_{int(each)}": value for each, value in zip(percentiles, quantiles, strict=False)},
        "histogram": _categories(band, options) if options["categorical"] else _histogram(band, found, options),
        "valid_percent": round(min(valid / pixels.covered, 1) * 100, 2) if pixels.covered else 0.0,
        "masked_pixels": float(pixels.all - valid),
        "valid_pixels": float(valid),
    }


def _summed(band: Weighed) -> dict[str, Any]:
    """Return what one look at all values tells."""
    sums, weights, valid, unique = [], [], 0, 0
    least = greatest = majority = minority = math.nan
    most, fewest = -math.inf, math.inf
    for table in band.tables():
        sums.append(float(np.dot(table.values.astype(float), table.weights)))
        weights.append(float(table.weights.sum()))
        valid, unique = valid + int(table.counts.sum()), unique + len(table.values)
        least = float(table.values[0]) if math.isnan(least) else least
        greatest = float(table.values[-1])
        # Of several with as much the greatest, and the least: as exactextract chooses.
        if table.weights.max() >= most:
            most, majority = table.weights.max(), float(table.values[::-1][table.weights[::-1].argmax()])
        if table.weights.min() < fewest:
            fewest, minority = table.weights.min(), float(table.values[table.weights.argmin()])
    count, total = math.fsum(weights), math.fsum(sums)
    return {
        "min": least, "max": greatest, "mean": total / count if count else math.nan, "count": count, "sum": total,
        "majority": majority, "minority": minority, "unique": float(unique), "valid_pixels": valid,
    }  # fmt: skip


def _deviation(band: Weighed, mean: float, count: float) -> float:
    """Return the standard deviation of all, no sample (the population's)."""
    if not count:
        return math.nan
    squares = [float(np.dot((table.values.astype(float) - mean) ** 2, table.weights)) for table in band.tables()]
    return math.sqrt(math.fsum(squares) / count)


def _quantiles(band: Weighed, count: float, wanted: Sequence[float]) -> list[float]:
    """Return for each part of the covered ground the least value that so much has at most."""
    found, begun, last = [math.nan] * len(wanted), 0.0, math.nan
    for table in band.tables():
        reached = begun + np.cumsum(table.weights)
        for index, part in enumerate(wanted):
            if math.isnan(found[index]) and reached[-1] >= part * count:
                found[index] = float(table.values[np.searchsorted(reached, part * count)])
        begun = float(reached[-1])
        last = float(table.values[-1])
    # What rounding leaves beyond the sum of all.
    return [last if math.isnan(each) else each for each in found]


def _histogram(band: Weighed, found: Mapping[str, Any], options: Mapping[str, Any]) -> list[list[float]]:
    """Return how many pixels are in each bin, and the edges of these."""
    told: Mapping[str, Any] = options["hist_options"]
    ends = told.get("range") or ((0.0, 1.0) if math.isnan(found["min"]) else (found["min"], found["max"]))
    counts, edges = np.histogram([], bins=told["bins"], range=ends)
    for table in band.tables():
        counts = counts + np.histogram(table.values, bins=told["bins"], range=ends, weights=table.counts)[0]
    return [counts.tolist(), edges.tolist()]


def _categories(band: Weighed, options: Mapping[str, Any]) -> list[list[float]]:
    """Return how many pixels have each value, or each of those that are asked about, and these."""
    wanted, keys, counts = options["categories"], [], []
    for table in band.tables():
        keys.append(table.values)
        counts.append(table.counts)
        if not wanted and sum(map(len, keys)) > MOST_CATEGORIES:
            raise BadParameter(f"categorical: a band has more than {MOST_CATEGORIES} different values.")
    if not wanted:
        return [np.concatenate(each).tolist() if each else [] for each in (counts, keys)]
    listed = np.array(wanted).astype(keys[0].dtype) if keys else np.array(wanted)
    found = np.zeros(len(listed), np.int64)
    for values, several in zip(keys, counts, strict=True):
        at = np.minimum(np.searchsorted(values, listed), len(values) - 1)
        found += np.where(values[at] == listed, several[at], 0)
    return [found.tolist(), listed.tolist()]
