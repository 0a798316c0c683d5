"""Painters of one kind: what waits for them, who does what, and what happens when one hangs, dies or grows."""

from __future__ import annotations

import asyncio
import logging
import math
import time
import zlib
from collections import deque
from collections.abc import Sequence

from gateway.errors import GatewayError, Unavailable
from gateway.studio.child import Child, Job
from gateway.studio.forks import Forks
from gateway.studio.tally import OFFENCES, Rules, Tally, kind_of, slow_after, told
from gateway.studio.tasks import Lane
from gateway.studio.wire import Answer, Kind, Setup

log = logging.getLogger("gateway")

# A painter that works on one picture for so long gets no other one; a fresh painter takes over.
SLOW_SECONDS = 2.0
# So many may be on their way out at once; then slow ones stay, with the threads that they still have.
MOST_RETIRING = 2
# A painter that waits for a processor for so much of its time is slow by no fault of a task's.
STARVED = 0.5
# Verdicts read every block's leader, and may be asked of cold disks.
JUDGE_SECONDS = 300.0
# SIGKILL comes from the system when memory is short, and from whoever likes to: it proves half as much as a crash.
CRASH, KILL = 2, 1
# After one has ended so, another one stands by for a while.
SPARE_SECONDS = 60.0
# Painters that die one after another over different tasks are none of a task's fault.
MOST_DEATHS = 8
BACKOFF_SECONDS = (0.05, 5.0)


class Place:
    """Where one painter stands: the one that takes jobs, those on their way out, and what waits."""

    def __init__(self, setup: Setup, rules: Rules, tally: Tally, forks: Forks) -> None:
        self._setup, self._rules, self._tally, self._forks = setup, rules, tally, forks
        self._child = Child(setup, forks)
        self._processes = [self._child]
        self._next: Child | None = None
        self._spare: Child | None = None
        self._calm_at = 0.0
        self._leaving: set[Child] = set()
        self._queue: deque[Job] = deque()
        self._backoff_seconds = 0.0
        self._closed = False

    @property
    def waiting(self) -> int:
        """Return how many jobs wait."""
        return len(self._queue)

    @property
    def children(self) -> Sequence[Child]:
        """Return the painters that live."""
        return (self._child, *self._leaving, *(child for child in (self._next, self._spare) if child is not None))

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to give jobs away."""
        self._loop = loop
        self._child.attach(loop, self)

    def add(self, job: Job) -> None:
        """Let a job wait for its turn."""
        self._queue.append(job)
        self._pump()

    def drop(self, job: Job) -> None:
        """Forget a job that has not begun."""
        if job in self._queue:
            self._queue.remove(job)
            job.close()

    def wait(self, seconds: float) -> None:
        """Wait until all painters that were told to end have ended; those that take longer are killed."""
        for child in self._processes:
            child.wait(seconds)

    def close(self) -> None:
        """Drop what waits and end the painters."""
        self._closed = True
        for job in self._queue:
            job.future.cancel()
            job.close()
        self._queue.clear()
        for child in self.children:
            while child.jobs:
                self._give_up(child.jobs.popitem()[1], Unavailable("The server is shutting down."))
            child.end()

    def started(self, child: Child, missing: Sequence[str]) -> None:
        """Give the painter that is ready its first jobs."""
        self._backoff_seconds = 0.0
        for what in set(missing) - self._tally.told:
            self._tally.told.add(what)
            log.warning("painters are less confined than they could be: there is no %s", what)
        if child is self._next:
            self._take_over()
        if self._spare is None and self._calm_at > time.monotonic():
            self._spare = self._born()
            self._loop.call_later(SPARE_SECONDS, self._dismiss)
        self._pump()

    def _take_over(self) -> None:
        """Let the next painter take the jobs from now on."""
        if self._next is not None and self._next.ready:
            self._leave(self._child)
            self._child, self._next = self._next, None

    def _dismiss(self) -> None:
        """End the spare painter when nothing has happened for a while."""
        if self._spare is None or self._closed:
            return
        if (left := self._calm_at - time.monotonic()) > 0:
            self._loop.call_later(left, self._dismiss)
            return
        self._spare.end()
        self._spare = None

    def answered(self, child: Child, job: Job, answer: Answer) -> None:
        """Hand an answer on, and look after the painter's memory."""
        job.close()
        if answer.kind is Kind.ERROR:
            job.future.set_exception(answer.value)
        elif answer.kind is Kind.FAILURE:
            log.error("a painter failed at %s of %s: %s", job.task.work, told(job), answer.value)
            job.future.set_exception(GatewayError())
        else:
            job.future.set_result(answer.value)
        if child is self._child and answer.resident_mb > self._rules.memory_mb and self._next is None:
            # It goes on until the next one is ready: there is no gap.
            self._tally.retired += 1
            self._succeed()
        if not child.jobs:
            self._leaving.discard(child)
        self._pump()

    def ended(self, child: Child) -> None:
        """Put another painter in the place of one that died, and have its jobs done again."""
        jobs = list(child.jobs.values())
        child.jobs.clear()
        self._tally.deaths += 1
        log.error(
            "a painter ended (%s) at %s",
            child.why(),
            ", ".join(f"{j.task.work} of {told(j)}" for j in jobs) or "nothing",
        )
        weight = 0 if len(jobs) > 1 else KILL if child.killed else CRASH
        for job in reversed(jobs):
            self._again(job, weight)
        self._replace(child)

    def _again(self, job: Job, weight: int) -> None:
        """Have a job done again, by itself; `weight` is what the death of its painter says against it."""
        job.stop_clock()
        job.slow = False
        job.deaths, job.guilt, job.alone = job.deaths + 1, job.guilt + weight, True
        if job.guilt >= OFFENCES * CRASH:
            self._give_up(job, self._tally.put_aside(job))
        elif job.deaths >= MOST_DEATHS:
            self._give_up(job, Unavailable("The picture could not be drawn.", retry_after_seconds=5))
        else:
            self._queue.appendleft(job)

    def _give_up(self, job: Job, error: GatewayError) -> None:
        job.close()
        job.future.set_exception(error)

    def _replace(self, child: Child) -> None:
        """Put a fresh painter in the place of one that is gone."""
        self._leaving.discard(child)
        self._calm_at = time.monotonic() + SPARE_SECONDS
        self._next = None if child is self._next else self._next
        self._spare = None if child is self._spare else self._spare
        if child is self._child and not self._closed:
            if self._next is not None:
                self._child, self._next = self._next, None
            elif self._spare is not None:
                self._child, self._spare = self._spare, None
                self.started(self._child, ()) if self._child.ready else None
            elif child.ready:
                self._revive()
            else:
                self._revive_later(hopeless=child.late)
        self._pump()

    def _revive_later(self, *, hopeless: bool = False) -> None:
        """Try what cannot even start more slowly each time."""
        least, most = BACKOFF_SECONDS
        self._backoff_seconds = min(most, max(least, 2 * self._backoff_seconds))
        self._loop.call_later(self._backoff_seconds, self._revive)
        if hopeless or self._backoff_seconds >= most:
            self._turn_away()

    def _turn_away(self) -> None:
        """Tell all who wait that there is no painter."""
        while self._queue:
            job = self._queue.popleft()
            if job.begun or job.future.set_running_or_notify_cancel():
                self._give_up(job, Unavailable("Nothing can be drawn for now.", retry_after_seconds=5))

    def _revive(self) -> None:
        if self._closed:
            return
        if (born := self._born()) is None:
            self._revive_later()
        else:
            self._child = born

    def _succeed(self) -> None:
        """Let a fresh painter take over as soon as it is ready; a spare one is at once."""
        self._next, self._spare = self._spare or self._born(), None
        self._take_over()

    def _born(self) -> Child | None:
        """Return a painter that begins, or None where this process has no descriptor left for one."""
        try:
            child = Child(self._setup, self._forks)
        except OSError as error:
            log.error("a painter cannot be started: %s", (error.strerror or "unknown").lower())
            return None
        self._processes = [*(other for other in self._processes if not other.gone), child]
        child.attach(self._loop, self)
        return child

    def _leave(self, child: Child) -> None:
        child.retire()
        if child.jobs:
            self._leaving.add(child)

    def _pump(self) -> None:
        while self._queue and not self._closed and (job := self._due()) is not None:
            self._queue.remove(job)
            self._begin(job)

    def _due(self) -> Job | None:
        """Return the job that the painter could begin now, if there is one."""
        free, idle = self._child.free_lanes, not self._child.jobs
        if not free:
            return None
        slow = {kind_of(job) for child in self.children for job in child.jobs.values() if job.slow}
        fit = (job for job in self._queue if job.task.lane in free and (idle or not job.alone))
        return next((job for job in fit if not slow or kind_of(job) not in slow), None)

    def _begin(self, job: Job) -> None:
        if not job.begun and not job.future.set_running_or_notify_cancel():
            job.close()
            return
        job.begun = True
        if (refusal := self._tally.refusal(job)) is not None:
            self._give_up(job, refusal)
            return
        child = self._child
        seconds = JUDGE_SECONDS if job.task.lane is Lane.JUDGE else self._rules.paint_seconds
        slow = min(slow_after(job, SLOW_SECONDS), seconds) if job.task.lane is Lane.PAINT else seconds
        job.timer = self._loop.call_later(slow, self._slow, child, job, seconds - slow)
        child.give(job)

    def _slow(self, child: Child, job: Job, left_seconds: float) -> None:
        if left_seconds <= 0:
            self._overdue(child, job, math.inf)
            return
        # More of its kind wait for what becomes of it: else they would hold one painter after the other.
        job.slow = True
        most_unserved_seconds = child.unserved_seconds() + left_seconds * STARVED
        job.timer = self._loop.call_later(left_seconds, self._overdue, child, job, most_unserved_seconds)
        if child is self._child and self._next is None and len(self._leaving) < MOST_RETIRING:
            self._succeed()
            self._pump()

    def _overdue(self, child: Child, job: Job, most_unserved_seconds: float) -> None:
        starved = child.unserved_seconds() > most_unserved_seconds
        why = " for want of a processor" if starved else ""
        log.error("a painter is ended: %s of %s takes too long%s", job.task.work, told(job), why)
        jobs = [other for other in child.jobs.values() if other is not job]
        child.jobs.clear()
        child.kill()
        self._give_up(job, self._tally.overdue(job, starved=starved))
        for other in reversed(jobs):
            other.stop_clock()
            other.slow = False
            self._queue.appendleft(other)
        self._replace(child)


def place_of(job: Job, places: Sequence[Place]) -> Place:
    """Return where a job is done: that of a dataset always by the same painter, which has it open."""
    if job.task.sources:
        return places[zlib.crc32(job.task.sources[0].id.encode()) % len(places)]
    return min(places, key=lambda place: place.waiting)
