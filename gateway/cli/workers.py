"""Work on many files in several processes, in order, whatever becomes of one of them."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

# Tasks waiting for each process; more would only use memory.
QUEUED_PER_JOB = 4
DIED = "the process that read it ended early"


class _Workers(Generic[T, R]):
    """A pool of processes, started anew when one of them dies, and the items that wait for it."""

    def __init__(self, work: Callable[[T], R], jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._pool = _pool(jobs)
        self.waiting: deque[tuple[T, Future[R]]] = deque()

    def submit(self, item: T) -> None:
        """Put an item at the end of the line."""
        try:
            self.waiting.append((item, self._pool.submit(self._work, item)))
        except BrokenProcessPool:
            self._renew()
            self.waiting.append((item, self._pool.submit(self._work, item)))

    def take(self) -> tuple[T, R | str]:
        """Return the first item of the line with its result."""
        item, future = self.waiting.popleft()
        try:
            return item, future.result()
        except BrokenProcessPool:
            # Every item of a broken pool fails: only alone does it show which one was to blame.
            self._renew()
            return item, self._alone(item)

    def _renew(self) -> None:
        self.close()
        self._pool = _pool(self._jobs)
        again = [item for item, _ in self.waiting]
        self.waiting = deque((item, self._pool.submit(self._work, item)) for item in again)

    def _alone(self, item: T) -> R | str:
        with _pool(1) as pool:
            try:
                return pool.submit(self._work, item).result()
            except BrokenProcessPool:
                return DIED

    def close(self) -> None:
        """End the processes; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)


def in_order(work: Callable[[T], R], items: Iterable[T], jobs: int) -> Iterator[tuple[T, R | str]]:
    """Yield each item with `work(item)`, in the order of the items; with one job in this process.

    `work` and the items must be picklable when there are more jobs. Where the process dies over an item,
    its result is a sentence that says so, and the other items are not touched by it.
    """
    if jobs == 1:
        yield from ((item, work(item)) for item in items)
        return
    workers = _Workers(work, jobs)
    try:
        for item in items:
            workers.submit(item)
            if len(workers.waiting) >= jobs * QUEUED_PER_JOB:
                yield workers.take()
        while workers.waiting:
            yield workers.take()
    finally:
        workers.close()


def _pool(jobs: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork would copy GDAL's and SQLite's state. Ctrl-C is for the parent to handle.
    return ProcessPoolExecutor(
        jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    )
