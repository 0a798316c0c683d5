"""What differs between the databases in the SQL of a search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol

from gateway.catalogue.conditions import Kind
from gateway.catalogue.search import Box, Interval
from gateway.model import Dataset, utc_text
from gateway.records.rows import Row

# Datasets by their whole rows: some megabytes.
KEPT = 1000


def remembering(read: Callable[[Row], Dataset]) -> Callable[[Row], Dataset]:
    """Return `read`, which remembers what it has read: that takes longer than to find the rows of a tile."""

    @lru_cache(maxsize=KEPT)
    def read_once(columns: tuple[tuple[str, Any], ...]) -> Dataset:
        return read(dict(columns))

    return lambda row: read_once(tuple(row.items()))


class Values:
    """The values of one statement, each under a name of its own."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self.given: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Return what stands for a value in the statement; a moment is text there."""
        name = f"v{len(self.given)}"
        self.given[name] = utc_text(value) if isinstance(value, datetime) else value
        return self._dialect.mark(name)

    def among(self, column: str, values: Sequence[Any]) -> str:
        """Return the condition that a column has one of the values."""
        return f"{column} IN ({', '.join(map(self.bind, values))})" if values else "1 = 0"


@dataclass(frozen=True, slots=True)
class Within:
    """A box, the interval that is met and the one in which it begins, and who may see what lies there."""

    box: Box
    met: Interval
    begins: Interval
    audiences: tuple[str, ...]


class Dialect(Protocol):
    """One database. `a` is the table dataset_audiences in all statements, `d` the table datasets."""

    @property
    def join(self) -> str:
        """Return the word that joins in the written order."""

    @property
    def columns(self) -> str:
        """Return what a dataset is made of, of the table `datasets`."""

    @property
    def sides(self) -> str:
        """Return the columns west, south, east and north of `a`, unrolled past 180."""

    @property
    def day(self) -> str:
        """Return the day in UTC on which `a` begins, as YYYY-MM-DD."""

    @property
    def newest(self) -> str:
        """Return the table for a walk in time over all datasets of an audience."""

    @property
    def newest_of_collection(self) -> str:
        """Return the table for a walk in time over the datasets of one collection and audience."""

    @property
    def in_cell(self) -> str:
        """Return the table of the datasets that `cell` tells of, with the condition of its join."""

    def mark(self, name: str) -> str:
        """Return what stands for a named value."""

    def boxes(self, values: Values, within: Within, *, joined: bool) -> list[tuple[str, str]]:
        """Return tables and conditions of all that may lie in a box at a time, by the index of the boxes.

        Where they are `joined` the tables have `a`. Audiences are not asked for where the index does not know them.
        """

    def boxed(self, values: Values, within: Within, most: int, exact: str) -> str | None:
        """Return the query for how many datasets lie there, at most `most`, None where the index alone cannot tell.

        Of each there is one row for all those audiences. `exact` is the condition of `a` for what the index leaves
        open.
        """

    def surely_boxed(self, values: Values, within: Within, most: int) -> str | None:
        """Return the query for how many datasets lie there as the index alone can tell, at most `most`."""

    def within(self, values: Values, box: Box) -> str:
        """Return the exact condition that the box of `a` meets another one."""

    def compare(self, values: Values, name: str, op: str, literal: str | float) -> str:
        """Return the condition that a dataset's own property is of the literal's type and compares to it so.

        It is null where the property is missing or of another type.
        """

    def is_like(self, values: Values, name: str, pattern: str) -> str:
        """Return the condition that a dataset's own property is text of that pattern, as LIKE of CQL2 has it."""

    def is_missing(self, values: Values, name: str) -> str:
        """Return the condition that a dataset has no such property of its own, or null."""

    def reported(self, name: str, kind: Kind) -> str:
        """Return what the last report of a dataset's check says, null where it says nothing."""

    def like(self, values: Values, column: str, pattern: str) -> str:
        """Return the condition that a column of text is of a pattern."""

    def dataset(self, row: Row) -> Dataset:
        """Return the dataset of a row of `datasets`."""

    def longest(self) -> str:
        """Return the query for the length of the longest interval in seconds, null where all are moments."""


class Database(Protocol):
    """A database as of one moment."""

    @property
    def dialect(self) -> Dialect:
        """Return the SQL that it takes."""

    def rows(self, sql: str, values: dict[str, Any]) -> list[Row]:
        """Return the rows of a query by column name; raises TooBroad."""

    def hurried(self, seconds: float) -> AbstractContextManager[None]:
        """Return a context whose statements take so long together at most; after its TooBroad others may follow."""


def shifted(box: Box) -> list[tuple[float, float]]:
    """Return west and east of a box at rest and a turn further, where what crosses the antimeridian is unrolled."""
    west, east = box[0], box[2] + 360 * (box[0] > box[2])
    return [(west + turn, east + turn) for turn in (-360, 0, 360) if east + turn >= -180]


def query_boxes(box: Box) -> list[Box]:
    """Return the pieces of a box within -180..180; one that ends at the antimeridian touches its other side."""
    west, south, east, north = box
    if (west, east) == (-180, 180):
        return [box]
    sides = [(west, east)] if west <= east else [(west, 180.0), (-180.0, east)]
    sides += [(-180.0, -180.0)] if east == 180 else []
    sides += [(180.0, 180.0)] if west == -180 else []
    return [(left, south, right, north) for left, right in sides]
