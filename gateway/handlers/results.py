"""Results from threads to the event loop, many at once: each wake-up of the loop costs more than a result."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

T = TypeVar("T")
Waiting = tuple[Callable[["Future[Any]"], None], "Future[Any]"]


class ThreadResults:
    """Brings the finished work of threads to those who wait for it on one loop."""

    def __init__(self) -> None:
        self._ready: deque[Waiting] = deque()
        self._woken = False

    def expect(self, work: Future[T]) -> asyncio.Future[T]:
        """Return an awaitable of `work`; when it is cancelled, so is `work`."""
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        answer.add_done_callback(lambda a: a.cancelled() and work.cancel())
        self.tell(work, partial(_settle, answer))
        return answer

    def tell(self, work: Future[T], told: Callable[[Future[T]], None]) -> None:
        """Call `told` with `work` on this loop when it is finished."""
        loop, thread = asyncio.get_running_loop(), threading.get_ident()

        # The work as it comes, and not the one above: a future keeps its callbacks, and would hold itself through
        # them with its result, until a collection of the oldest generation comes by.
        def arrived(work: Future[T]) -> None:
            if threading.get_ident() == thread and loop.is_running():
                told(work)
                return
            # Called in the thread that finished `work`. First the result, then the look at the flag: the loop
            # clears the flag first and then takes all that is ready, so that nothing is left over.
            self._ready.append((told, work))
            if not self._woken:
                self._woken = True
                # A loop that has ended says so: nobody waits any more.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._deliver)

        work.add_done_callback(arrived)

    def _deliver(self) -> None:
        self._woken = False
        while self._ready:
            told, work = self._ready.popleft()
            told(work)


def _settle(answer: asyncio.Future[T], work: Future[T]) -> None:
    """Hand the outcome of `work` to who awaits `answer`, if anybody still does."""
    if answer.done():
        return
    if work.cancelled():
        answer.cancel()
    elif (error := work.exception()) is not None:
        answer.set_exception(error)
    else:
        answer.set_result(work.result())
