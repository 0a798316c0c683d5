"""Listings in SQL: what each caller may see, in order, read from indexes as far as it is shown or passed over.

A listing is put together of parts that no dataset is in two of, each one stretch of an index in the order asked for:
then none is sorted to be shown, none is read that is hidden, and large tables are counted without being read.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway.model import Dataset, Principal, utc_text
from gateway.records.audiences import target_of
from gateway.records.base import DatasetPage, DatasetQuery
from gateway.records.deadlines import LISTING_SECONDS
from gateway.records.rows import dataset_of, fold
from gateway.records.sqlite.connection import rows_of
from gateway.records.sqlite.library import Database
from gateway.records.sqlite.reading import as_of_one_moment

ADMIN = "admin"
LARGEST_INTEGER = 2**63 - 1
PUBLIC, INTERNAL, PRIVATE = (f"visibility = '{scale}'" for scale in ("public", "internal", "private"))
# "+" keeps SQLite from going through all that is private.
OWN = f"+{PRIVATE} AND owner = :user"
GRANTED = f"""+{PRIVATE} AND owner IS NOT :user AND id IN (
    SELECT dataset_id FROM grants WHERE kind = 'user' AND name = :user
    UNION ALL SELECT dataset_id FROM grants WHERE kind = 'role' AND name IN (SELECT value FROM json_each(:roles))
)"""  # noqa: S608 - no text of others
# On a circle of 360 degrees: an interval that crosses the antimeridian is unrolled past 180, and two
# intervals meet when they do so at rest or shifted by one turn either way.
MEETS_BBOX = """(
    south <= :north AND north >= :south AND EXISTS (
        SELECT 1 FROM (SELECT -360 AS turn UNION ALL SELECT 0 UNION ALL SELECT 360)
        WHERE west <= :east + turn AND east + 360 * (west > east) >= :west + turn
    )
)"""
# What comes of a moment that has to be met.
MEETS = {"until": "start_at <=", "since": "end_at >="}
VALID = "(report ->> 'valid')"
FOLDED_TITLE = "SELECT 1 FROM pragma_table_info('datasets') WHERE name = 'title_folded'"
# Of equals the id decides, in the same direction, so that pages neither lose nor repeat one.
KEYS = {"created_at": "created_at", "title": "title_folded", "size_bytes": "size_bytes"}


def parts(principal: Principal | None) -> tuple[tuple[str, ...], dict[str, Any]]:
    """Return the conditions of what a principal may see, no two of which hold for one dataset, and their values."""
    if principal is not None and principal.user is None:
        return (PUBLIC,), {}
    if principal is None or ADMIN in principal.roles:
        return (PUBLIC, INTERNAL, PRIVATE), {}
    values = {"user": principal.user, "roles": json.dumps(sorted(principal.roles))}
    return (PUBLIC, INTERNAL, OWN, GRANTED), values


def conditions(query: DatasetQuery) -> tuple[str, dict[str, Any]]:
    """Return the condition of what is asked for, whoever asks, and its values."""
    wanted, values = ["1"], dict[str, Any]()
    if query.q:
        # instr() knows no wildcards, so there is nothing to escape.
        found = "instr(title_folded, :q) > 0"
        wanted.append(f"""({found} OR instr(fold("key"), :q) > 0)""" if query.principal is None else found)
        values["q"] = fold(query.q)
    for name, value in {"root": query.root, "visibility": query.visibility, "valid": query.valid}.items():
        if value is not None:
            wanted.append(f"{VALID if name == 'valid' else name} = :{name}")
            values[name] = value
    if query.owner is not None:
        wanted.append("owner = :owner" if query.owner else "owner IS NULL")
        values["owner"] = query.owner
    if query.collection is not None:
        wanted.append("collection = :collection")
        values["collection"] = query.collection
    target = target_of(query.principal)
    for name, value in {"id": target.dataset_id, "collection": target.collection}.items():
        if value is not None:
            wanted.append(f"{name} = :target_{name}")
            values[f"target_{name}"] = value
    if query.when is not None:
        ends = {"until": query.when.end_at, "since": query.when.start_at}
        values |= {name: utc_text(moment) for name, moment in ends.items() if moment is not None}
        wanted += [f"{MEETS[name]} :{name}" for name in ends if name in values]
    if query.bbox is not None:
        west, south, east, north = query.bbox
        wanted.append(MEETS_BBOX)
        values |= {"west": west, "south": south, "east": east + 360 * (west > east), "north": north}
    return " AND ".join(wanted), values


def statements(query: DatasetQuery, last: Dataset | None = None) -> tuple[str, str, dict[str, Any]]:
    """Return the statements that count all and that read one page, behind `last` if it is given, and their values."""
    seen, values = parts(query.principal)
    where, given = conditions(query)
    key, turned = KEYS[query.sortby.removeprefix("-")], query.sortby.startswith("-")
    values |= given | {"limit": query.limit, "offset": min(query.offset, LARGEST_INTEGER)}
    counts = (f"(SELECT count(*) FROM datasets WHERE {part} AND {where})" for part in seen)  # noqa: S608
    if last is not None:
        where += f" AND ({key}, id) {'<' if turned else '>'} (:place, :last)"
        values |= {"place": place_of(query, last), "last": last.id}
    chosen = (f"SELECT id, {key} AS place FROM datasets WHERE {part} AND {where}" for part in seen)  # noqa: S608
    order = "ORDER BY place DESC, id DESC" if turned else "ORDER BY place, id"
    # Only the ids are sorted and passed over; the rows themselves are read for what is shown.
    page = f"""SELECT datasets.* FROM (
        {" UNION ALL ".join(chosen)} {order} LIMIT :limit OFFSET :offset
    ) AS page CROSS JOIN datasets USING (id) {order}"""  # noqa: S608
    return f"SELECT {' + '.join(counts)}", page, values


def place_of(query: DatasetQuery, dataset: Dataset) -> str | int:
    """Return by what a dataset is sorted."""
    places = {"created_at": utc_text(dataset.created_at), "title": fold(dataset.title)}
    return places.get(query.sortby.removeprefix("-"), dataset.size_bytes)


def find(database: Database, query: DatasetQuery) -> DatasetPage:
    """Return one page and the count of all, both of one moment."""
    count, page, values = statements(query)
    with as_of_one_moment(database, query.principal, LISTING_SECONDS):
        total = database.execute(readable(database, count), values).fetchone()[0]
        found = rows_of(database, readable(database, page), values)
    return DatasetPage(tuple(map(dataset_of, found)), total)


def behind(database: Database, query: DatasetQuery, last: Dataset | None) -> Sequence[Dataset]:
    """Return those datasets that come next behind `last`, or the first ones, as many as the query's limit."""
    _, page, values = statements(replace(query, offset=0), last)
    return tuple(map(dataset_of, rows_of(database, readable(database, page), values)))


def readable(database: Database, statement: str) -> str:
    """Return the statement as it reads a database of an older release, which is read as it is, without its column."""
    if "title_folded" in statement and database.execute(FOLDED_TITLE).fetchone() is None:
        return statement.replace("title_folded", "fold(title)")
    return statement
