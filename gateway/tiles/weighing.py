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
        self._ready: tuple[Values, Values, Floats] | None = None

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
        if self._ready is not None:
            return self._ready
        whole, partial = _joined(self._whole, self._dtype), _joined(self._partial, self._dtype)
        weights = _joined(self._weights, np.dtype(float))
        whole.sort()
        order = np.argsort(partial, kind="stable")
        partial, weights = partial[order], weights[order]
        self._ready = whole, partial, weights
        return self._ready


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
    if not beside.size:
        return Table(values, counts, counts.astype(float))
    every = np.union1d(values, beside)
    found = Table(every, np.zeros(len(every), np.int64), np.zeros(len(every)))
    at = np.searchsorted(every, values)
    found.counts[at] += counts
    found.weights[at] += counts
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
    valid, mean, count = (found[name] for name in ("valid_pixels", "mean", "count"))
    quantiles, bins = Quantiles(count, [*(each / 100 for each in percentiles), 0.5]), Bins(found, options)
    squares, listed = [], Categories(options["categories"])
    for table in band.tables():
        squares.append(float(np.dot((table.values.astype(float) - mean) ** 2, table.weights)))
        quantiles.add(table)
        (listed if options["categorical"] else bins).add(table)
    values = quantiles.found()
    return {
        **found,
        "std": math.sqrt(math.fsum(squares) / count) if count else math.nan,
        "median": values[-1],
        # Of one whole number, as rio-tiler names them.
        **{f"percentile_{int(each)}": value for each, value in zip(percentiles, values, strict=False)},
        "histogram": (listed if options["categorical"] else bins).found(),
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


class Quantiles:
    """For each part of the covered ground, of which there is `count`, the least value that so much has at most."""

    def __init__(self, count: float, wanted: Sequence[float]) -> None:
        self._wanted = [part * count for part in wanted]
        self._found, self._begun, self._last = [math.nan] * len(wanted), 0.0, math.nan

    def add(self, table: Table) -> None:
        """Look through a table that lies above those before it."""
        reached = self._begun + np.cumsum(table.weights)
        for index, wanted in enumerate(self._wanted):
            if math.isnan(self._found[index]) and reached[-1] >= wanted:
                self._found[index] = float(table.values[np.searchsorted(reached, wanted)])
        self._begun, self._last = float(reached[-1]), float(table.values[-1])

    def found(self) -> list[float]:
        """Return the values; that of what rounding leaves beyond the sum of all is the greatest."""
        return [self._last if math.isnan(each) else each for each in self._found]


class Bins:
    """How many pixels are in each bin, the last of which has its upper edge (numpy.histogram)."""

    def __init__(self, found: Mapping[str, Any], options: Mapping[str, Any]) -> None:
        told: Mapping[str, Any] = options["hist_options"]
        ends = (0.0, 1.0) if math.isnan(found["min"]) else (found["min"], found["max"])
        self._edges = np.histogram_bin_edges([], told["bins"], told.get("range") or ends)
        self._counts = np.zeros(len(self._edges) - 1, np.int64)

    def add(self, table: Table) -> None:
        """Count the pixels of a table."""
        below = np.concatenate([[0], np.cumsum(table.counts)])
        at = np.searchsorted(table.values, self._edges)
        at[-1] = np.searchsorted(table.values, self._edges[-1], "right")
        self._counts += np.diff(below[at])

    def found(self) -> list[list[float]]:
        """Return the counts, and the edges."""
        return [self._counts.tolist(), self._edges.tolist()]


class Categories:
    """How many pixels have each value, or each of those that are `wanted`."""

    def __init__(self, wanted: Sequence[float] | None) -> None:
        self._wanted = wanted
        self._keys: list[Values] = []
        self._counts: list[Counts] = []

    def add(self, table: Table) -> None:
        """Take a table; raises BadParameter for more values than an answer may list."""
        keys, counts = table.values, table.counts
        if self._wanted:
            kept = np.isin(keys, np.array(self._wanted).astype(keys.dtype))
            keys, counts = keys[kept], counts[kept]
        self._keys.append(keys)
        self._counts.append(counts)
        if sum(map(len, self._keys)) > MOST_CATEGORIES:
            raise BadParameter(f"categorical: a band has more than {MOST_CATEGORIES} different values.")

    def found(self) -> list[list[float]]:
        """Return the counts, and the values."""
        keys, counts = (np.concatenate(each) if each else np.empty(0) for each in (self._keys, self._counts))
        if not self._wanted:
            return [counts.tolist(), keys.tolist()]
        told = dict(zip(keys.tolist(), counts.tolist(), strict=True))
        listed = np.array(self._wanted).astype(keys.dtype).tolist()
        return [[told.get(each, 0) for each in listed], listed]
