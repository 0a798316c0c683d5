"""Painters of one kind: what waits for them, who does what, and what happens when one hangs, dies or grows."""

from __future__ import annotations

import asyncio
import logging
import pickle
import time
import zlib
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gateway.errors import CannotBeDrawn, GatewayError, Unavailable
from gateway.studio.child import Child, Job
from gateway.studio.tasks import Lane
from gateway.studio.wire import Answer, Kind, Setup

log = logging.getLogger("gateway")

# A painter that works on one picture for so long gets no other one; a fresh painter takes over.
SLOW_SECONDS = 2.0
# So many may be on their way out at once; then slow ones stay, with the threads that they still have.
MOST_RETIRING = 2
# Verdicts read every block's leader, and may be asked of cold disks.
JUDGE_SECONDS = 300.0
SET_ASIDE_SECONDS = 600.0
# A version is set aside when one of its tasks has done this so often.
OFFENCES = 2
# Painters that die one after another over different tasks are none of a task's fault.
MOST_DEATHS = 5
BACKOFF_SECONDS = (0.05, 5.0)
HUNG = "The picture takes too long."
BAD = "Pictures of this version of the file have ended what draws them; it is set aside for a while."


@dataclass(frozen=True, slots=True)
class Rules:
    """How many painters there are, and what each may take: `paint_seconds` for a task, `memory_mb` after it."""

    painters: int = 1
    paint_seconds: float = 30.0
    memory_mb: int = 512


class Tally:
    """What has become of painters since the start, and which versions are set aside until when."""

    def __init__(self) -> None:
        self.deaths = self.deadlines = self.retired = self.set_aside = 0
        self.told: set[str] = set()
        self._aside: dict[tuple[str, ...], float] = {}
        self._offences: Counter[bytes] = Counter()

    def refusal(self, job: Job) -> GatewayError | None:
        """Return why a job is not begun: a version of it is set aside."""
        now = time.monotonic()
        if all(self._aside.get(name, 0.0) <= now for name in _names(job)):
            return None
        if job.task.lane is Lane.JUDGE:
            return Unavailable(
                "The file of this dataset cannot be judged.", retry_after_seconds=int(SET_ASIDE_SECONDS)
            )
        return CannotBeDrawn(BAD)

    def overdue(self, job: Job) -> GatewayError:
        """Return what is told about a job that took too long; its version is set aside when it did so before."""
        self.deadlines += 1
        key = pickle.dumps(job.task)
        self._offences[key] += 1
        if self._offences.pop(key) < OFFENCES:
            self._offences[key] = OFFENCES - 1
            return Unavailable(HUNG, retry_after_seconds=5)
        return self.put_aside(job)

    def put_aside(self, job: Job) -> GatewayError:
        """Set the versions of a job aside; returns what is told about them."""
        for name in _names(job):
            self._aside[name] = time.monotonic() + SET_ASIDE_SECONDS
            self.set_aside += 1
            log.error("version %s of dataset %s is set aside: %s ended two painters", name[2], name[1], job.task.work)
        return self.refusal(job) or CannotBeDrawn(BAD)


def _names(job: Job) -> Iterator[tuple[str, ...]]:
    """Yield what is set aside for a job: pictures of a version, or verdicts over it."""
    kind = Lane.JUDGE if job.task.lane is Lane.JUDGE else Lane.PAINT
    for source in job.task.sources:
        yield kind, source.id, source.version


class Place:
    """Where one painter stands: the one that takes jobs, those on their way out, and what waits."""

    def __init__(self, setup: Setup, rules: Rules, tally: Tally) -> None:
        self._setup, self._rules, self._tally = setup, rules, tally
        self._child = Child(setup)
        self._next: Child | None = None
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
        return (self._child, *self._leaving, *([self._next] if self._next else []))

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

    def started(self, child: Child, missing: tuple[str, ...]) -> None:
        """Give the painter that is ready its first jobs."""
        self._backoff_seconds = 0.0
        for what in set(missing) - self._tally.told:
            self._tally.told.add(what)
            log.warning("painters are less confined than they could be: there is no %s", what)
        if child is self._next:
            self._leave(self._child)
            self._child, self._next = child, None
        self._pump()

    def answered(self, child: Child, job: Job, answer: Answer) -> None:
        """Hand an answer on, and look after the painter's memory."""
        job.close()
        if answer.kind is Kind.ERROR:
            job.future.set_exception(answer.value)
        elif answer.kind is Kind.FAILURE:
            log.error("a painter failed at %s of %s: %s", job.task.work, _told(job), answer.value)
            job.future.set_exception(GatewayError())
        else:
            job.future.set_result(answer.value)
        if child is self._child and answer.resident_mb > self._rules.memory_mb and self._next is None:
            # It goes on until the next one is ready: there is no gap.
            self._tally.retired += 1
            self._next = self._born()
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
            ", ".join(f"{j.task.work} of {_told(j)}" for j in jobs) or "nothing",
        )
        for job in reversed(jobs):
            self._again(job, lone=len(jobs) == 1)
        self._replace(child)

    def _again(self, job: Job, *, lone: bool) -> None:
        job.stop_clock()
        job.deaths += 1
        job.lone_deaths += lone
        job.alone = True
        if job.lone_deaths >= OFFENCES:
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
        if child is self._next:
            self._next = None
        if child is self._child and not self._closed:
            if self._next is not None:
                self._child, self._next = self._next, None
            elif child.ready:
                self._child = self._born()
            else:
                # What cannot even start is tried more slowly each time.
                least, most = BACKOFF_SECONDS
                self._backoff_seconds = min(most, max(least, 2 * self._backoff_seconds))
                self._loop.call_later(self._backoff_seconds, self._revive)
        self._pump()

    def _revive(self) -> None:
        if not self._closed:
            self._child = self._born()

    def _born(self) -> Child:
        child = Child(self._setup)
        child.attach(self._loop, self)
        return child

    def _leave(self, child: Child) -> None:
        child.retire()
        if child.jobs:
            self._leaving.add(child)

    def _pump(self) -> None:
        while self._queue and not self._closed:
            job = next((job for job in self._queue if self._child.takes(job)), None)
            if job is None:
                return
            self._queue.remove(job)
            self._begin(job)

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
        slow = min(SLOW_SECONDS, seconds) if job.task.lane is Lane.PAINT else seconds
        job.timer = self._loop.call_later(slow, self._slow, child, job, seconds - slow)
        child.give(job)

    def _slow(self, child: Child, job: Job, left_seconds: float) -> None:
        if left_seconds <= 0:
            self._overdue(child, job)
            return
        job.timer = self._loop.call_later(left_seconds, self._overdue, child, job)
        if child is self._child and self._next is None and len(self._leaving) < MOST_RETIRING:
            self._next = self._born()

    def _overdue(self, child: Child, job: Job) -> None:
        log.error("a painter is ended: %s of %s takes too long", job.task.work, _told(job))
        jobs = [other for other in child.jobs.values() if other is not job]
        child.jobs.clear()
        child.kill()
        self._give_up(job, self._tally.overdue(job))
        for other in reversed(jobs):
            other.stop_clock()
            self._queue.appendleft(other)
        self._replace(child)


def place_of(job: Job, places: Sequence[Place]) -> Place:
    """Return where a job is done: that of a dataset always by the same painter, which has it open."""
    if job.task.sources:
        return places[zlib.crc32(job.task.sources[0].id.encode()) % len(places)]
    return min(places, key=lambda place: place.waiting)


def _told(job: Job) -> str:
    return ", ".join(f"dataset {source.id}" for source in job.task.sources) or "no dataset"
