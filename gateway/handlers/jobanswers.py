"""What clients are told of jobs, and how a job begins."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from urllib.parse import urlsplit

from gateway.errors import TooManyRequests
from gateway.handlers.audited import AuditedHandler
from gateway.handlers.jobrunning import JobRunner
from gateway.jobs import MOST_JOBS, WantedPart, job_of, told_of
from gateway.records import Job

RETRY_SECONDS = 2
# Where too many go on: a part of some hundred megabytes takes about so long.
BUSY_SECONDS = 30


class JobAnswers(AuditedHandler):
    """A resource that begins jobs or tells of them."""

    @property
    def runner(self) -> JobRunner:
        """Return what works off jobs."""
        runner: JobRunner = self.application.settings["runner"]
        return runner

    async def send_later(self, wanted: WantedPart) -> None:
        """Finish with 202 and the job that makes a part; HEAD begins none. Raises TooManyRequests."""
        self.clear_header("ETag")
        if self.request.method == "HEAD":
            self.set_status(HTTPStatus.ACCEPTED)
            self.finish()
            return
        dataset, now = wanted.dataset, datetime.now(UTC)
        job = job_of(wanted, self.principal, self.client_ip, self.runner.worker, now)
        row = self.row(
            "job.created", dataset_id=dataset.id, version=dataset.version, status=int(HTTPStatus.ACCEPTED),
            detail={"job": job.id, **wanted.told},
        )  # fmt: skip
        records = self.services.records.jobs
        stored = await self.in_thread(records.store, job, MOST_JOBS, row)
        if stored is None:
            raise TooManyRequests(retry_after_seconds=BUSY_SECONDS)
        if stored == job.id:
            self.runner.begin(job, wanted)
        else:
            known: Job | None = await self.in_thread(records.by_id, stored)
            job = known or job
        self.send_begun(job)

    def send_job(self, job: Job, status: int = HTTPStatus.OK) -> None:
        """Finish with what the client is told of a job."""
        self.set_header("Cache-Control", "private, no-store")
        if job.status.is_going:
            self.set_header("Retry-After", str(RETRY_SECONDS))
        self.send_json(told_of(job, self.public_url(f"/jobs/{job.id}/result.tif")), status)

    def send_begun(self, job: Job) -> None:
        """Finish with 202 and where the job is to be asked after."""
        self.set_header("Location", urlsplit(self.public_url(f"/jobs/{job.id}")).path)
        self.clear_header("ETag")
        self.send_job(job, HTTPStatus.ACCEPTED)
