"""Threads with a bounded queue: work beyond the limit is refused at once instead of waiting for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from gateway.errors import Unavailable

P = ParamSpec("P")
T = TypeVar("T")


class BoundedPool:
    """`threads` threads and at most `queue_limit` calls waiting for one of them."""

    def __init__(self, name: str, threads: int, queue_limit: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threading.BoundedSemaphore(threads + queue_limit)

    def submit(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Return the future of `work`; raises Unavailable when the queue is full."""
        if not self._room.acquire(blocking=False):
            raise Unavailable("The server is busy.", retry_after_seconds=1)
        try:
            future = self._executor.submit(work, *args, **kwargs)
        except RuntimeError as error:
            self._room.release()
            raise Unavailable("The server is shutting down.") from error
        future.add_done_callback(lambda _: self._room.release())
        return future

    def close(self) -> None:
        """Finish what runs, drop what waits, and end the threads."""
        self._executor.shutdown(wait=True, cancel_futures=True)
