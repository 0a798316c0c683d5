"""Audit rows in SQL: appended in batches, read as of one moment, folded into downloads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

from gateway.ids import dataset_uuid
from gateway.model import AuditRow, utc_moment, utc_text
from gateway.records.base import AuditQuery, DownloadSummary, StoredAuditRow
from gateway.records.postgres.connection import Bounded
from gateway.records.rows import Row, stored_of, values_of

PAGE_ROWS = 500
NO_UUID = "00000000-0000-0000-0000-000000000000"
# A whole batch in one statement and one value: the least work for us, and it may be sent again.
INSERT = """INSERT INTO audit (
        at, action, dataset_id, user_id, request_id, version, backend, range, status, bytes_expected,
        ip, user_agent, token_id, detail, row_id
    )
    SELECT (v ->> 0)::timestamptz, v ->> 1, (v ->> 2)::uuid, v ->> 3, v ->> 4, v ->> 5, v ->> 6, v ->> 7,
        (v ->> 8)::integer, (v ->> 9)::bigint, v ->> 10, v ->> 11, v ->> 12, (v ->> 13)::json, (v ->> 14)::uuid
    FROM jsonb_array_elements(%s::jsonb) WITH ORDINALITY AS e (v, n) ORDER BY n ON CONFLICT DO NOTHING"""
COLUMNS = """a.id, a.at, a.action, a.dataset_id::text AS dataset_id, a.user_id, a.request_id, a.version, a.backend,
    a.range, a.status, a.bytes_expected, a.ip, a.user_agent, a.token_id, a.detail::text AS detail,
    a.row_id::text AS row_id"""
# Ids as text: the smallest of each prefix is found by the index on the type itself.
RECORDED_IDS = """SELECT DISTINCT dataset_id::text AS id FROM audit
    WHERE dataset_id BETWEEN %s::uuid AND %s::uuid ORDER BY 1 LIMIT %s"""
END = "download.finished"
CONDITIONS = {
    "dataset_id": "a.dataset_id = %(dataset_id)s::uuid",
    "user_id": "a.user_id = %(user_id)s",
    "action": "a.action = %(action)s",
    "since": "a.at >= %(since)s::timestamptz",
    "until": "a.at < %(until)s::timestamptz",
    "requests": "a.request_id = ANY(%(requests)s)",
}
CLIENT = "dataset_id, user_id, ip, user_agent, version"
# Of one id and client the first end belongs to the first grant, the second to the second: each end counts once. What
# the log of a store tells of a redirect (`source`) stands in the place of its own end, whoever followed it. They are
# looked for in the months that may have them, and not in all: a URL is good for a week, a transfer may begin then.
DOWNLOADS = f"""
    WITH granted AS (
        SELECT a.*, row_number() OVER (PARTITION BY request_id, {CLIENT} ORDER BY id) AS turn
        FROM audit AS a WHERE a.action IN ('download.cog', 'download.part') AND {{where}}
    ), begun AS (
        SELECT request_id, min(id) AS first, min(at) AS first_at, max(at) AS last_at,
            bool_or(status = 302) AS redirected
        FROM granted GROUP BY request_id
    ), span AS (
        SELECT min(first_at) - interval '1 day' AS first_at, max(last_at) + interval '7 days' AS last_at FROM begun
    ), told AS (
        SELECT e.request_id, sum((e.detail ->> 'bytes_sent')::bigint) AS bytes_sent,
            count(*) FILTER (WHERE e.detail ->> 'outcome' = 'completed') AS completed,
            count(*) FILTER (WHERE e.detail ->> 'outcome' = 'aborted') AS aborted
        FROM begun JOIN audit AS e ON e.request_id = begun.request_id
        WHERE begun.redirected AND e.action = 'download.finished' AND e.id > begun.first
            AND e.at >= (SELECT first_at FROM span) AND e.at < (SELECT last_at + interval '7 days' FROM span)
            AND e.detail ->> 'source' IS NOT NULL
        GROUP BY e.request_id
    ), ended AS (
        SELECT e.*, row_number() OVER (PARTITION BY e.request_id, {CLIENT} ORDER BY e.id) AS turn
        FROM begun JOIN audit AS e ON e.request_id = begun.request_id
        WHERE e.action = 'download.finished' AND e.id > begun.first
            AND e.at >= (SELECT first_at FROM span) AND e.at < (SELECT last_at FROM span)
            AND e.at >= begun.first_at - interval '1 day' AND e.at < begun.last_at + interval '7 days'
            AND e.detail ->> 'source' IS NULL
    )
    SELECT a.dataset_id::text AS dataset_id, a.user_id, a.ip, a.user_agent, a.version,
        min(a.at) AS first_at, max(a.at) AS last_at, count(*) AS requests,
        coalesce(sum(a.bytes_expected), 0) AS bytes_expected,
        coalesce(sum(coalesce(s.bytes_sent, (f.detail ->> 'bytes_sent')::bigint)), 0) AS bytes_sent,
        coalesce(sum(coalesce(s.completed, (f.detail ->> 'outcome' = 'completed')::integer)), 0) AS completed,
        coalesce(sum(coalesce(s.aborted, (f.detail ->> 'outcome' = 'aborted')::integer)), 0) AS aborted
    FROM granted AS a LEFT JOIN told AS s ON s.request_id = a.request_id AND a.status = 302 AND a.turn = 1
        LEFT JOIN ended AS f ON f.request_id = a.request_id AND f.turn = a.turn
        AND f.dataset_id IS NOT DISTINCT FROM a.dataset_id AND f.user_id IS NOT DISTINCT FROM a.user_id
        AND f.ip IS NOT DISTINCT FROM a.ip AND f.user_agent IS NOT DISTINCT FROM a.user_agent
        AND f.version IS NOT DISTINCT FROM a.version
    GROUP BY a.dataset_id, a.user_id, a.ip, a.user_agent, a.version
    ORDER BY first_at, min(a.id)
"""  # noqa: S608 - no text of others


def batch_of(rows: Sequence[AuditRow]) -> str:
    """Return the value of INSERT; raises TypeError and ValueError for a `detail` that JSON cannot hold."""
    return json.dumps([values_of(row) for row in rows])


def append(connection: Bounded, rows: Sequence[AuditRow]) -> None:
    """Add the rows in their order, all or none; one that was added before is not added again."""
    connection.execute(INSERT, [batch_of(rows)], prepare=True)


def holds(connection: Bounded, row: AuditRow) -> bool:
    """Return whether the row is stored."""
    sql = "SELECT 1 FROM audit WHERE at = %s::timestamptz AND row_id = %s::uuid"
    return connection.execute(sql, [utc_text(row.at), row.row_id]).fetchone() is not None


def stored(row: Row) -> StoredAuditRow:
    """Return the audit row of a row of COLUMNS."""
    return stored_of({**row, "at": utc_text(row["at"])})


def dataset_ids(connection: Bounded, prefix: str, most: int) -> set[str]:
    """Return the first ids of datasets in the audit that begin like this."""
    first, last = prefix + NO_UUID[len(prefix) :], prefix + NO_UUID[len(prefix) :].replace("0", "f")
    if dataset_uuid(first) is None:
        return set()
    return {row["id"] for row in connection.execute(RECORDED_IDS, [first, last, most])}


def conditions(query: AuditQuery) -> tuple[str, dict[str, Any]]:
    """Return the condition over `a` and its values."""
    values = {
        "dataset_id": query.dataset_id,
        "user_id": query.user,
        "action": query.action,
        "since": query.since and utc_text(query.since),
        "until": query.until and utc_text(query.until),
        "requests": None if query.request_ids is None else list(query.request_ids),
    }
    if query.dataset_id is not None and dataset_uuid(query.dataset_id) is None:
        return "false", {}
    chosen = {name: value for name, value in values.items() if value is not None}
    texts = [CONDITIONS[name] for name in chosen]
    if query.action == END:
        # As a value it leads into no index that holds the ends alone.
        texts.append(f"a.action = '{END}'")
    return " AND ".join(["true", *texts]), chosen


def read(connection: Bounded, query: AuditQuery) -> Iterator[StoredAuditRow]:
    """Yield the rows of the query as of one moment, by time and number; the connection is taken until the end."""
    where, values = conditions(query)
    statement = f"SELECT {COLUMNS} FROM audit AS a WHERE {where} ORDER BY a.at, a.id"  # noqa: S608
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with closing(connection.cursor(name="audit_rows")) as cursor:
            cursor.itersize = PAGE_ROWS
            cursor.execute(statement, values)
            yield from map(stored, cursor)


def downloads(connection: Bounded, query: AuditQuery) -> Iterator[DownloadSummary]:
    """Yield the downloads of the query, folded by client and version; the connection is taken until the end."""
    where, values = conditions(query)
    with connection.transaction():
        connection.execute("SET TRANSACTION READ ONLY")
        # All of it is wanted, and not soon its beginning.
        connection.execute("SET LOCAL cursor_tuple_fraction = 1")
        with closing(connection.cursor(name="downloads")) as cursor:
            cursor.itersize = PAGE_ROWS
            cursor.execute(DOWNLOADS.format(where=where), values)
            yield from map(_summary, cursor)


def _summary(row: Row) -> DownloadSummary:
    counts = ("requests", "bytes_expected", "bytes_sent", "completed", "aborted")
    times = {name: utc_moment(utc_text(row[name])) for name in ("first_at", "last_at")}
    return DownloadSummary(**{**row, **{name: int(row[name]) for name in counts}, **times})
