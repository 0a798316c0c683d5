"""The audit log of a process whose rows a recorder writes: its event loop sends them, without a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from gateway.audit.log import Rows, fault_of, rows_of
from gateway.model import AuditRow


class LoopAuditLog(Rows):
    """An audit log whose writer is the event loop that answers: a thread would compete with it for the interpreter.

    `send` does what `append` of an AuditLog does. Rows wait until `write` runs. Only its loop may call `record`,
    `probe`, and `note` without `quietly`.
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
        self._wanted: asyncio.Event | None = None
        self._left = False

    def _wake_writer(self) -> None:
        if self._wanted is not None:
            self._wanted.set()

    async def write(self) -> None:
        """Send what comes in until `leave` is called, and what has come in until then."""
        self._wanted = asyncio.Event()
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
        assert self._wanted is not None  # noqa: S101 - made by `write`
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pause_seconds):
                await self._wanted.wait()
        self._wanted.clear()


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
