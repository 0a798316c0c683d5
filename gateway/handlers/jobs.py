"""Jobs: how far they are, their result, and their end."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from gateway.errors import Forbidden, NotFound, UnderWay
from gateway.gatekeeper import Action
from gateway.handlers.access import JOB, OPEN_JOB, AccessRule, access
from gateway.handlers.jobanswers import RETRY_SECONDS, JobAnswers
from gateway.handlers.jobrunning import REPLACED
from gateway.handlers.nativeparts import NativePartHandler
from gateway.ids import dataset_uuid
from gateway.jobs import is_nobodys, may_read, wanted_of
from gateway.records import Job, JobStatus

NO_JOB = "There is no such job."


class OneJobHandler(JobAnswers):
    """A resource of one job, for its maker alone."""

    def rule_of(self, verb: Any) -> AccessRule:
        """Return the rule of jobs, under which values are open where they are so everywhere."""
        return OPEN_JOB if self.services.settings.open_values else super().rule_of(verb)

    async def job(self, job_id: str) -> Job:
        """Return a job of the caller, taken over where its worker has ended; raises NotFound for every other one."""
        return await self.runner.looked_after(await self.in_thread(self.mine, job_id))

    def mine(self, job_id: str) -> Job:
        """Return a job of the caller; raises NotFound, and BadCredential for a user whose tokens are refused."""
        if self.principal.user is not None:
            self.services.gatekeeper.check_enabled(self.principal)
        known = dataset_uuid(job_id)
        job = self.services.records.jobs.by_id(known) if known else None
        if job is None or job.expires_at <= datetime.now(UTC) or not may_read(self.principal, job):
            raise NotFound(NO_JOB)
        return job


class JobHandler(OneJobHandler):
    """One job."""

    @access(JOB)
    async def get(self, job_id: str) -> None:
        """Send how far the job is."""
        self.send_job(await self.job(job_id))

    head = get

    @access(JOB)
    async def delete(self, job_id: str) -> None:
        """Cancel the job, or give up its result; a token in an address, which may be passed on, ends nobody's job."""
        job = await self.in_thread(self.mine, job_id)
        if self.principal.kind is not None and not is_nobodys(job):
            raise Forbidden("A token in an address ends no job of somebody: sign in.")
        row = self.row(
            "job.cancelled", dataset_id=job.dataset_id, version=job.version, status=204, detail={"job": job.id}
        )
        if await self.in_thread(self.services.records.jobs.cancel, job.id, row):
            self.services.metrics.jobs.add("cancelled")
        self.runner.drop(job.id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()


class JobResultHandler(OneJobHandler, NativePartHandler):
    """The part that a job has made."""

    _of_job: str | None = None

    @property
    def gives_file(self) -> bool:
        """Return True: it is a part of the file."""
        return True

    @property
    def refused_id(self) -> str | None:
        """Return the dataset of the job."""
        return self._of_job

    @access(JOB)
    async def get(self, job_id: str) -> None:
        """Send the part, under the rights of now, and made again where another machine has made it."""
        job = await self.job(job_id)
        self._of_job = job.dataset_id
        if job.status.is_going:
            raise UnderWay("The part is being made.", retry_after_seconds=RETRY_SECONDS)
        if job.status is not JobStatus.DONE:
            raise NotFound(f"The job has no result: it is {job.status}.")
        action = Action.VIEW if self.services.settings.open_values else Action.DOWNLOAD
        dataset, _ = await self.vouched(job.dataset_id, action)
        if dataset.version != job.version:
            raise NotFound(REPLACED)
        await self.send_made(wanted_of(job, dataset))

    head = get
