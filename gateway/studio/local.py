"""A studio in the process that asks, for tests and scripts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TypeVar

from gateway.files import FileSource
from gateway.pools import BoundedPool
from gateway.storage import Storage
from gateway.studio.base import Load
from gateway.studio.tasks import Lane, Task
from gateway.studio.worker import Limits, Worker

T = TypeVar("T")
FAR_THREADS, JUDGE_THREADS, PART_THREADS = 8, 2, 2


class LocalStudio:
    """Works tasks off in threads of this process, those of each lane by themselves."""

    def __init__(self, far: Mapping[str, Storage], limits: Limits, queue_limit: int) -> None:
        self._worker = Worker(far, limits)
        threads = {
            Lane.PAINT: limits.threads, Lane.FAR: FAR_THREADS, Lane.JUDGE: JUDGE_THREADS, Lane.PART: PART_THREADS,
        }  # fmt: skip
        self._pools = {lane: BoundedPool(lane, count, queue_limit) for lane, count in threads.items()}

    def attach(self, loop: asyncio.AbstractEventLoop) -> None:
        """Do nothing: whoever waits for a future is told by the thread that did the work."""

    def submit(self, task: Task[T], files: Sequence[FileSource] = ()) -> Future[T]:
        """Return the future of what a task comes to; raises Unavailable when too many wait."""
        with ExitStack() as unless_begun:
            fds = [os.dup(file.fd) for file in files]
            unless_begun.callback(_close, fds)
            done = self._pools[task.lane].submit(self._worker.do, task, fds)
            unless_begun.pop_all()
        done.add_done_callback(lambda ended: _close(fds) if ended.cancelled() else None)
        return done

    def load(self) -> Load:
        """Return what waits."""
        pools = self._pools.values()
        return Load(sum(pool.waiting for pool in pools), sum(pool.queue_limit for pool in pools))

    def close(self) -> None:
        """Let what has begun end, drop what waits, and close what is open."""
        for pool in self._pools.values():
            pool.close()
        self._worker.close()


def _close(fds: list[int]) -> None:
    for fd in fds:
        os.close(fd)
