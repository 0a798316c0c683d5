"""Listings in SQL: what each caller may see, in order, read from indexes as far as it is shown or passed over.

A listing is put together of parts that no dataset is in two of, each one stretch of an index in the order asked for:
then none is sorted to be shown, none is read that is hidden, and large tables are counted without being read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.model import Dataset, Principal, utc_text
from gateway.records.audiences import target_of
from gateway.records.base import DatasetPage, DatasetQuery
from gateway.records.deadlines import LISTING_SECONDS
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.datasets import COLUMNS, of_row
from gateway.records.rows import fold

ADMIN = "admin"
LARGEST_INTEGER = 2**63 - 1
PUBLIC, INTERNAL, PRIVATE = (f"visibility = '{scale}'" for scale in ("public", "internal", "private"))
OWN = f"{PRIVATE} AND owner = %(user)s"
GRANTED = f"""{PRIVATE} AND owner IS DISTINCT FROM %(user)s AND id IN (
    SELECT dataset_id FROM grants WHERE kind = 'user' AND name = %(user)s
    UNION ALL SELECT dataset_id FROM grants WHERE kind = 'role' AND name = ANY(%(roles)s)
)"""  # noqa: S608 - no text of others
# On a circle of 360 degrees: an interval that crosses the antimeridian is unrolled past 180, and two intervals meet
# when they do so at rest or shifted by one turn either way.
MEETS_BBOX = """(
    south <= %(north)s AND north >= %(south)s AND EXISTS (
        SELECT 1 FROM (VALUES (-360), (0), (360)) AS turns (turn)
        WHERE datasets.west <= %(east)s + turn
            AND datasets.east + CASE WHEN datasets.west > datasets.east THEN 360 ELSE 0 END >= %(west)s + turn
    )
)"""
# Three letters or digits in a row: by fewer the index for words, where there is one, finds nothing and is read whole.
INDEXED_WORD = re.compile(r"[^\W_]{3}")
EVERYTHING = (PUBLIC, INTERNAL, PRIVATE)
# What comes of a moment that has to be met.
MEETS = {"until": "start_at <=", "since": "end_at >="}
VALID = "(report ->> 'valid')::boolean"
# Of equals the id decides, in the same direction, so that pages neither lose nor repeat one.
KEYS = {"created_at": "created_at", "title": "title_folded", "size_bytes": "size_bytes"}


def parts(principal: Principal | None) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the conditions of what a principal may see, no two of which hold for one dataset, and their values."""
    if principal is not None and principal.user is None:
        return (PUBLIC,), {}
    if principal is None or ADMIN in principal.roles:
        return EVERYTHING, {}
    return (PUBLIC, INTERNAL, OWN, GRANTED), {"user": principal.user, "roles": sorted(principal.roles)}


def conditions(query: DatasetQuery) -> tuple[str, dict[str, Any]]:
    """Return the condition of what is asked for, whoever asks, and its values."""
    wanted, values = ["true"], dict[str, Any]()
    if query.q:
        text = fold(query.q)
        # The index is for patterns; for anything else strpos(), which knows no wildcards.
        pattern = INDEXED_WORD.search(text) is not None
        columns = ("title_folded", "key_folded") if query.principal is None else ("title_folded",)
        found = (f"{column} LIKE %(q)s" if pattern else f"strpos({column}, %(q)s) > 0" for column in columns)
        wanted.append(f"({' OR '.join(found)})")
        values["q"] = f"%{_literal(text)}%" if pattern else text
    for name, value in {"root": query.root, "visibility": query.visibility, "valid": query.valid}.items():
        if value is not None:
            wanted.append(f"{VALID if name == 'valid' else name} = %({name})s")
            values[name] = value.value if name == "visibility" else value  # type: ignore[union-attr]
    if query.owner is not None:
        wanted.append("owner = %(owner)s" if query.owner else "owner IS NULL")
        values["owner"] = query.owner
    if query.collection is not None:
        wanted.append("collection = %(collection)s")
        values["collection"] = query.collection
    target = target_of(query.principal)
    for name, value in {"id": target.dataset_id, "collection": target.collection}.items():
        if value is not None:
            wanted.append(f"{name} = %(target_{name})s")
            values[f"target_{name}"] = value
    if query.when is not None:
        ends = {"until": query.when.end_at, "since": query.when.start_at}
        values |= {name: utc_text(moment) for name, moment in ends.items() if moment is not None}
        wanted += [f"{MEETS[name]} %({name})s" for name in ends if name in values]
    if query.bbox is not None:
        west, south, east, north = map(float, query.bbox)
        wanted.append(MEETS_BBOX)
        values |= {"west": west, "south": south, "east": east + 360 * (west > east), "north": north}
    return " AND ".join(wanted), values


def _literal(text: str) -> str:
    """Return the pattern that stands for the text itself."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def statements(query: DatasetQuery, last: Dataset | None = None) -> tuple[str, str, dict[str, Any]]:
    """Return the statements that count all and that read one page, behind `last` if it is given, and their values."""
    seen, values = parts(query.principal)
    where, given = conditions(query)
    key, turned = KEYS[query.sortby.removeprefix("-")], query.sortby.startswith("-")
    offset = min(query.offset, LARGEST_INTEGER - query.limit)
    values |= given | {"limit": query.limit, "offset": offset, "reach": offset + query.limit}
    # Who sees everything counts it in one piece, which several processes of the server can do together.
    counted = ("true",) if seen == EVERYTHING else seen
    counts = (f"(SELECT count(*) FROM datasets WHERE {part} AND {where})" for part in counted)  # noqa: S608
    if last is not None:
        where += f" AND ({key}, id) {'<' if turned else '>'} (%(place)s, %(last)s)"
        values |= {"place": place_of(query, last), "last": last.id}
    order = "ORDER BY place DESC, id DESC" if turned else "ORDER BY place, id"
    # Each in order and no longer than the page reaches: else all of it would be sorted.
    chosen = (
        f"(SELECT id, {key} AS place FROM datasets WHERE {part} AND {where} {order} LIMIT %(reach)s)"  # noqa: S608
        for part in seen
    )
    # Only ids are merged and passed over; the rows themselves are read for what is shown.
    page = f"""SELECT {COLUMNS} FROM (
        SELECT * FROM ({" UNION ALL ".join(chosen)}) AS merged {order} LIMIT %(limit)s OFFSET %(offset)s
    ) AS page JOIN datasets USING (id) {order}"""  # noqa: S608
    return f"SELECT {' + '.join(counts)}", page, values


def place_of(query: DatasetQuery, dataset: Dataset) -> str | int:
    """Return by what a dataset is sorted."""
    places = {"created_at": utc_text(dataset.created_at), "title": fold(dataset.title)}
    return places.get(query.sortby.removeprefix("-"), dataset.size_bytes)


def find(connection: Bounded, query: DatasetQuery) -> DatasetPage:
    """Return one page and the count of all, both of one moment."""
    count, page, values = statements(query)
    with connection.as_of_one_moment(LISTING_SECONDS):
        # Planned for these values: what is best for a rare word is not for a common one.
        total = one(connection, count, values)
        found = connection.execute(page, values, prepare=False).fetchall()
    return DatasetPage(tuple(map(of_row, found)), total)


def behind(connection: Bounded, query: DatasetQuery, last: Dataset | None) -> Sequence[Dataset]:
    """Return those datasets that come next behind `last`, or the first ones, as many as the query's limit."""
    _, page, values = statements(replace(query, offset=0), last)
    with connection.transaction(), connection.patient(LISTING_SECONDS):
        return tuple(map(of_row, connection.execute(page, values, prepare=False).fetchall()))
