"""Audit rows in SQL: appended in batches, read in pages, folded into downloads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from gateway.model import AuditRow, utc_moment, utc_text
from gateway.records.base import AuditQuery, DownloadSummary, StoredAuditRow
from gateway.records.rows import Row, stored_of, values_of
from gateway.records.sqlite.connection import rows_of

# The driver that sqlite-utils chose, and so that of every connection.
from gateway.records.sqlite.library import Database, sqlite3

PAGE_ROWS = 500

INTO = """INSERT INTO audit (
    at, action, dataset_id, user_id, request_id, version, backend, "range", status, bytes_expected,
    ip, user_agent, token_id, detail, row_id
)"""
COLUMNS = 15
END = "download.finished"
CONDITIONS = {
    "dataset_id": "a.dataset_id = :dataset_id",
    "user_id": "a.user_id = :user_id",
    "action": "a.action = :action",
    "since": "{at} >= :since",
    "until": "{at} < :until",
    "requests": "a.request_id IN (SELECT value FROM json_each(:requests))",
}
# So many rows make one statement: each one gives up and takes back the interpreter's lock, which costs a busy server
# more than the row itself. Of larger batches, which are rare, each part is one.
STATEMENT_ROWS = 64

# Whose download it is. Ids of requests came from clients once, and one that several of them use must not bring the
# transfer of one into the line of another.
CLIENT = "dataset_id, user_id, ip, user_agent, version"
# Of one id and client the first end belongs to the first grant, the second to the second: each end counts once. What
# the log of a store tells of a redirect (`source`) stands in the place of its own end, whoever followed it.
DOWNLOADS = f"""
    WITH granted AS (
        SELECT a.*, row_number() OVER (PARTITION BY request_id, {CLIENT} ORDER BY id) AS turn
        FROM audit AS a WHERE a.action IN ('download.cog', 'download.part') AND {{where}}
    ), begun AS (
        SELECT request_id, min(id) AS first, max(status = 302) AS redirected FROM granted GROUP BY request_id
    ), told AS (
        SELECT e.request_id, total(e.detail ->> 'bytes_sent') AS bytes_sent,
            total(e.detail ->> 'outcome' = 'completed') AS completed,
            total(e.detail ->> 'outcome' = 'aborted') AS aborted
        FROM begun CROSS JOIN audit AS e
        WHERE begun.redirected AND e.action = 'download.finished' AND e.request_id = begun.request_id
            AND e.id > begun.first AND e.detail ->> 'source' IS NOT NULL
        GROUP BY e.request_id
    ), ended AS (
        SELECT e.*, row_number() OVER (PARTITION BY e.request_id, {CLIENT} ORDER BY id) AS turn
        FROM begun CROSS JOIN audit AS e
        WHERE e.action = 'download.finished' AND e.request_id = begun.request_id AND e.id > begun.first
            AND e.detail ->> 'source' IS NULL
    )
    SELECT a.dataset_id, a.user_id, a.ip, a.user_agent, a.version,
        min(a.at) AS first_at, max(a.at) AS last_at, count(*) AS requests,
        total(a.bytes_expected) AS bytes_expected,
        total(coalesce(s.bytes_sent, f.detail ->> 'bytes_sent')) AS bytes_sent,
        total(coalesce(s.completed, f.detail ->> 'outcome' = 'completed')) AS completed,
        total(coalesce(s.aborted, f.detail ->> 'outcome' = 'aborted')) AS aborted
    FROM granted AS a LEFT JOIN told AS s ON s.request_id = a.request_id AND a.status = 302 AND a.turn = 1
        LEFT JOIN ended AS f ON f.request_id = a.request_id AND f.turn = a.turn
        AND f.dataset_id IS a.dataset_id AND f.user_id IS a.user_id AND f.ip IS a.ip
        AND f.user_agent IS a.user_agent AND f.version IS a.version
    GROUP BY a.dataset_id, a.user_id, a.ip, a.user_agent, a.version
    ORDER BY first_at, min(a.id)
"""  # noqa: S608 - no text of others


@lru_cache(maxsize=STATEMENT_ROWS)
def statement(rows: int) -> str:
    """Return the statement that adds so many rows; one that is there already is passed over by a trigger."""
    row = f"({', '.join('?' * COLUMNS)})"
    return f"{INTO} VALUES {', '.join([row] * rows)}"


def append(database: Database, rows: Sequence[AuditRow]) -> int:
    """Add the rows in their order and return how many are new; STATEMENT_ROWS at most are one transaction.

    A row that was added before, by `at` and `row_id`, is not added again.
    """
    added = 0
    for first in range(0, len(rows), STATEMENT_ROWS):
        part = rows[first : first + STATEMENT_ROWS]
        values = [value for row in part for value in values_of(row)]
        added += database.conn.execute(statement(len(part)), values).rowcount
    return added


def holds(database: Database, row: AuditRow) -> bool:
    """Return whether the row is stored."""
    found = database.execute("SELECT 1 FROM audit WHERE at = ? AND row_id = ?", [utc_text(row.at), row.row_id])
    return found.fetchone() is not None


def try_to_write(database: Database) -> None:
    """Return when the table takes rows and the disk a page; no row is added. In a transaction."""
    database.conn.execute(f"{INTO} SELECT {', '.join(['NULL'] * COLUMNS)} WHERE 0")
    # Adding nothing writes nothing. This number in the file's header is nobody else's, and it must change:
    # SQLite does not write a page that stays as it is.
    (number,) = database.execute("pragma user_version").fetchone()
    database.execute(f"pragma user_version={(number + 1) % 2**31}")


def conditions(query: AuditQuery, at: str = "a.at") -> tuple[str, dict[str, Any]]:
    """Return the condition over `a` and its values; `at` is how the time of a row is named in it."""
    values = {
        "dataset_id": query.dataset_id,
        "user_id": query.user,
        "action": query.action,
        "since": query.since and utc_text(query.since),
        "until": query.until and utc_text(query.until),
        "requests": None if query.request_ids is None else json.dumps(list(query.request_ids)),
    }
    chosen = {name: value for name, value in values.items() if value is not None}
    texts = [CONDITIONS[name].format(at=at) for name in chosen]
    if query.action == END:
        # As a value it leads SQLite into no index that holds the ends alone.
        texts.append(f"a.action = '{END}'")
    return " AND ".join(["1", *texts]), chosen


def span(database: Database, query: AuditQuery) -> tuple[int, int]:
    """Return the first and last number among the rows of the query, or an empty span."""
    where, values = conditions(query)
    # A plain min() or max() walks the rows from one end, which is best without times and ids of requests. With "+"
    # SQLite goes through the index of those, and never through the rows before and after.
    number = "+a.id" if query.since or query.until or query.request_ids else "a.id"
    # Two single selects: only a min() or max() that is alone is answered from one end of an index.
    ends = ", ".join(f"(SELECT {end}({number}) FROM audit AS a WHERE {where})" for end in ("min", "max"))  # noqa: S608
    first, last = database.execute(f"SELECT {ends}", values).fetchone()
    return first or 0, last or -1


def page(database: Database, query: AuditQuery, first: int, last: int) -> list[StoredAuditRow]:
    """Return the first rows of the query whose numbers lie from `first` to `last`."""
    # "+" keeps SQLite from the index by time, over which it would sort anew for every page; few rows have the id of a
    # request, and those are found by it.
    where, values = conditions(query, at="+a.at")
    number = "+a.id" if query.request_ids else "a.id"
    sql = f"SELECT * FROM audit AS a WHERE {number} BETWEEN :first AND :last AND {where} ORDER BY a.id LIMIT :page"  # noqa: S608
    found = rows_of(database, sql, {**values, "first": first, "last": last, "page": PAGE_ROWS})
    return [stored_of(row) for row in found]


def downloads(database: Database, query: AuditQuery) -> list[Row]:
    """Return the downloads of the query, folded by client and version, as rows: less memory than what they tell."""
    where, values = conditions(query)
    cursor = database.execute(DOWNLOADS.format(where=where), values)
    cursor.row_factory = sqlite3.Row
    # All read, so that no read transaction stays open.
    return list(cursor.fetchall())


def summary(row: Row) -> DownloadSummary:
    """Return what a row of `downloads` tells."""
    counts = ("requests", "bytes_expected", "bytes_sent", "completed", "aborted")
    times = {name: utc_moment(row[name]) for name in ("first_at", "last_at")}
    return DownloadSummary(**{**dict(row), **{name: int(row[name]) for name in counts}, **times})
