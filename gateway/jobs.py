"""Jobs over parts: what one is made of, whose it is, and what its client is told."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from gateway.cog.parts import Part, PlannedPart
from gateway.model import Dataset, Principal, utc_text
from gateway.partfiles import key_of
from gateway.rates import identity
from gateway.records import Job

LIFE = timedelta(days=1)
# Of one user, or of one address for those who do not sign in, at once.
MOST_JOBS = 4


@dataclass(frozen=True, slots=True)
class WantedPart:
    """A part of a dataset that a client wants; `told` says for the audit which one it is."""

    dataset: Dataset
    planned: PlannedPart
    told: Mapping[str, object]


def job_of(wanted: WantedPart, maker: Principal, ip: str, worker: str, now: datetime) -> Job:
    """Return a new job over a part."""
    dataset, planned = wanted.dataset, wanted.planned
    via = maker.stored.id if maker.stored is not None else None
    request = {
        "part": asdict(planned.part), "decoded_bytes": planned.decoded_bytes, "told": dict(wanted.told), "via": via,
    }  # fmt: skip
    return Job(
        id=str(uuid.uuid4()), owner=maker.person, worker=worker, request=request,
        counted_for=identity(maker.person, ip),
        same=f"{key_of(dataset.id, dataset.version, planned.part)} {via or ''}",
        dataset_id=dataset.id, version=dataset.version, created_at=now, seen_at=now, expires_at=now + LIFE,
    )  # fmt: skip


def wanted_of(job: Job, dataset: Dataset) -> WantedPart:
    """Return the part that a job is over; `dataset` is that of the job."""
    told = dict(job.request["part"])
    part = Part(**{**told, "bands": tuple(told["bands"])})
    return WantedPart(dataset, PlannedPart(part, job.request["decoded_bytes"]), job.request["told"])


def may_read(reader: Principal, job: Job) -> bool:
    """Return whether a job is the reader's: made by them, and by this token or link where one is shown.

    That of nobody in particular is theirs who know its id, and the link by which it was made.
    """
    if reader.person != job.owner or reader.dataset_id not in (None, job.dataset_id):
        return False
    via = job.request["via"]
    if reader.stored is None:
        return job.owner is not None or via is None
    return bool(reader.stored.id == via)


def is_nobodys(job: Job) -> bool:
    """Return whether a job was made by nobody in particular, and by no token or link on record."""
    return job.owner is None and job.request["via"] is None


def told_of(job: Job, result: str) -> dict[str, Any]:
    """Return what the client is told of a job, `result` being the address of its part."""
    done = job.status == "done"
    return {
        "id": job.id,
        "status": job.status.value,
        "dataset": job.dataset_id,
        "result": result if done else None,
        "reason": job.reason,
        "bytes": job.size_bytes,
        "decoded_bytes": job.request["decoded_bytes"],
        "created_at": utc_text(job.created_at),
        "ended_at": utc_text(job.ended_at) if job.ended_at is not None else None,
        "expires_at": utc_text(job.expires_at),
        "links": [{"rel": "result", "href": result, "type": "image/tiff"}] if done else [],
    }
