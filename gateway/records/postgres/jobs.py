"""Jobs in SQL."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway.model import AuditRow, utc_text
from gateway.records import jobs
from gateway.records.jobs import COLUMNS, Job, JobStatus, job_of, job_row
from gateway.records.postgres import audit_rows
from gateway.records.postgres.connection import Bounded, one
from gateway.records.postgres.pool import Pool

JOBS = (
    """CREATE TABLE jobs (
        id text COLLATE "C" PRIMARY KEY,
        owner text,
        counted_for text COLLATE "C" NOT NULL,
        same text COLLATE "C" NOT NULL,
        dataset_id text COLLATE "C" NOT NULL,
        version text NOT NULL,
        request text NOT NULL,
        status text NOT NULL,
        reason text,
        size_bytes bigint,
        worker text NOT NULL,
        tries bigint NOT NULL,
        created_at timestamptz(3) NOT NULL,
        seen_at timestamptz(3) NOT NULL,
        ended_at timestamptz(3),
        expires_at timestamptz(3) NOT NULL
    )""",
    "CREATE INDEX jobs_by_end ON jobs (expires_at)",
    "CREATE INDEX jobs_counted ON jobs (counted_for) WHERE status IN ('queued', 'running')",
)
MARKS = {name: f"%({name})s" for name in (*COLUMNS, "now", "before")}
# Two at once must not both be the last one that is allowed.
ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('job ' || %(counted_for)s::text, 0))"


class PostgresJobs:
    """The jobs in one database (a `JobRecords`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def store(self, job: Job, most: int, row: AuditRow) -> str | None:
        """Return the id of the job, which is on record now, or of the same one that goes on."""
        return self._pool.write([row], _store, job, most, row)

    def by_id(self, job_id: str) -> Job | None:
        """Return the job with this id."""
        return self._pool.run(_by_id, job_id)

    def take(self, job_id: str, worker: str, now: datetime, before: datetime) -> bool:
        """Return whether the job is this worker's from now on."""
        values = {"id": job_id, "worker": worker, "now": utc_text(now), "before": utc_text(before)}
        return self._pool.run(_take, values | {"reason": jobs.DIED})

    def see(self, job_id: str, worker: str, status: JobStatus, now: datetime) -> bool:
        """Return whether the job is this worker's still, and say how far it is."""
        values = {"id": job_id, "worker": worker, "status": status.value, "now": utc_text(now)}
        return self._pool.run(_changed, jobs.SEE, values)

    def end(self, job: Job, now: datetime) -> bool:
        """Return whether the job was its worker's still; its status, reason and size are those of `job` then."""
        return self._pool.run(_changed, jobs.END, {**job_row(job), "now": utc_text(now)})

    def cancel(self, job_id: str, row: AuditRow) -> bool:
        """Return whether the job is cancelled by this."""
        return self._pool.write([row], _cancel, job_id, row)


def _store(connection: Bounded, job: Job, most: int, row: AuditRow) -> str | None:
    values = job_row(job)
    connection.execute(ALONE, values)
    _changed(connection, jobs.ENDED, {"now": values["created_at"]})
    for same in connection.execute(jobs.SAME.format_map(MARKS), values).fetchall():
        return str(same["id"])
    if one(connection, jobs.COUNT.format_map(MARKS), values) >= most:
        return None
    _changed(connection, jobs.INSERT, values)
    audit_rows.append(connection, [row])
    return job.id


def _by_id(connection: Bounded, job_id: str) -> Job | None:
    row = connection.execute(jobs.BY_ID.format_map(MARKS), {"id": job_id}).fetchone()
    return job_of(row) if row else None


def _take(connection: Bounded, values: dict[str, Any]) -> bool:
    taken = _changed(connection, jobs.TAKE, values)
    if not taken:
        _changed(connection, jobs.GIVE_UP, values)
    return taken


def _cancel(connection: Bounded, job_id: str, row: AuditRow) -> bool:
    cancelled = _changed(connection, jobs.CANCEL, {"id": job_id, "now": utc_text(row.at)})
    if cancelled:
        audit_rows.append(connection, [row])
    return cancelled


def _changed(connection: Bounded, statement: str, values: dict[str, Any]) -> bool:
    """Return whether a statement has changed a row."""
    return connection.execute(statement.format_map(MARKS), values).rowcount > 0
