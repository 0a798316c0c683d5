"""The SQL of a search in PostgreSQL: boxes and intervals by one GiST index."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from gateway.catalogue.conditions import Kind
from gateway.catalogue.search import Box, Interval
from gateway.model import Dataset
from gateway.records.postgres.cells import DEGREE
from gateway.records.rows import Row
from gateway.records.search.dialect import Values, Within, remembering, shifted

TYPES = {str: "string", bool: "boolean", int: "number", float: "number"}
# Numbers are floats on both sides: as numeric the literal would be rounded to 15 digits.
CASTS = {str: '({}) COLLATE "C"', bool: "({})::boolean", int: "({})::float8", float: "({})::float8"}

CASTS_OF_KIND = {
    Kind.TEXT: '({} COLLATE "C")', Kind.NUMBER: "({}::numeric)", Kind.TRUTH: "({}::boolean)",
    Kind.MOMENT: "({}::timestamptz)",
}  # fmt: skip


class PostgresDialect:
    """PostgreSQL: values in the style of psycopg, JSON by its operators."""

    join = "JOIN"
    sides = "(a.place[1])[0] AS west, (a.place[1])[1] AS south, (a.place[0])[0] AS east, (a.place[0])[1] AS north"
    day = "to_char(a.start_at AT TIME ZONE 'UTC', 'YYYY-MM-DD')"
    newest = "dataset_audiences AS a"
    newest_of_collection = "dataset_audiences AS a"
    in_cell = f"""dataset_audiences AS a
        ON a.audience = cell.audience AND a.collection = cell.collection
        AND {DEGREE.format(row="a.")} = cell.degree"""

    def __init__(self, columns: str, dataset: Callable[[Row], Dataset]) -> None:
        self.columns = columns
        self._dataset = remembering(dataset)

    def dataset(self, row: Row) -> Dataset:
        """Return the dataset of a row."""
        return self._dataset(row)

    def mark(self, name: str) -> str:
        """Return what stands for a named value."""
        return f"%({name})s"

    def boxes(self, values: Values, within: Within, *, joined: bool) -> list[tuple[str, str]]:
        """Return tables and conditions of all that may lie in a box at a time."""
        told = []
        for each in (within.met, within.begins):
            if each != Interval():
                ends = f"{self._moment(values, each.start_at)}, {self._moment(values, each.end_at)}"
                told.append(f"tstzrange(a.start_at, a.end_at, '[]') && tstzrange({ends}, '[]')")
        return [
            ("dataset_audiences AS a", " AND ".join([self._meets(values, within.box, sides), *told]))
            for sides in shifted(within.box)
        ]

    def boxed(self, values: Values, within: Within, most: int, exact: str) -> None:
        """Return None: the index does not know who may see what."""

    def surely_boxed(self, values: Values, within: Within, most: int) -> None:
        """Return None: the index does not know who may see what."""

    def _moment(self, values: Values, moment: datetime | None) -> str:
        return "NULL" if moment is None else f"{values.bind(moment)}::timestamptz"

    def _meets(self, values: Values, box: Box, sides: tuple[float, float]) -> str:
        corners = [
            f"point({values.bind(float(x))}::float8, {values.bind(float(y))}::float8)"
            for x, y in zip(sides, (box[1], box[3]), strict=True)
        ]
        return f"a.place && box({', '.join(corners)})"

    def within(self, values: Values, box: Box) -> str:
        """Return the exact condition that the box of `a` meets another one."""

        # The operators of boxes take what is a millionth apart for one:
        # https://www.postgresql.org/docs/current/functions-geometry.html
        def meets(axis: int, first: float, last: float) -> str:
            ends = [f"{values.bind(float(end))}::float8" for end in (last, first)]
            return f"((a.place[1])[{axis}] <= {ends[0]} AND (a.place[0])[{axis}] >= {ends[1]})"

        longitudes = " OR ".join(meets(0, *sides) for sides in shifted(box))
        return f"({meets(1, box[1], box[3])} AND ({longitudes}))"

    def compare(self, values: Values, name: str, op: str, literal: str | float) -> str:
        """Return the condition that a dataset's own property compares so; null where it is of another type."""
        kind = type(literal)
        found = f"d.properties ->> {values.bind(name)}::text"
        told = literal if kind in (str, bool) else float(literal)
        value = f"{values.bind(told)}::{ {str: 'text', bool: 'boolean'}.get(kind, 'float8') }"
        return (
            f"(CASE WHEN {self._is_of(values, name, TYPES[kind])} THEN {CASTS[kind].format(found)} {op} {value} END)"
        )

    def _is_of(self, values: Values, name: str, kind: str) -> str:
        return f"json_typeof(d.properties -> {values.bind(name)}::text) = '{kind}'"

    def is_like(self, values: Values, name: str, pattern: str) -> str:
        """Return the condition that a dataset's own property is text of that pattern."""
        like = self.like(values, f"(d.properties ->> {values.bind(name)}::text)", pattern)
        return f"(CASE WHEN {self._is_of(values, name, 'string')} THEN {like} END)"

    def is_missing(self, values: Values, name: str) -> str:
        """Return the condition that a dataset has no such property of its own, or null."""
        return f"(coalesce(json_typeof(d.properties -> {values.bind(name)}::text), 'null') = 'null')"

    def reported(self, name: str, kind: Kind) -> str:
        """Return what the last report of a dataset's check says, of a type that compares with such values."""
        return CASTS_OF_KIND[kind].format(f"(d.report ->> '{name}')")

    def like(self, values: Values, column: str, pattern: str) -> str:
        """Return the condition that a column of text is of a pattern."""
        return f"{column} LIKE {values.bind(pattern)}::text"

    def longest(self) -> str:
        """Return the query for the length of the longest interval in seconds."""
        length = "extract(epoch FROM max(end_at - start_at))::float8"
        return f"SELECT {length} AS seconds FROM datasets WHERE end_at > start_at"  # noqa: S608
