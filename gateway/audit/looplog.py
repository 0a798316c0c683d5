"""The audit log of a process whose rows a recorder writes: its event loop sends them, without a thread."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from gateway.audit.log import Entry, Rows, fault_of, rows_of, unwritten
from gateway.model import AuditRow


class LoopAuditLog(Rows):
    """An audit log whose writer is the event loop that answers: a thread would compete with it for the interpreter.

    `send` does what `append` of an AuditLog does. Rows wait until `write` runs. Only its loop may call `durable`,
    `record`, `probe`, and `note` without `quietly`.
    """

    def __init__(
        self,
        send: Callable[[Sequence[AuditRow]], Awaitable[None]],
        *,
        queue_limit: int = 10_000,
        probe_seconds: float = 1.0,
    ) -> None:
        super().__init__(queue_limit, probe_seconds)
        self._send = send
        # There while `write` waits for rows.
        self._wanted: asyncio.Future[None] | None = None
        self._left = False
        # Who waits until when at most, in the order in which they came, and one timer for the first of them.
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None

    def durable(self, row: AuditRow, within_seconds: float) -> asyncio.Future[None]:
        """Return a future that is done when the row is durable, of the running loop and `within_seconds` at most.

        It fails as that of `record` does, also when it takes longer. A row whose future is done or cancelled before
        it is sent is not written.
        """
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        if self._left or not self._put(Entry(row, done), self._queue_limit):
            done.set_exception(unwritten())
            return done
        self._rouse()
        while self._waiting and self._waiting[0][1].done():
            self._waiting.popleft()
        self._waiting.append((loop.time() + within_seconds, done))
        if self._timer is None:
            self._timer = loop.call_later(within_seconds, self._give_up_waiting)
        return done

    def _give_up_waiting(self) -> None:
        """Tell those whose rows have taken too long."""
        loop = asyncio.get_running_loop()
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= loop.time()):
            _, done = self._waiting.popleft()
            if not done.done():
                done.set_exception(unwritten())
        self._timer = loop.call_at(self._waiting[0][0], self._give_up_waiting) if self._waiting else None

    def _wake_writer(self) -> None:
        if self._wanted is not None and not self._wanted.done():
            self._wanted.set_result(None)

    async def write(self) -> None:
        """Send what comes in until `leave` is called, and what has come in until then."""
        more = running = True
        while more or (running and not self._left):
            if not more:
                await self._wait_on_loop()
            entries, more, running = self._take()
            if entries is not None:
                self._settle(entries, await fault_of(self._send(rows_of(entries))))

    def leave(self) -> None:
        """Let `write` return; rows that come later are sent by `close`."""
        self._left = True
        self._wake_writer()

    def close(self) -> None:
        """Return when all rows that were taken are written or failed; `write` must have returned."""
        with self._gate:
            self._closed = True
        # A thread, because the caller's may have a loop.
        writer = threading.Thread(target=lambda: asyncio.run(self.write()))
        writer.start()
        writer.join()
        self._end()

    async def _wait_on_loop(self) -> None:
        """Return when somebody waits for a row, the log is left, or it is time for notes or for a probe."""
        if self._woken:
            return
        loop = asyncio.get_running_loop()
        self._wanted = loop.create_future()
        timer = loop.call_later(self._pause_seconds, self._wake_writer)
        try:
            await self._wanted
        finally:
            timer.cancel()
            self._wanted = None


@asynccontextmanager
async def written_here(log: Rows) -> AsyncIterator[None]:
    """Let the running loop write the rows of a log meanwhile, if it is one that a loop writes."""
    if not isinstance(log, LoopAuditLog):
        yield
        return
    writing = asyncio.create_task(log.write())
    try:
        yield
    finally:
        log.leave()
        await writing
