"""Results from threads to the event loop, many at once: each wake-up of the loop costs more than a result."""

from __future__ import annotations

import asyncio
from collections import deque
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")
Waiting = tuple["asyncio.Future[Any]", "Future[Any]"]


class Mailbox:
    """Brings finished futures of threads to those who await them on one loop."""

    def __init__(self) -> None:
        self._ready: deque[Waiting] = deque()
        self._woken = False

    def expect(self, work: Future[T]) -> asyncio.Future[T]:
        """Return an awaitable of `work`; when it is cancelled, so is `work`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[T] = loop.create_future()

        def arrived(_: Future[T]) -> None:
            # Called in the thread that finished `work`. First the result, then the look at the flag: the loop
            # clears the flag first and then empties the box, so that nothing is left lying in it.
            self._ready.append((answer, work))
            if not self._woken:
                self._woken = True
                loop.call_soon_threadsafe(self._deliver)

        work.add_done_callback(arrived)
        answer.add_done_callback(lambda a: a.cancelled() and work.cancel())
        return answer

    def _deliver(self) -> None:
        self._woken = False
        while self._ready:
            answer, work = self._ready.popleft()
            if answer.done():
                continue
            error = None if work.cancelled() else work.exception()
            if work.cancelled():
                answer.cancel()
            elif error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(work.result())
