"""The statements of one search: what its pages, counts and probes have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from gateway.catalogue.search import Box, Interval, Search, Sort
from gateway.errors import BadParameter
from gateway.records.audiences import SHARED
from gateway.records.search.conditions import COLUMNS, condition
from gateway.records.search.dialect import Dialect, Values, Within

BY_TIME = ("datetime", "start_datetime")
BOUNDS = (
    "count(*) AS number, min(west) AS west, max(east) AS east, min(south) AS south, max(north) AS north, "
    "min(start_at) AS first, max(end_at) AS last"
)
# Of the table `datasets`, which has to be joined for them.
JOINED = "d."
Statement = tuple[str, dict[str, Any]]


class Kind(Enum):
    """A way through the indexes: along the time, over the boxes, or over all that a reader sees."""

    WALK = "walk"
    BOX = "box"
    SEEN = "seen"


@dataclass(frozen=True, slots=True)
class Way:
    """One way through an index, to those datasets alone that begin from `first` to `last`; None is no bound."""

    kind: Kind
    first: datetime | None = None
    last: datetime | None = None


@dataclass(frozen=True, slots=True)
class Statements:
    """The search of one reader, of `audiences`, in the SQL of a database.

    `box` is what has to be met, the search's own or that of its geometry. Where a picture lies over a part of it,
    that part is looked through, and `whole` is what has to be met as well. `longest_seconds` is the length of the
    longest interval of any dataset.
    """

    dialect: Dialect
    search: Search
    audiences: tuple[str, ...]
    box: Box | None
    longest_seconds: float = 0.0
    whole: Box | None = None

    @property
    def order(self) -> tuple[Sort, ...]:
        """Return the keys of the order, the id as the last one: its way follows that of time, as the index has it.

        What is given behind the id decides nothing.
        """
        given = self.search.sortby
        for number, sort in enumerate(given, 1):
            if sort.field == "id":
                return given[:number]
        return (*given, Sort("id", descending=self.by_time and not given[0].descending))

    @property
    def by_time(self) -> bool:
        """Return whether the time alone decides the order, and so an index has it."""
        return len(self.search.sortby) == 1 and self.search.sortby[0].field in BY_TIME

    @property
    def walks(self) -> int:
        """Return how many walks along the time there are, side by side."""
        return len(self.audiences) * len(self.search.collections or (1,))

    def passed(self, most: int, after: tuple[Any, ...] | None) -> Statement:
        """Return the query for the next keys along the time, wherever they lie; `met` tells which are in the box."""
        boxes = [box for box in (self.box, self.whole) if box is not None]
        return replace(self, box=None, whole=None).page((Way(Kind.WALK),), most, after, boxes)

    def page(
        self, ways: Sequence[Way], most: int, after: tuple[Any, ...] | None, boxes: Sequence[Box] = ()
    ) -> Statement:
        """Return the query for the keys of at most `most` datasets in order, `id` the last column.

        Behind it comes `met` where there are `boxes`: whether the dataset is in all of them.
        """
        values, keys = Values(self.dialect), [COLUMNS[sort.field] for sort in self.order]
        names = [f"k{number}" for number in range(len(keys) - 1)] + ["id"]
        columns = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
        if boxes:
            columns += f", ({' AND '.join(self.dialect.within(values, box) for box in boxes)}) AS met"
        inner, outer = (
            ", ".join(
                f"{key}{' DESC' if sort.descending else ''}" for key, sort in zip(each, self.order, strict=True)
            )
            for each in (keys, names)
        )
        limit = values.bind(most)
        within = {way: values.bind(most * self._rows_each(way)) for way in ways}
        pieces = [
            f"SELECT {columns} FROM {table} WHERE {where} ORDER BY {inner} LIMIT {within[way]}"  # noqa: S608
            for way in ways
            for table, where in self._pieces((way,), values, after)
        ]
        return f"SELECT DISTINCT * FROM {_together(pieces)} ORDER BY {outer} LIMIT {limit}", values.given  # noqa: S608

    @property
    def halves(self) -> tuple[Statements, ...]:
        """Return the same search for those audiences of which a dataset has one row, and for the others.

        No dataset is seen by both: who sees it as everybody does has no row of their own.
        """
        shared = tuple(name for name in self.audiences if name in SHARED)
        own = tuple(name for name in self.audiences if name not in SHARED)
        return tuple(replace(self, audiences=each) for each in (shared, own) if each)

    def count(self, way: Way, most: int) -> Statement:
        """Return the query for how many datasets there are in all pages, at most `most`."""
        values = Values(self.dialect)
        limit, rows_each = values.bind(most), self._rows_each(way)
        within = values.bind(most * rows_each)
        pieces = [
            f"SELECT a.dataset_id FROM {table} WHERE {where} LIMIT {within}"  # noqa: S608 - texts of ours
            for table, where in self._pieces((way,), values, None)
        ]
        once = rows_each == 1 and SHARED.issuperset(self.audiences)
        found = f"SELECT {'' if once else 'DISTINCT '}dataset_id FROM {_together(pieces)} LIMIT {limit}"  # noqa: S608
        return f"SELECT count(*) AS number FROM ({found}) AS found", values.given  # noqa: S608

    def _rows_each(self, way: Way) -> int:
        """Return how many rows of one dataset a piece of a way may have: so many more hold as many datasets."""
        if way.kind is Kind.WALK:
            return 1
        # One for each audience of its own, and boxes of one dataset may be two.
        return max(len(set(self.audiences) - SHARED), 1) * (2 if way.kind is Kind.BOX else 1)

    def boxed(self, most: int, *, surely: bool) -> Statement | None:
        """Return the query for the same number by the index of boxes, `surely` for those that are met without doubt.

        None where it cannot tell.
        """
        plain = self.search.ids is None and self.search.collections is None and self.search.filter is None
        if self.box is None or self.whole is not None or not plain or not SHARED.issuperset(self.audiences):
            return None
        values = Values(self.dialect)
        within = Within(self.box, self.search.datetime or Interval(), Interval(), self.audiences)
        if surely:
            sql = self.dialect.surely_boxed(values, within, most)
        else:
            sql = self.dialect.boxed(values, within, most, " AND ".join(self.met(values)))
        return None if sql is None else (sql, values.given)

    def met(self, values: Values) -> list[str]:
        """Return the conditions that `a` is in the box and met by the time."""
        box = [] if self.box is None else [self.dialect.within(values, self.box)]
        return [*box, *self._during(Way(Kind.BOX), values)]

    def datasets(self, ids: Sequence[str]) -> Statement:
        """Return the query for datasets."""
        values = Values(self.dialect)
        return f"SELECT {self.dialect.columns} FROM datasets WHERE {values.among('id', ids)}", values.given  # noqa: S608

    def outlines(self, ways: Sequence[Way]) -> Statement:
        """Return the query for the boxes and times of all datasets, one row for those that begin in one degree."""
        values = Values(self.dialect)
        pieces = [
            f"SELECT a.dataset_id, {self.dialect.sides}, a.start_at, a.end_at FROM {table} WHERE {where}"  # noqa: S608
            for table, where in self._pieces(ways, values, None)
        ]
        once = f"SELECT DISTINCT * FROM {_together(pieces)}"  # noqa: S608 - texts of ours
        return f"SELECT {BOUNDS} FROM ({once}) AS once GROUP BY floor(west)", values.given  # noqa: S608

    def days(self, ways: Sequence[Way], most: int) -> Statement:
        """Return the query for the `day`s in UTC on which datasets begin, at most `most`, the newest first."""
        values = Values(self.dialect)
        pieces = [
            f"SELECT DISTINCT {self.dialect.day} AS day FROM {table} WHERE {where}"  # noqa: S608 - texts of ours
            for table, where in self._pieces(ways, values, None)
        ]
        limit = values.bind(most)
        return f"SELECT DISTINCT day FROM {_together(pieces)} ORDER BY day DESC LIMIT {limit}", values.given  # noqa: S608

    def footprints(self, ids: Sequence[str]) -> Statement:
        """Return the query for `id` and `footprint` of datasets, and for their box."""
        values = Values(self.dialect)
        named = values.among("id", ids)
        return f"SELECT id, footprint, west, south, east, north FROM datasets WHERE {named}", values.given  # noqa: S608

    def _pieces(
        self, ways: Sequence[Way], values: Values, after: tuple[Any, ...] | None
    ) -> Iterator[tuple[str, str]]:
        """Yield tables and conditions; all rows that are wanted are in one of them or in several."""
        common = [*self._filters(values), *([self._beyond(values, after)] if after is not None else [])]
        joined = any(JOINED in each for each in (*common, *(COLUMNS[sort.field] for sort in self.order)))
        join = f" {self.dialect.join} datasets AS d ON d.id = a.dataset_id" if joined else ""
        for way in ways:
            for table, where in self._ways(way, values):
                yield table + join, " AND ".join([*where, *common])

    def _filters(self, values: Values) -> Iterator[str]:
        found = self.search
        if found.ids is not None:
            yield values.among("a.dataset_id", found.ids)
        if found.collections is not None:
            yield values.among("a.collection", found.collections)
        if self.box is not None:
            yield self.dialect.within(values, self.box)
        if self.whole is not None:
            yield self.dialect.within(values, self.whole)
        if found.filter is not None:
            yield condition(self.dialect, values, found.filter)

    def _beyond(self, values: Values, after: tuple[Any, ...]) -> str:
        """Return the condition that a key comes behind another one in the order."""
        if len(after) != len(self.order):
            raise BadParameter("The token is of another search.")
        alternatives, equal = [], ""
        for sort, value in zip(self.order, after, strict=True):
            column, mark = COLUMNS[sort.field], values.bind(value)
            alternatives.append(f"{equal}{column} {'<' if sort.descending else '>'} {mark}")
            equal += f"{column} = {mark} AND "
        first, mark = self.order[0], values.bind(after[0])
        # Said once more by itself: it is what an index can begin at.
        bound = f"{COLUMNS[first.field]} {'<=' if first.descending else '>='} {mark}"
        return f"({bound} AND ({' OR '.join(alternatives)}))"

    def candidates(self, way: Way, most: int) -> Statement:
        """Return the query for how many rows an index has on a way, at most `most`, whatever else is wanted."""
        values = Values(self.dialect)
        limit = values.bind(most)
        pieces = [
            f"SELECT 1 FROM {table} WHERE {where} LIMIT {limit}"  # noqa: S608 - texts of ours
            for table, where in ((table, " AND ".join(told)) for table, told in self._ways(way, values, counted=True))
        ]
        return f"SELECT count(*) AS number FROM {_together(pieces)}", values.given  # noqa: S608

    def _ways(self, way: Way, values: Values, *, counted: bool = False) -> Iterator[tuple[str, list[str]]]:
        """Yield tables and conditions of a way; what is only `counted` is not looked up for who may see it."""
        told = self._during(way, values)
        if way.kind is Kind.WALK:
            yield from self._walks(values, told)
        elif way.kind is Kind.BOX and self.box is not None:
            when, begins = self.search.datetime or Interval(), Interval(way.first, way.last)
            seen = [] if counted else [values.among("a.audience", self.audiences)]
            for table, where in self.dialect.boxes(
                values, Within(self.box, when, begins, self.audiences), joined=not counted
            ):
                yield table, [where, *seen, *([] if counted else told)]
        else:
            yield "dataset_audiences AS a", [values.among("a.audience", self.audiences), *told]

    def _walks(self, values: Values, told: list[str]) -> Iterator[tuple[str, list[str]]]:
        for audience in self.audiences:
            seen = f"a.audience = {values.bind(audience)}"
            if self.search.collections is None:
                yield self.dialect.newest, [seen, *told]
            for collection in self.search.collections or ():
                yield self.dialect.newest_of_collection, [seen, f"a.collection = {values.bind(collection)}", *told]

    def _during(self, way: Way, values: Values) -> list[str]:
        when, told = self.search.datetime or Interval(), []
        if when.end_at is not None:
            told.append(f"a.start_at <= {values.bind(when.end_at)}")
        if when.start_at is not None:
            told.append(f"a.end_at >= {values.bind(when.start_at)}")
            # What begins earlier has ended before: where a walk in time may end.
            told.append(f"a.start_at >= {values.bind(earlier(when.start_at, self.longest_seconds))}")
        if way.first is not None:
            told.append(f"a.start_at >= {values.bind(way.first)}")
        if way.last is not None:
            told.append(f"a.start_at <= {values.bind(way.last)}")
        return told


def earlier(moment: datetime, seconds: float) -> datetime:
    """Return the moment so long before another one, or the first that there is."""
    try:
        return moment - timedelta(seconds=seconds)
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


def _together(pieces: Sequence[str]) -> str:
    return "(" + " UNION ALL ".join(f"SELECT * FROM ({piece}) AS piece" for piece in pieces) + ") AS pieces"  # noqa: S608
