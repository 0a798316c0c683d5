"""Jobs worked off by one worker: seen on record while they go on, taken over from workers that have ended."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ParamSpec, TypeVar

from gateway.errors import GatewayError, RecordsUnavailable, Unavailable, VersionChanged
from gateway.handlers.cutting import PartCutter
from gateway.handlers.results import ThreadResults
from gateway.jobs import WantedPart, wanted_of
from gateway.partfiles import KeptPart
from gateway.pools import Pool
from gateway.records import Job, JobStatus
from gateway.services import Services

log = logging.getLogger("gateway")
P = ParamSpec("P")
T = TypeVar("T")

# One at a time: who waits for a smaller part finds a process free.
AT_ONCE = 1
# A job is seen this often, and taken by another worker where it was not for so long.
SEEN_SECONDS = 5.0
LEFT_SECONDS = 30.0
# Where there is no room for a part, it is tried again for a while.
AGAIN_SECONDS, MOST_AGAIN = 10.0, 30
REPLACED = "The file of the dataset has been replaced since: ask for the part again."
FAILED = "The part could not be made."


class JobRunner:
    """Works off the jobs of one worker."""

    def __init__(self, services: Services, results: ThreadResults, cutter: PartCutter) -> None:
        self._services, self._results, self._cutter = services, results, cutter
        self._records = services.records.jobs
        self._turn = asyncio.Semaphore(AT_ONCE)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.worker = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"

    def begin(self, job: Job, wanted: WantedPart) -> None:
        """Work on a job of this worker from now on."""
        task = self._tasks[job.id] = asyncio.create_task(self._run(job, wanted))
        task.add_done_callback(lambda _: self._tasks.pop(job.id, None))

    def drop(self, job_id: str) -> None:
        """Work no more on a job that its client has cancelled; other workers find out by themselves."""
        if (task := self._tasks.get(job_id)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Return when no job is worked on here any more: others take over what goes on."""
        for task in (tasks := list(self._tasks.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def looked_after(self, job: Job) -> Job:
        """Return a job as it is, this worker's from now on where another one has left it."""
        now = datetime.now(UTC)
        left = timedelta(seconds=LEFT_SECONDS)
        if not job.status.is_going or job.id in self._tasks or now - job.seen_at < left:
            return job
        taken = await self._in_thread(self._records.take, job.id, self.worker, now, now - left)
        known: Job | None = await self._in_thread(self._records.by_id, job.id)
        found = known or job
        if taken:
            dataset = await self._in_thread(self._services.records.dataset, job.dataset_id)
            if dataset is None or dataset.version != job.version:
                return await self._ended(found, JobStatus.FAILED, REPLACED)
            self.begin(found, wanted_of(found, dataset))
        return found

    async def _run(self, job: Job, wanted: WantedPart) -> None:
        """Make the part, and put on record what came of it."""
        begun = asyncio.Event()
        work = asyncio.create_task(self._made(begun, wanted))
        try:
            while not work.done():
                status = JobStatus.RUNNING if begun.is_set() else JobStatus.QUEUED
                if not await self._seen(job, status):
                    return
                # By what was put on record: it may have begun meanwhile.
                begins = [asyncio.create_task(begun.wait())] if status is JobStatus.QUEUED else []
                try:
                    await asyncio.wait([work, *begins], timeout=SEEN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for each in begins:
                        each.cancel()
        finally:
            work.cancel()
            await asyncio.wait([work])
        error = work.exception()
        if error is None:
            done = replace(job, size_bytes=work.result().size_bytes)
            await self._ended(done, JobStatus.DONE, None)
            return
        if not isinstance(error, GatewayError):
            log.error("a job failed", exc_info=error)
        replaced = isinstance(error, VersionChanged)
        told = error.detail if isinstance(error, GatewayError) else ""
        await self._ended(job, JobStatus.FAILED, REPLACED if replaced else told or FAILED)

    async def _made(self, begun: asyncio.Event, wanted: WantedPart) -> KeptPart:
        async with self._turn:
            begun.set()
            for _ in range(MOST_AGAIN):
                try:
                    return await self._cutter.cut(wanted.dataset, wanted.planned)
                except Unavailable as error:
                    log.info("a job waits: %s", error.told)
                    await asyncio.sleep(AGAIN_SECONDS)
            return await self._cutter.cut(wanted.dataset, wanted.planned)

    async def _seen(self, job: Job, status: JobStatus) -> bool:
        """Return whether the job is this worker's still, as far as is known."""
        try:
            return await self._in_thread(self._records.see, job.id, self.worker, status, datetime.now(UTC))
        except RecordsUnavailable:
            return True

    async def _ended(self, job: Job, status: JobStatus, reason: str | None) -> Job:
        """Put the end of a job on record; where that cannot be, another worker finds the part made."""
        ended = replace(job, status=status, reason=reason, worker=self.worker)
        now = datetime.now(UTC)
        try:
            if await self._in_thread(self._records.end, ended, now):
                self._services.metrics.jobs.add(status.value)
        except RecordsUnavailable as error:
            log.warning("the end of a job is not on record: %s", error.told)
        return replace(ended, ended_at=now)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._results.expect(self._services.pools[Pool.DISK].submit(work, *args, **kwargs))
