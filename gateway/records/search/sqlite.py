"""The SQL of a search in SQLite: boxes by the R*Tree (https://www.sqlite.org/rtree.html)."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from gateway.catalogue.search import Box, Interval
from gateway.model import Dataset
from gateway.records.rows import Row, dataset_of
from gateway.records.search.dialect import Values, query_boxes, shifted

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Days that a conversion may be off.
SLACK_DAYS = 1e-5
TYPES = {str: ("text",), bool: ("true", "false"), int: ("integer", "real"), float: ("integer", "real")}


class SqliteDialect:
    """SQLite: named values, JSON by its own functions."""

    join = "CROSS JOIN"
    columns = "*"
    sides = "a.west, a.south, a.east, a.north"
    day = "substr(a.start_at, 1, 10)"
    newest = "dataset_audiences AS a INDEXED BY dataset_audiences_newest"
    newest_of_collection = "dataset_audiences AS a INDEXED BY dataset_audiences_newest_of_collection"

    def mark(self, name: str) -> str:
        """Return what stands for a named value."""
        return f":{name}"

    def boxes(
        self, values: Values, box: Box, times: tuple[Interval, Interval], *, joined: bool
    ) -> list[tuple[str, str]]:
        """Return tables and conditions of all that may lie in a box at a time."""
        met, begins = times
        told = []
        for column, op, moment in (
            ("first_day", "<=", met.end_at), ("last_day", ">=", met.start_at),
            ("first_day", ">=", begins.start_at), ("first_day", "<=", begins.end_at),
        ):  # fmt: skip
            if moment is not None:
                told.append(
                    f"b.{column} {op} {values.bind(_day(moment) + (SLACK_DAYS if op == '<=' else -SLACK_DAYS))}"
                )
        table = "dataset_boxes AS b"
        if joined:
            table += " CROSS JOIN dataset_audiences AS a ON a.number = b.id >> 1"
        found = []
        for west, south, east, north in query_boxes(box):
            sides = (("west", "<=", east), ("east", ">=", west), ("south", "<=", north), ("north", ">=", south))
            place = [f"b.{name} {op} {values.bind(value)}" for name, op, value in sides]
            found.append((table, " AND ".join([*place, *told])))
        return found

    def within(self, values: Values, box: Box) -> str:
        """Return the exact condition that the box of `a` meets another one."""
        alternatives = [
            f"(a.west <= {values.bind(east)} AND a.east >= {values.bind(west)})" for west, east in shifted(box)
        ]
        latitudes = f"a.south <= {values.bind(box[3])} AND a.north >= {values.bind(box[1])}"
        return f"({latitudes} AND ({' OR '.join(alternatives)}))"

    def compare(self, values: Values, name: str, op: str, literal: str | float) -> str:
        """Return the condition that a dataset's own property compares so; null where it is of another type."""
        path = values.bind(_path(name))
        types = ", ".join(f"'{each}'" for each in TYPES[type(literal)])
        return (
            f"(CASE WHEN json_type(d.properties, {path}) IN ({types})"
            f" THEN json_extract(d.properties, {path}) {op} {values.bind(literal)} END)"
        )

    def is_like(self, values: Values, name: str, pattern: str) -> str:
        """Return the condition that a dataset's own property is text of that pattern."""
        path = values.bind(_path(name))
        like = self.like(values, f"json_extract(d.properties, {path})", pattern)
        return f"(CASE WHEN json_type(d.properties, {path}) = 'text' THEN {like} END)"

    def is_missing(self, values: Values, name: str) -> str:
        """Return the condition that a dataset has no such property of its own, or null."""
        return f"(coalesce(json_type(d.properties, {values.bind(_path(name))}), 'null') = 'null')"

    def like(self, values: Values, column: str, pattern: str) -> str:
        """Return the condition that a column of text is of a pattern."""
        # SQLite's own LIKE takes letters of ASCII in any case.
        return f"{column} GLOB {values.bind(_glob(pattern))}"

    def dataset(self, row: Row) -> Dataset:
        """Return the dataset of a row."""
        return dataset_of(row)

    def longest(self) -> str:
        """Return the query for the length of the longest interval in seconds."""
        length = "julianday(end_at) - julianday(start_at)"
        # A second more than a float of days may lose.
        return f"SELECT 86400 * max({length}) + 1 AS seconds FROM datasets WHERE end_at > start_at"  # noqa: S608


def _glob(pattern: str) -> str:
    """Return a pattern of LIKE as one of GLOB: `%` and `_` are wildcards, a backslash takes the next one as it is."""
    told, plain = [], False
    for character in pattern:
        if character == "\\" and not plain:
            plain = True
            continue
        wild = {"%": "*", "_": "?"}.get(character) if not plain else None
        told.append(wild or (f"[{character}]" if character in "*?[" else character))
        plain = False
    return "".join(told)


def _path(name: str) -> str:
    return f"$.{json.dumps(name)}"


def _day(moment: datetime) -> float:
    return (moment - EPOCH).total_seconds() / 86400
