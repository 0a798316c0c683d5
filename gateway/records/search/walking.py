"""A walk along the time: the quickest way where much of what is newest lies in the box, as under a far tile."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from gateway.errors import BadParameter
from gateway.model import utc_moment, utc_text
from gateway.records.rows import Row
from gateway.records.search.dialect import Database
from gateway.records.search.statements import Statements

# It looks at so many datasets, then at so many times as many, as long as one of so many of them lies in the box.
STRIDE, LONGER, SPARSE = 256, 4, 4
Key = tuple[str | int, ...]


class Walked(NamedTuple):
    """The keys of what was come by in the box, the last key that was looked at, and whether the walk has ended."""

    keys: list[Key]
    last: Key | None
    ended: bool


def walked(database: Database, statements: Statements, most: int) -> Walked:
    """Return what a walk comes by behind the page before, until it has `most` or comes by little."""
    keys, last, stride = list[Key](), statements.search.after, STRIDE
    while len(keys) < most:
        rows = database.rows(*statements.passed(stride, last))
        met = [key_of(row) for row in rows if row.pop("met")]
        keys += met
        if len(rows) < stride:
            return Walked(keys[:most], last, True)
        last = key_of(rows[-1])
        if len(met) * SPARSE < stride:
            break
        stride *= LONGER
    return Walked(keys[:most], last, False)


def key_of(row: Row) -> Key:
    """Return the key of a row of keys: moments as text."""
    return tuple(map(_plain, row.values()))


def _plain(value: Any) -> str | int:
    return utc_text(value) if isinstance(value, datetime) else value


def moment_of(key: Key) -> datetime:
    """Return the moment that a key begins with; raises BadParameter."""
    try:
        return utc_moment(str(key[0]))
    except (IndexError, ValueError):
        raise BadParameter("The token is of another search.") from None
