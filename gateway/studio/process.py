"""The studio of a server: painters in processes of their own, confined, watched, and replaced."""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

from gateway.errors import Unavailable
from gateway.files import FileSource
from gateway.settings import RootSettings, Settings
from gateway.settings.parts import EACH_MB, ON_THE_WAY
from gateway.studio.base import Load
from gateway.studio.child import Job
from gateway.studio.confinement import Confinement
from gateway.studio.crew import Place, place_of
from gateway.studio.forks import Forks, far_environment
from gateway.studio.tally import Rules, Tally
from gateway.studio.tasks import Lane, Task
from gateway.studio.wire import Setup
from gateway.studio.writers import MOST_WRITERS, Writers

T = TypeVar("T")
JUDGE_THREADS, FAR_THREADS = 2, 8
# Who waits for a file goes before who waits for a picture, but not for as long as stored tiles keep a worker busy: at
# 10 the slowest drawn tiles among them took three times as long, and those who waited for files no less.
NICE = 4
ONE_PART = {Lane.PART: 1}
# What a task may take beyond what a painter may have after it.
WITHIN_TASK = 3
END_SECONDS = 1.0
# A painter has all of it in its address space, which is limited.
MOST_BLOCKS_MB = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """What a studio of processes is to be: `far` are roots in a network, `queue_limit` tasks may wait.

    `file_mb` is how long a file may be that a process writes.
    """

    rules: Rules
    threads: int = 2
    gdal_cache_mb: int = 128
    queue_limit: int = 64
    log_level: str = "INFO"
    far: Mapping[str, RootSettings] | None = None
    file_mb: int = 1024


class ProcessStudio:
    """Painters of local files, and one of files in a network where there are such roots.

    The first painters start at once, forked from a process of the studio's own unless `forks` says from which;
    `attach` says on which loop their answers arrive. Tasks come from that loop or from any thread.
    """

    _loop: asyncio.AbstractEventLoop
    _thread: int

    def __init__(self, plan: Plan, forks: Forks | None = None) -> None:
        self._forks = forks or Forks(blocks_mb=shared_blocks_mb(plan.gdal_cache_mb, plan.rules.painters))
        self._limit = plan.queue_limit
        self._tally = Tally()
        self._gate = threading.Lock()
        self._inside: Counter[Lane] = Counter()
        near = {Lane.PAINT: plan.threads, Lane.JUDGE: JUDGE_THREADS}
        self._room = {
            **near, Lane.PAINT: plan.threads * plan.rules.painters, Lane.FAR: FAR_THREADS, Lane.PART: MOST_WRITERS,
        }  # fmt: skip
        self._near = [
            Place(_setup(plan, near), plan.rules, self._tally, self._forks) for _ in range(plan.rules.painters)
        ]
        far = {Lane.FAR: FAR_THREADS, Lane.JUDGE: JUDGE_THREADS}
        self._far = [self._place(plan, _setup(plan, far, plan.far))] if plan.far else []
        self._near_writers = Writers(_setup(plan, ONE_PART), self._tally, self._forks)
        self._far_writers = Writers(_setup(plan, ONE_PART, plan.far), self._tally, self._forks) if plan.far else None

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let answers arrive on a loop, from which this is called."""
        self._loop, self._thread = loop, threading.get_ident()
        for place in self._places:
            place.attach(loop)

    def submit(self, task: Task[T], files: Sequence[FileSource] = ()) -> Future[T]:
        """Return the future of what a task comes to; raises Unavailable when too many wait."""
        self._enter(task.lane)
        future: Future[T] = Future()
        future.add_done_callback(lambda _: self._leave(task.lane))
        with ExitStack() as unless_added:
            unless_added.callback(future.cancel)
            fds: list[int] = []
            job = Job(task, fds, future)
            unless_added.callback(job.close)
            fds += map(_duplicate, files)
            if threading.get_ident() == self._thread:
                self._add(job)
            else:
                self._loop.call_soon_threadsafe(self._add, job)
            unless_added.pop_all()
        return future

    def load(self) -> Load:
        """Return what the studio is busy with."""
        children = [child for place in self._places for child in place.children]
        tally = self._tally
        return Load(
            self._waiting, self._limit, len(children), sum(child.resident_mb for child in children) << 20,
            tally.deaths, tally.deadlines, tally.retired, tally.set_aside,
        )  # fmt: skip

    def close(self) -> None:
        """Drop what waits, and end the painters once what they do is done."""
        for place in self._places:
            place.close()
        for place in self._places:
            place.wait(END_SECONDS)
        self._forks.close()

    def _place(self, plan: Plan, setup: Setup) -> Place:
        return Place(setup, plan.rules, self._tally, self._forks)

    def _enter(self, lane: Lane) -> None:
        """Count a task that is not done yet; raises Unavailable."""
        with self._gate:
            if self._inside[lane] >= self._room[lane] + self._limit:
                raise Unavailable("The server is busy.", retry_after_seconds=1)
            self._inside[lane] += 1

    def _leave(self, lane: Lane) -> None:
        with self._gate:
            self._inside[lane] -= 1

    @property
    def _places(self) -> list[Place | Writers]:
        writers = [each for each in (self._near_writers, self._far_writers) if each is not None]
        return [*self._near, *self._far, *writers]

    @property
    def _waiting(self) -> int:
        return sum(place.waiting for place in self._places)

    def _add(self, job: Job) -> None:
        if (refusal := self._tally.refusal(job)) is not None:
            job.close()
            job.future.set_exception(refusal)
            return
        remote = any(source.remote for source in job.task.sources)
        if remote and not self._far:
            job.close()
            job.future.set_exception(Unavailable("The storage of this dataset is not configured."))
            return
        place = self._place_of(job, remote=remote)
        # Weakly: a future keeps its callbacks, so that it and its result would hold themselves through the job.
        waiting = weakref.ref(job)
        job.future.add_done_callback(lambda future: self._left(place, waiting()) if future.cancelled() else None)
        place.add(job)

    def _place_of(self, job: Job, *, remote: bool) -> Place | Writers:
        if job.task.lane is not Lane.PART:
            return place_of(job, self._far if remote else self._near)
        return self._far_writers if remote and self._far_writers is not None else self._near_writers

    def _left(self, place: Place | Writers, job: Job | None) -> None:
        if job is None:
            return
        if threading.get_ident() == self._thread:
            place.drop(job)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(place.drop, job)


def _duplicate(file: FileSource) -> int:
    try:
        return os.dup(file.fd)
    except OSError as error:
        raise Unavailable("The server is busy.", retry_after_seconds=1) from error


def shared_blocks_mb(gdal_cache_mb: int, painters: int) -> int:
    """Return what so many painters share for decoded blocks: half of what all may keep; the rest is GDAL's."""
    return min(max(1, gdal_cache_mb * painters // 2), MOST_BLOCKS_MB)


def plan_of(settings: Settings) -> Plan:
    """Return what the settings say of a studio."""
    far = {name: root for name, root in settings.roots.items() if not root.uri.startswith("file:")}
    rules = Rules(settings.painters, settings.paint_seconds, settings.painter_mb)
    most_mb = ON_THE_WAY * settings.part_mb + EACH_MB
    return Plan(
        rules, settings.tile_threads, settings.gdal_cache_mb, settings.tile_queue, settings.log_level, far, most_mb
    )


def _setup(plan: Plan, threads: Mapping[Lane, int], far: Mapping[str, RootSettings] | None = None) -> Setup:
    confinement = Confinement(
        readable=_far_files() if far else (), network=bool(far), memory_mb=WITHIN_TASK * plan.rules.memory_mb,
        file_mb=plan.file_mb,
    )  # fmt: skip
    environment = far_environment() if far else {}
    return Setup(threads, plan.gdal_cache_mb, NICE, plan.log_level, confinement, dict(far or {}), environment)


def _far_files() -> tuple[str, ...]:
    """Return what a client of a store reads: names of hosts, certificates, profiles and their credentials."""
    named: list[Any] = [os.environ.get(name) for name in os.environ if name.startswith(("AWS_", "SSL_CERT_"))]
    files = [value for value in named if value and value.startswith("/")]
    return ("/etc", "/usr/share/ca-certificates", os.path.expanduser("~/.aws"), *files)  # noqa: PTH111
