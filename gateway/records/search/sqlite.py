"""The SQL of a search in SQLite: boxes by the R*Tree (https://www.sqlite.org/rtree.html)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from gateway.catalogue.conditions import Kind
from gateway.catalogue.search import Box
from gateway.model import Dataset
from gateway.records.rows import Row, dataset_of
from gateway.records.search.dialect import Values, Within, query_boxes, remembering, shifted
from gateway.records.sqlite.audiences import SHARED_NUMBERS
from gateway.records.sqlite.cells import DEGREE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Days that a conversion may be off.
SLACK_DAYS = 1e-5
_remembered = remembering(dataset_of)
# What a single float of the R*Tree is off at most, besides: in all, and for each one of the value.
ROUNDED = (1e-6, 4e-7)
# More audiences of one reader than these are looked for as one range of numbers.
MOST_RANGES = 16
TYPES = {str: ("text",), bool: ("true", "false"), int: ("integer", "real"), float: ("integer", "real")}


class SqliteDialect:
    """SQLite: named values, JSON by its own functions."""

    join = "CROSS JOIN"
    columns = "*"
    sides = "a.west, a.south, a.east, a.north"
    day = "substr(a.start_at, 1, 10)"
    newest = "dataset_audiences AS a INDEXED BY dataset_audiences_newest"
    newest_of_collection = "dataset_audiences AS a INDEXED BY dataset_audiences_newest_of_collection"
    in_cell = f"""dataset_audiences AS a INDEXED BY dataset_audiences_cells
        ON a.audience = cell.audience AND a.collection = cell.collection
        AND {DEGREE.format(row="a.")} = cell.degree"""

    def mark(self, name: str) -> str:
        """Return what stands for a named value."""
        return f":{name}"

    def boxes(self, values: Values, within: Within, *, joined: bool) -> list[tuple[str, str]]:
        """Return tables and conditions of all that may lie in a box at a time."""
        table = "dataset_boxes AS b"
        if joined:
            table += " CROSS JOIN dataset_audiences AS a ON a.number = b.id >> 1"
        return [(table, " AND ".join(told)) for told, _ in self._pieces(values, within)]

    def boxed(self, values: Values, within: Within, most: int, exact: str) -> str:
        """Return the query for how many datasets lie there; the table is looked at for those at an edge alone."""
        found = " UNION ALL ".join(
            f"SELECT b.id >> 1 AS number, ({' AND '.join(sure)}) AS sure FROM dataset_boxes AS b"  # noqa: S608
            f" WHERE {' AND '.join(told)}"
            for told, sure in self._pieces(values, within)
        )
        looked_up = f"EXISTS (SELECT 1 FROM dataset_audiences AS a WHERE a.number = met.number AND {exact})"  # noqa: S608
        return f"""SELECT count(*) AS number FROM (
            SELECT 1 FROM (SELECT number, max(sure) AS sure FROM ({found}) GROUP BY number) AS met
            WHERE sure OR {looked_up} LIMIT {values.bind(most)})"""  # noqa: S608

    def surely_boxed(self, values: Values, within: Within, most: int) -> str:
        """Return the query for how many datasets lie there, whatever the R*Tree has rounded."""
        found = " UNION ALL ".join(
            f"SELECT b.id >> 1 AS number FROM dataset_boxes AS b WHERE {' AND '.join(told + sure)}"  # noqa: S608
            for told, sure in self._pieces(values, within)
        )
        distinct = f"SELECT DISTINCT number FROM ({found}) LIMIT {values.bind(most)}"  # noqa: S608
        return f"SELECT count(*) AS number FROM ({distinct})"  # noqa: S608

    def _pieces(self, values: Values, within: Within) -> Iterator[tuple[list[str], list[str]]]:
        """Yield what the index may find, and the conditions under which it is found whatever was rounded."""
        times = [
            (column, op, _day(moment), SLACK_DAYS + _rounded(_day(moment)) * inwards)
            for column, op, moment, inwards in (
                ("first_day", "<=", within.met.end_at, False), ("last_day", ">=", within.met.start_at, False),
                # Outwards is earlier, by minutes: what begins after that moment may stand before it.
                ("first_day", ">=", within.begins.start_at, True), ("first_day", "<=", within.begins.end_at, False),
            )
            if moment is not None
        ]  # fmt: skip
        for who in _ranges(values, within.audiences):
            for west, south, east, north in query_boxes(within.box):
                sides = (("west", "<=", east), ("east", ">=", west), ("south", "<=", north), ("north", ">=", south))
                bounds = [*((*side, 0.0) for side in sides), *times]
                told = [_bound(values, column, op, value, slack) for column, op, value, slack in bounds]
                sure = [
                    _bound(values, column, op, value, -slack - _rounded(value)) for column, op, value, slack in bounds
                ]
                yield [*told, *who], sure

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
        found, told = f"json_extract(d.properties, {path})", literal
        if not isinstance(literal, str | bool):
            found, told = f"CAST({found} AS REAL)", float(literal)
        return f"(CASE WHEN json_type(d.properties, {path}) IN ({types}) THEN {found} {op} {values.bind(told)} END)"

    def is_like(self, values: Values, name: str, pattern: str) -> str:
        """Return the condition that a dataset's own property is text of that pattern."""
        path = values.bind(_path(name))
        like = self.like(values, f"json_extract(d.properties, {path})", pattern)
        return f"(CASE WHEN json_type(d.properties, {path}) = 'text' THEN {like} END)"

    def is_missing(self, values: Values, name: str) -> str:
        """Return the condition that a dataset has no such property of its own, or null."""
        return f"(coalesce(json_type(d.properties, {values.bind(_path(name))}), 'null') = 'null')"

    def reported(self, name: str, kind: Kind) -> str:
        """Return what the last report of a dataset's check says: texts, and a truth value as 1 or 0."""
        return f"(d.report ->> '{name}')"

    def like(self, values: Values, column: str, pattern: str) -> str:
        """Return the condition that a column of text is of a pattern."""
        # SQLite's own LIKE takes letters of ASCII in any case.
        return f"{column} GLOB {values.bind(_glob(pattern))}"

    def dataset(self, row: Row) -> Dataset:
        """Return the dataset of a row."""
        return _remembered(row)

    def longest(self) -> str:
        """Return the query for the length of the longest interval in seconds."""
        length = "julianday(end_at) - julianday(start_at)"
        # A second more than a float of days may lose.
        return f"SELECT 86400 * max({length}) + 1 AS seconds FROM datasets WHERE end_at > start_at"  # noqa: S608


def _bound(values: Values, column: str, op: str, value: float, slack: float) -> str:
    """Return a condition that holds also for what is beyond the value by as much as `slack`."""
    return f"b.{column} {op} {values.bind(value + slack if op == '<=' else value - slack)}"


def _rounded(value: float) -> float:
    """Return how far a value may stand beside what it is in the R*Tree."""
    return ROUNDED[0] + ROUNDED[1] * abs(value)


def _ranges(values: Values, audiences: Sequence[str]) -> Iterator[list[str]]:
    """Yield conditions on the numbers of audiences: one for all that are shared, and one for each other one."""
    shared = [SHARED_NUMBERS[name] for name in audiences if name in SHARED_NUMBERS]
    if shared:
        yield [f"b.first_audience <= {max(shared)}", f"b.last_audience >= {min(shared)}"]
    own = [name for name in audiences if name not in SHARED_NUMBERS]
    for names in [own] if len(own) > MOST_RANGES else [[name] for name in own]:
        first, last = (
            f"(SELECT {end}(number) FROM audiences WHERE {values.among('name', names)})"  # noqa: S608 - texts of ours
            for end in ("min", "max")
        )
        yield [f"b.first_audience <= {last}", f"b.last_audience >= {first}"]


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
