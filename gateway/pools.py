"""Threads with a bounded queue: work beyond the limit is refused at once instead of waiting for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import ParamSpec, TypeVar

from gateway.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class Pool(StrEnum):
    """The pools of threads of a worker, by what their work waits for."""

    DISK = "disk"
    JUDGE = "judge"
    STORE = "store"
    TRANSFER = "transfer"
    DEEP = "deep"
    SEARCH = "search"


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many threads a pool has, how many calls may wait for one of them, and what work is meant for it."""

    threads: int
    queue_limit: int
    work: str


def pool_table(worker_threads: int) -> Mapping[Pool, PoolSize]:
    """Return every pool of a worker with `worker_threads` threads for its disks.

    They are several, so that a file that is judged anew keeps nobody from those that need not be, nor a store in a
    network a disk.
    """
    return {
        Pool.DISK: PoolSize(worker_threads, 64 * worker_threads, "the catalogue, and files on disks"),
        Pool.JUDGE: PoolSize(2, 32, "files on disks that have changed and are judged anew"),
        Pool.STORE: PoolSize(8, 128, "a look at an object in a store, which takes three seconds at most"),
        Pool.TRANSFER: PoolSize(8, 512, "what takes long at a store: bodies, and objects that are judged anew"),
        Pool.DEEP: PoolSize(1, 64, "files that are judged anew deeper than usual, behind their answers"),
        Pool.SEARCH: PoolSize(2, 64, "searches and listings, which may read much of the catalogue for seconds"),
    }


class BoundedPool:
    """`threads` threads and at most `queue_limit` calls waiting for one of them."""

    def __init__(self, name: str, threads: int, queue_limit: int) -> None:
        self.name, self.queue_limit = name, queue_limit
        self._threads = threads
        self._inside = 0
        self._gate = threading.Lock()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threading.BoundedSemaphore(threads + queue_limit)

    @property
    def waiting(self) -> int:
        """Return how many calls wait for a thread."""
        return max(0, self._inside - self._threads)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of `work`; raises Unavailable when the queue is full."""
        if not self._room.acquire(blocking=False):
            raise Unavailable("The server is busy.", retry_after_seconds=1)
        try:
            future = self._executor.submit(work, *args, **kwargs)
        except RuntimeError as error:
            self._room.release()
            raise Unavailable("The server is shutting down.") from error
        self._moved(1)
        future.add_done_callback(lambda _: self._left())
        return future

    def _left(self) -> None:
        self._room.release()
        self._moved(-1)

    def _moved(self, by: int) -> None:
        with self._gate:
            self._inside += by

    def close(self) -> None:
        """Finish what runs, drop what waits, and end the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)
