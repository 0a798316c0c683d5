"""Work on many items in several processes, whatever becomes of one of them."""

from __future__ import annotations

import multiprocessing
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
R = TypeVar("R")

Results: TypeAlias = Generator[tuple[T, R | str], None, None]

# Items that wait at each process, so that it never waits for this one; more would only use memory.
QUEUED_PER_JOB = 4
# Results that may be kept back for one item that takes long, for each process.
KEPT_PER_JOB = 256
# A process may be ended for what another one did, for want of memory: the second time it is the item's own fault.
TRIES = 2
DIED = "the process that read it ended early"


@dataclass(slots=True)
class _Entry(Generic[T]):
    number: int
    item: T
    tries: int = 0


class _Worker(Generic[T, R]):
    """One process and the items that were handed to it, the one that it works on first."""

    def __init__(self, work: Callable[[T], R]) -> None:
        # Spawned, not forked: a fork would copy GDAL's and SQLite's state.
        processes = multiprocessing.get_context("spawn")
        self.pipe, far_end = processes.Pipe()
        self.queue: deque[_Entry[T]] = deque()
        self._process = processes.Process(target=_serve, args=(far_end, work), daemon=True)
        # The tracker of multiprocessing takes the mask away from who starts it.
        resource_tracker.ensure_running()
        # Ctrl-C is for the parent to handle, and the process inherits the mask: it hears none while it starts either.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        # Only the process itself may hold this end, or its death would go unseen.
        far_end.close()

    def hand(self, entry: _Entry[T]) -> None:
        """Put an item at the end of the queue."""
        self.queue.append(entry)
        # A process that has died is met when its answer is read.
        with suppress(OSError):
            self.pipe.send(entry.item)

    def end(self) -> None:
        """End the process: by itself where it has nothing to do, else at once."""
        self.pipe.close()
        if self.queue:
            self._process.terminate()
        self._process.join()
        self._process.close()


class _Crew(Generic[T, R]):
    """Processes that are started when there is work for them, and started anew when they die."""

    def __init__(self, work: Callable[[T], R], jobs: int) -> None:
        self._work = work
        self._jobs = jobs
        self._workers: list[_Worker[T, R]] = []

    @property
    def busy(self) -> bool:
        """Return whether results are still to come."""
        return any(worker.queue for worker in self._workers)

    @property
    def full(self) -> bool:
        """Return whether results must be collected before more is submitted."""
        return len(self._workers) == self._jobs and all(len(w.queue) >= QUEUED_PER_JOB for w in self._workers)

    def submit(self, number: int, item: T) -> None:
        """Hand an item to the process with the least to do."""
        idle = min(self._workers, key=lambda worker: len(worker.queue), default=None)
        if idle is None or (idle.queue and len(self._workers) < self._jobs):
            idle = _Worker(self._work)
            self._workers.append(idle)
        idle.hand(_Entry(number, item))

    def collect(self, *, patiently: bool) -> Iterator[tuple[int, T, R | str]]:
        """Yield the results that are there; `patiently` waits for one."""
        busy = {worker.pipe: worker for worker in self._workers if worker.queue}
        for pipe in wait(list(busy), None if patiently else 0) if busy else ():
            worker = busy[pipe]  # type: ignore[index]
            try:
                result: R = worker.pipe.recv()
            except (EOFError, OSError):
                yield from self._replace(worker)
                continue
            done = worker.queue.popleft()
            yield done.number, done.item, result

    def _replace(self, dead: _Worker[T, R]) -> Iterator[tuple[int, T, R | str]]:
        """Hand what a dead process had to a new one; yield the item it died over when that was no accident."""
        blamed = dead.queue[0]
        blamed.tries += 1
        lost = list(dead.queue)
        dead.queue.clear()
        dead.end()
        fresh: _Worker[T, R] = _Worker(self._work)
        self._workers[self._workers.index(dead)] = fresh
        for entry in lost:
            if entry.tries < TRIES:
                fresh.hand(entry)
        if blamed.tries == TRIES:
            yield blamed.number, blamed.item, DIED

    def close(self) -> None:
        """End the processes; what waits is dropped."""
        for worker in self._workers:
            worker.end()


def as_they_come(work: Callable[[T], R], items: Iterable[T], jobs: int) -> Results[T, R]:
    """Yield each item with `work(item)` as soon as it is there; with one job in this process and in order.

    `work` and the items must be picklable when there are more jobs; the items are taken as they are needed. Where a
    process dies over an item, its result is a sentence that says so, and the other items are not touched by it.
    A caller that stops early ends the processes by closing the iterator.
    """
    if jobs == 1:
        yield from ((item, work(item)) for item in items)
        return
    with closing(_numbered(work, items, jobs, lambda _: False)) as results:
        yield from ((item, result) for _, item, result in results)


def in_order(work: Callable[[T], R], items: Iterable[T], jobs: int) -> Results[T, R]:
    """Yield what `as_they_come` yields, in the order of the items."""
    if jobs == 1:
        yield from as_they_come(work, items, jobs)
        return
    kept: dict[int, tuple[T, R | str]] = {}
    told = 0
    with closing(_numbered(work, items, jobs, lambda number: number - told >= jobs * KEPT_PER_JOB)) as results:
        for number, item, result in results:
            kept[number] = (item, result)
            while told in kept:
                yield kept.pop(told)
                told += 1


def _numbered(
    work: Callable[[T], R], items: Iterable[T], jobs: int, far_ahead: Callable[[int], bool]
) -> Generator[tuple[int, T, R | str], None, None]:
    """Yield numbered results as they come; nothing new begins while an item's number is `far_ahead`."""
    with closing(_Crew(work, jobs)) as crew:
        for number, item in enumerate(items):
            crew.submit(number, item)
            yield from crew.collect(patiently=False)
            while crew.full or far_ahead(number):
                yield from crew.collect(patiently=True)
        while crew.busy:
            yield from crew.collect(patiently=True)


def _serve(pipe: Connection, work: Callable[[T], R]) -> None:
    """Answer items with results until the other end is closed."""
    while True:
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        result = work(item)
        try:
            pipe.send(result)
        except OSError:
            return
