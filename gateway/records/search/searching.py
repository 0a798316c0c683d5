"""One search: which way is the quickest, its page, and how many there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from gateway.catalogue.geometries import Area
from gateway.catalogue.search import MOST_COUNTED, Page, Search
from gateway.errors import TooBroad
from gateway.model import Dataset, Principal
from gateway.records.audiences import audiences_of, target_of
from gateway.records.deadlines import COUNT_SECONDS
from gateway.records.rows import Row
from gateway.records.search import cells
from gateway.records.search.dialect import Database
from gateway.records.search.names import require_known
from gateway.records.search.statements import Kind, Statement, Statements, Way
from gateway.records.search.walking import Key, key_of, moment_of, walked

# So many rows of an index are looked up one by one and sorted; of more only a part of the time at once.
FEW, PART = 4000, 1000
HALVINGS = 48
MOST_BOXED = 2 * MOST_COUNTED
# More walks side by side than these are no longer quick.
MOST_WALKS = 64
# Footprints that are read at once where a geometry decides.
BATCH = 500
# Of stored times.
STEP = timedelta(milliseconds=1)
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def find(database: Database, search: Search, reader: Principal | None) -> Page:
    """Return the page of a search that a reader may see; raises BadParameter."""
    search = within(search, reader)
    require_known(database, search, reader)
    if () in (search.ids, search.collections):
        return Page((), None, 0)
    return finder_of(database, search, audiences_of(reader)).page()


def find_ids(database: Database, search: Search, reader: Principal | None) -> list[str]:
    """Return the ids of the first datasets of a search that a reader may see; raises BadParameter."""
    search = within(search, reader)
    require_known(database, search, reader)
    if () in (search.ids, search.collections):
        return []
    return finder_of(database, search, audiences_of(reader)).first()


def finder_of(database: Database, search: Search, audiences: tuple[str, ...]) -> Finder:
    """Return what finds the datasets of a search that one of the audiences sees; raises BadParameter."""
    area = Area(search.intersects) if search.intersects is not None else None
    timed = search.datetime is not None and search.datetime.start_at is not None
    longest = database.rows(database.dialect.longest(), {})[0]["seconds"] if timed else None
    own = area.box if area else search.bbox
    whole = own if search.under is not None else None
    return Finder(
        database,
        Statements(database.dialect, search, audiences, search.under or own, float(longest or 0), whole),
        area,
    )


def within(search: Search, reader: Principal | None) -> Search:
    """Return the search for what is part of the target of the reader's token."""
    target = target_of(reader)
    return replace(
        search,
        ids=_both(search.ids, target.dataset_id),
        collections=_both(search.collections, target.collection),
    )


def _both(wanted: tuple[str, ...] | None, only: str | None) -> tuple[str, ...] | None:
    if only is None:
        return wanted
    return (only,) if wanted is None or only in wanted else ()


class Finder:
    """One search in a database as of one moment."""

    def __init__(self, database: Database, statements: Statements, area: Area | None) -> None:
        self._database = database
        self._statements = statements
        self._search = statements.search
        self._area = area

    def page(self) -> Page:
        """Return the page."""
        keys = self._first(self._search.limit + 1)
        more, keys = len(keys) > self._search.limit, keys[: self._search.limit]
        matched = self._matched_soon() if more or self._search.after is not None else len(keys)
        return Page(self._datasets(keys), keys[-1] if more else None, matched)

    def first(self) -> list[str]:
        """Return the ids of what comes first in order, as many as the search is limited to."""
        return [str(key[-1]) for key in self._first(self._search.limit)]

    @property
    def finds(self) -> bool:
        """Return whether anything is found."""
        return bool(self._first(1))

    def met(self, most: int) -> tuple[str, ...] | None:
        """Return the ids of what meets the geometry, at most `most`; None where all that is in its box does so."""
        if self._area is None:
            return None
        found: list[str] = []
        for batch in self._batches(self._whole, None):
            found += [str(key[-1]) for key in self._meeting(batch)]
            if len(found) >= most:
                return None
        return tuple(found)

    def outlines(self) -> list[Row]:
        """Return the boxes and times of all that is in the box, one row for what begins in one degree."""
        return self._database.rows(*self._statements.outlines((self._whole,)))

    def days(self, most: int) -> tuple[str, ...]:
        """Return the days on which what is in the box begins, the newest first."""
        return tuple(row["day"] for row in self._database.rows(*self._statements.days((self._whole,), most)))

    @property
    def _whole(self) -> Way:
        return Way(self._kind)

    def _datasets(self, keys: list[Key]) -> tuple[Dataset, ...]:
        if not keys:
            return ()
        rows = self._database.rows(*self._statements.datasets([str(key[-1]) for key in keys]))
        found = {row["id"]: self._database.dialect.dataset(row) for row in rows}
        return tuple(found[str(key[-1])] for key in keys)

    def _first(self, most: int) -> list[Key]:
        """Return the first keys in the order of the search that come behind the page before."""
        keys, after = list[Key](), self._search.after
        if self._walks:
            keys, after, ended = walked(self._database, self._statements, most)
            if ended or len(keys) >= most:
                return keys
        for way in self._parts(after):
            keys += self._keys(way, most - len(keys), after)
            if len(keys) >= most:
                break
        return keys

    @property
    def _walks(self) -> bool:
        """Return whether a walk along the time may be the quickest way: much may lie in the box."""
        if self._kind is not Kind.BOX or not self._statements.by_time or self._area is not None:
            return False
        return self._statements.walks <= MOST_WALKS and self._candidates(Way(Kind.BOX), FEW) >= FEW

    @cached_property
    def _kind(self) -> Kind:
        """Return the way that takes the least."""
        if self._search.ids is not None:
            return Kind.SEEN
        if self._statements.box is None:
            return Kind.WALK if self._statements.by_time and self._statements.walks <= MOST_WALKS else Kind.SEEN
        return Kind.SEEN if self._candidates(Way(Kind.SEEN), FEW) < FEW else Kind.BOX

    def _parts(self, after: Key | None) -> Iterator[Way]:
        """Yield ways that together lead to all that comes behind a key, in the order of the search."""
        if self._kind is not Kind.BOX or not self._statements.by_time:
            yield self._whole
            return
        rest: Way | None = self._from_key(after)
        most = PART if rest and self._candidates(rest, FEW) >= FEW else FEW
        while rest is not None:
            part = self._part(rest, most)
            yield part
            rest, most = self._behind(part, rest), most * 4

    @property
    def _newest_first(self) -> bool:
        return self._search.sortby[0].descending

    def _from_key(self, after: Key | None) -> Way:
        if after is None:
            return Way(Kind.BOX)
        moment = moment_of(after)
        return Way(Kind.BOX, last=moment) if self._newest_first else Way(Kind.BOX, first=moment)

    def _part(self, rest: Way, most: int) -> Way:
        """Return the nearest part of what is left that has some candidates, and less than `most` unless at once."""
        if self._candidates(rest, most) < most:
            return rest
        near, far = rest.last or LAST, rest.first or FIRST
        if not self._newest_first:
            near, far = far, near
        for _ in range(HALVINGS):
            middle = near + (far - near) / 2
            middle = middle.replace(microsecond=middle.microsecond // 1000 * 1000)
            if middle in (near, far):
                break
            number = self._candidates(self._until(rest, middle), most)
            near, far = (near, middle) if number >= most else (middle, far)
            if self._search.limit < number < most:
                return self._until(rest, middle)
        return self._until(rest, far)

    def _until(self, rest: Way, edge: datetime) -> Way:
        return replace(rest, first=edge) if self._newest_first else replace(rest, last=edge)

    def _behind(self, part: Way, rest: Way) -> Way | None:
        """Return what is left of `rest` behind a part of it, None where that was all."""
        if part == rest:
            return None
        if self._newest_first:
            return replace(rest, last=part.first - STEP) if part.first is not None and part.first > FIRST else None
        return replace(rest, first=part.last + STEP) if part.last is not None and part.last < LAST - STEP else None

    def _keys(self, way: Way, most: int, after: Key | None) -> list[Key]:
        """Return the first keys on a way that come behind another one."""
        if self._area is None:
            return self._rows(way, most, after)
        found: list[Key] = []
        for batch in self._batches(way, after):
            found += self._meeting(batch)
            if len(found) >= most:
                break
        return found[:most]

    def _batches(self, way: Way, after: Key | None) -> Iterator[list[Key]]:
        while batch := self._rows(way, BATCH, after):
            yield batch
            after = batch[-1]

    def _meeting(self, keys: list[Key]) -> list[Key]:
        """Return those whose footprint meets the geometry; one that is not known is its box."""
        assert self._area is not None  # noqa: S101 - asked for a geometry alone
        rows = self._database.rows(*self._statements.footprints([str(key[-1]) for key in keys]))
        met = {row["id"] for row in rows if self._area.meets(_footprint(row))}
        return [key for key in keys if key[-1] in met]

    def _rows(self, way: Way, most: int, after: Key | None) -> list[Key]:
        sql, values = self._statements.page((way,), most, after)
        return list(map(key_of, self._database.rows(sql, values)))

    def _matched_soon(self) -> int | None:
        """Return how many there are, None also where it takes too long to count them."""
        try:
            with self._database.hurried(COUNT_SECONDS):
                return self._matched()
        except TooBroad:
            return None

    def _matched(self) -> int | None:
        """Return how many datasets there are in all pages, None for MOST_COUNTED and more."""
        way, number = self._whole, 0
        for half in self._statements.halves:
            number += self._count(half, way)
            if number >= MOST_COUNTED:
                return None
        if self._area is None:
            return number
        return sum(len(self._meeting(batch)) for batch in self._batches(way, None))

    def _count(self, half: Statements, way: Way) -> int:
        """Return how many datasets there are for some audiences, MOST_COUNTED for more."""
        if way.kind is Kind.BOX and (number := cells.counted(self._database, half, FEW)) is not None:
            return min(number, MOST_COUNTED)
        if way.kind is Kind.BOX and (sure := half.boxed(MOST_COUNTED, surely=True)) is not None:
            # All that may lie there are only gone through where they are not many times as many.
            if self._number(half.candidates(way, MOST_BOXED)) >= MOST_BOXED and self._number(sure) >= MOST_COUNTED:
                return MOST_COUNTED
            if (boxed := half.boxed(MOST_COUNTED, surely=False)) is not None:
                return self._number(boxed)
        if way.kind is Kind.BOX and self._number(half.candidates(Way(Kind.SEEN), FEW)) < FEW:
            way = Way(Kind.SEEN)
        return self._number(half.count(way, MOST_COUNTED))

    def _candidates(self, way: Way, most: int) -> int:
        return self._number(self._statements.candidates(way, most))

    def _number(self, statement: Statement) -> int:
        return int(self._database.rows(*statement)[0]["number"])


def _footprint(row: dict[str, Any]) -> dict[str, Any] | tuple[float, float, float, float]:
    """Return the geometry of a row, or its box."""
    if row["footprint"] is not None:
        found: dict[str, Any] = json.loads(row["footprint"])
        return found
    return row["west"], row["south"], row["east"], row["north"]
