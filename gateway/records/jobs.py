"""What the rest of the gateway asks of its database about jobs, their columns, and the statements of both databases.

A job never changes as a whole: each statement names the state that it changes, so that of two workers, or of a worker
and its client, one is first and the other finds nothing to do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway.model import AuditRow, utc_moment, utc_text

COLUMNS = (
    "id", "owner", "counted_for", "same", "dataset_id", "version", "request", "status", "reason", "size_bytes",
    "worker", "tries", "created_at", "seen_at", "ended_at", "expires_at",
)  # fmt: skip
# A worker that began a job and ended is followed by another one so often.
MOST_TRIES = 3
DIED = "The workers that made it have ended early."
GOING = "status IN ('queued', 'running')"
# Parameters stand in braces: each database has its own way of naming them.
INSERT = f"INSERT INTO jobs ({', '.join(COLUMNS)}) VALUES ({', '.join(f'{{{name}}}' for name in COLUMNS)})"  # noqa: S608
ENDED = "DELETE FROM jobs WHERE expires_at <= {now}"
COUNT = f"SELECT count(*) AS number FROM jobs WHERE counted_for = {{counted_for}} AND {GOING}"  # noqa: S608
SAME = f"SELECT id FROM jobs WHERE counted_for = {{counted_for}} AND same = {{same}} AND {GOING}"  # noqa: S608
BY_ID = f"SELECT {', '.join(COLUMNS)} FROM jobs WHERE id = {{id}}"  # noqa: S608
TAKE = (
    "UPDATE jobs SET worker = {worker}, status = 'queued', seen_at = {now}, tries = tries + 1 "  # noqa: S608
    f"WHERE id = {{id}} AND {GOING} AND seen_at < {{before}} AND tries < {MOST_TRIES}"
)
GIVE_UP = (
    "UPDATE jobs SET status = 'failed', reason = {reason}, ended_at = {now} "  # noqa: S608
    f"WHERE id = {{id}} AND {GOING} AND seen_at < {{before}} AND tries >= {MOST_TRIES}"
)
SEE = f"UPDATE jobs SET status = {{status}}, seen_at = {{now}} WHERE id = {{id}} AND worker = {{worker}} AND {GOING}"  # noqa: S608
END = (
    "UPDATE jobs SET status = {status}, reason = {reason}, size_bytes = {size_bytes}, ended_at = {now} "  # noqa: S608
    f"WHERE id = {{id}} AND worker = {{worker}} AND {GOING}"
)
CANCEL = (
    "UPDATE jobs SET status = 'cancelled', ended_at = {now} WHERE id = {id} AND status NOT IN ('failed', 'cancelled')"
)


class JobStatus(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_going(self) -> bool:
        """Return whether somebody is to work on it."""
        return self in (JobStatus.QUEUED, JobStatus.RUNNING)


@dataclass(frozen=True, slots=True)
class Job:
    """A part that is made while its client does something else; `request` says which one, as JSON.

    `owner` is whose it is, None for nobody in particular; it counts for the limit of `counted_for`, and jobs of that
    with the same `same` are one. `worker` names the process that works on it, which is `seen_at` every few seconds as
    long as it does. Times are UTC.
    """

    id: str
    owner: str | None
    counted_for: str
    same: str
    dataset_id: str
    version: str
    worker: str
    created_at: datetime
    seen_at: datetime
    expires_at: datetime
    request: Mapping[str, Any] = field(default_factory=dict)
    status: JobStatus = JobStatus.QUEUED
    reason: str | None = None
    size_bytes: int | None = None
    tries: int = 1
    ended_at: datetime | None = None


class JobRecords(Protocol):
    """Jobs on record; what holds for `Records` holds for these methods."""

    def store(self, job: Job, most: int, row: AuditRow) -> str | None:
        """Return the id of the job, which is on record now, or of the same one that goes on.

        None where `most` go on that count for the same. Those that have had their day are removed.
        """

    def by_id(self, job_id: str) -> Job | None:
        """Return the job with this id; quick."""

    def take(self, job_id: str, worker: str, now: datetime, before: datetime) -> bool:
        """Return whether the job is this worker's from now on: it goes on, and was not seen since `before`.

        One that ended too many workers has failed from now on.
        """

    def see(self, job_id: str, worker: str, status: JobStatus, now: datetime) -> bool:
        """Return whether the job is this worker's still, and say how far it is."""

    def end(self, job: Job, now: datetime) -> bool:
        """Return whether the job was its worker's still; its status, reason and size are those of `job` then."""

    def cancel(self, job_id: str, row: AuditRow) -> bool:
        """Return whether the job is cancelled by this; one that is done is, too, and gives its result no more."""


def job_row(job: Job) -> dict[str, Any]:
    """Return the columns of a job."""
    moments = ("created_at", "seen_at", "ended_at", "expires_at")
    found = {name: getattr(job, name) for name in COLUMNS}
    found |= {name: utc_text(found[name]) for name in moments if found[name] is not None}
    return found | {"status": job.status.value, "request": json.dumps(job.request)}


def job_of(row: Mapping[str, Any]) -> Job:
    """Return the job of a row; its moments may be text, and so may its request."""
    moments = {name: _moment(row[name]) for name in ("created_at", "seen_at", "ended_at", "expires_at")}
    request = json.loads(row["request"])
    return Job(**{**row, **moments, "request": request, "status": JobStatus(row["status"])})


def _moment(value: datetime | str | None) -> datetime | None:
    if value is None:
        return None
    return utc_moment(value if isinstance(value, str) else utc_text(value))
