"""Jobs in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.model import AuditRow, utc_text
from gateway.records import jobs
from gateway.records.jobs import COLUMNS, Job, JobStatus, job_of, job_row
from gateway.records.sqlite import audit_rows
from gateway.records.sqlite.connection import Connections, rows_of
from gateway.records.sqlite.library import Database

TABLE = """CREATE TABLE jobs (
    id TEXT PRIMARY KEY,
    owner TEXT,
    counted_for TEXT NOT NULL,
    same TEXT NOT NULL,
    dataset_id TEXT NOT NULL,
    version TEXT NOT NULL,
    request TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    size_bytes INTEGER,
    worker TEXT NOT NULL,
    tries INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    seen_at TEXT NOT NULL,
    ended_at TEXT,
    expires_at TEXT NOT NULL
)"""
INDEXES = (
    "CREATE INDEX jobs_by_end ON jobs (expires_at)",
    "CREATE INDEX jobs_counted ON jobs (counted_for) WHERE status IN ('queued', 'running')",
)
MARKS = {name: f":{name}" for name in (*COLUMNS, "now", "before")}


class SqliteJobs:
    """The jobs in one file (a `JobRecords`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def store(self, job: Job, most: int, row: AuditRow) -> str | None:
        """Return the id of the job, which is on record now, or of the same one that goes on."""
        return self._connections.write(_store, job, most, row)

    def by_id(self, job_id: str) -> Job | None:
        """Return the job with this id."""
        return self._connections.run(_by_id, job_id)

    def take(self, job_id: str, worker: str, now: datetime, before: datetime) -> bool:
        """Return whether the job is this worker's from now on."""
        values = {"id": job_id, "worker": worker, "now": utc_text(now), "before": utc_text(before)}
        return self._connections.write(_take, values | {"reason": jobs.DIED})

    def see(self, job_id: str, worker: str, status: JobStatus, now: datetime) -> bool:
        """Return whether the job is this worker's still, and say how far it is."""
        values = {"id": job_id, "worker": worker, "status": status.value, "now": utc_text(now)}
        return self._connections.write(_changed, jobs.SEE, values)

    def end(self, job: Job, now: datetime) -> bool:
        """Return whether the job was its worker's still; its status, reason and size are those of `job` then."""
        return self._connections.write(_changed, jobs.END, {**job_row(job), "now": utc_text(now)})

    def cancel(self, job_id: str, row: AuditRow) -> bool:
        """Return whether the job is cancelled by this."""
        return self._connections.write(_cancel, job_id, row)


def _store(database: Database, job: Job, most: int, row: AuditRow) -> str | None:
    values = job_row(job)
    _changed(database, jobs.ENDED, {"now": values["created_at"]})
    for same in rows_of(database, jobs.SAME.format_map(MARKS), values):
        return str(same["id"])
    if rows_of(database, jobs.COUNT.format_map(MARKS), values)[0]["number"] >= most:
        return None
    _changed(database, jobs.INSERT, values)
    audit_rows.append(database, [row])
    return job.id


def _by_id(database: Database, job_id: str) -> Job | None:
    found = rows_of(database, jobs.BY_ID.format_map(MARKS), {"id": job_id})
    return job_of(found[0]) if found else None


def _take(database: Database, values: dict[str, Any]) -> bool:
    taken = _changed(database, jobs.TAKE, values)
    if not taken:
        _changed(database, jobs.GIVE_UP, values)
    return taken


def _cancel(database: Database, job_id: str, row: AuditRow) -> bool:
    cancelled = _changed(database, jobs.CANCEL, {"id": job_id, "now": utc_text(row.at)})
    if cancelled:
        audit_rows.append(database, [row])
    return cancelled


def _changed(database: Database, statement: str, values: dict[str, Any]) -> bool:
    """Return whether a statement has changed a row. In a transaction."""
    return bool(database.execute(statement.format_map(MARKS), values).rowcount > 0)
