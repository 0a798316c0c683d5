"""Processes that write one file each into a folder of its own, and nowhere else: parts that clients take home."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from gateway.errors import GatewayError, Unavailable
from gateway.studio.child import Child, Job
from gateway.studio.forks import Forks
from gateway.studio.tally import Tally, told
from gateway.studio.wire import Answer, Kind, Setup

log = logging.getLogger("gateway")

# At once; others wait for their turn.
MOST_WRITERS = 2
# Of a gigabyte from a store in a network.
WRITE_SECONDS = 900.0
CANNOT_WRITE = "The part cannot be written."


class Writers:
    """Gives each task a fresh process that may write beneath the task's folder; one that is cancelled is killed."""

    def __init__(self, setup: Setup, tally: Tally, forks: Forks) -> None:
        self._setup, self._tally, self._forks = setup, tally, forks
        self._queue: deque[Job] = deque()
        self._working: dict[Child, Job] = {}
        self._processes: list[Child] = []
        self._closed = False

    @property
    def waiting(self) -> int:
        """Return how many tasks wait."""
        return len(self._queue)

    @property
    def children(self) -> Sequence[Child]:
        """Return the processes that live."""
        return tuple(self._working)

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to give tasks away."""
        self._loop = loop

    def add(self, job: Job) -> None:
        """Let a task wait for its turn."""
        self._queue.append(job)
        self._pump()

    def drop(self, job: Job) -> None:
        """Forget a task, and end the process that has begun it."""
        if job in self._queue:
            self._queue.remove(job)
        for child in [child for child, its in self._working.items() if its is job]:
            self._working.pop(child)
            child.kill()
        job.close()
        self._pump()

    def wait(self, seconds: float) -> None:
        """Wait until all processes have ended; those that take longer are killed."""
        for child in self._processes:
            child.wait(seconds)

    def close(self) -> None:
        """Drop what waits, and end what has begun: its file would be nobody's."""
        self._closed = True
        for job in self._queue:
            job.future.cancel()
            job.close()
        self._queue.clear()
        for child, job in list(self._working.items()):
            child.jobs.clear()
            child.kill()
            self._settle(child, job, Unavailable("The server is shutting down."))

    def started(self, child: Child, missing: Sequence[str]) -> None:
        """Give the process its task."""
        for what in set(missing) - self._tally.told:
            self._tally.told.add(what)
            log.warning("painters are less confined than they could be: there is no %s", what)
        if (job := self._working.get(child)) is not None:
            job.timer = self._loop.call_later(WRITE_SECONDS, self._overdue, child, job)
            child.give(job)

    def answered(self, child: Child, job: Job, answer: Answer) -> None:
        """Hand the answer on, and let the process end."""
        child.end()
        if answer.kind is Kind.FAILURE:
            log.error("a painter failed at %s of %s: %s", job.task.work, told(job), answer.value)
            self._settle(child, job, GatewayError())
        else:
            self._settle(child, job, answer.value)

    def ended(self, child: Child) -> None:
        """Tell who waits that its process is gone."""
        job = self._working.get(child)
        if job is not None:
            child.jobs.clear()
            self._tally.deaths += 1
            log.error("a painter ended (%s) at %s of %s", child.why(), job.task.work, told(job))
            self._settle(child, job, Unavailable(CANNOT_WRITE, retry_after_seconds=30))

    def _overdue(self, child: Child, job: Job) -> None:
        self._tally.deadlines += 1
        log.error("a painter is ended: %s of %s takes too long", job.task.work, told(job))
        child.jobs.clear()
        child.kill()
        self._settle(child, job, Unavailable(CANNOT_WRITE, retry_after_seconds=60))

    def _settle(self, child: Child, job: Job, outcome: object) -> None:
        self._working.pop(child, None)
        job.close()
        if not job.future.done():
            if isinstance(outcome, GatewayError):
                job.future.set_exception(outcome)
            else:
                job.future.set_result(outcome)
        self._pump()

    def _pump(self) -> None:
        while self._queue and not self._closed and len(self._working) < MOST_WRITERS:
            self._begin(self._queue.popleft())

    def _begin(self, job: Job) -> None:
        if (refusal := self._tally.refusal(job)) is not None:
            job.close()
            job.future.set_exception(refusal)
            return
        confinement = replace(self._setup.confinement, writable=(job.task.folder,))
        try:
            child = Child(replace(self._setup, confinement=confinement), self._forks)
        except OSError as error:
            log.error("a painter cannot be started: %s", (error.strerror or "unknown").lower())
            job.close()
            job.future.set_exception(Unavailable("The server is busy.", retry_after_seconds=1))
            return
        self._processes = [*(other for other in self._processes if not other.gone), child]
        self._working[child] = job
        child.attach(self._loop, self)
