"""The way of a worker's rows to the recorder of its machine, and of a recorder's death on to the next one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from gateway.audit.wire import Frames, request_of, require_durable
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow

# Longer than a recorder may wait for a locked database, once for a batch that came before and once for this one.
ANSWER_SECONDS = 4.5
PAUSE_SECONDS = 0.01
CHUNK_BYTES = 1 << 16


class RecorderLink:
    """Appends rows by the recorder that listens at `path`, one batch after another. Make it after a fork.

    A batch whose answer does not come because the recorder has ended is sent to the next one: the rows' own keys keep
    it from being stored twice.
    """

    def __init__(self, path: Path, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._path = str(path)
        self._answer_seconds = answer_seconds
        self._socket: socket.socket | None = None
        # The recorder stays as long as somebody is connected.
        with suppress(OSError):
            self._connect()

    async def append(self, rows: Sequence[AuditRow]) -> None:
        """Return when all rows are durable; without rows, when one could be written.

        Raises RecordsUnavailable when they are not, also when no recorder answers in time, and ValueError for rows
        that can never be stored.
        """
        request = request_of(rows)
        try:
            async with asyncio.timeout(self._answer_seconds):
                answer = await self._answer(request)
        except TimeoutError as error:
            # An answer that comes late must not be taken for that of the next batch.
            self.close()
            raise RecordsUnavailable("The recorder does not answer.") from error
        require_durable(answer)

    async def _answer(self, request: bytes) -> bytes:
        """Return the answer of a recorder, the next one's where one has ended."""
        while True:
            try:
                return await self._ask(request)
            except OSError:
                self.close()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _ask(self, request: bytes) -> bytes:
        loop, link, frames = asyncio.get_running_loop(), self._socket or self._connect(), Frames()
        await loop.sock_sendall(link, request)
        while True:
            chunk = await loop.sock_recv(link, CHUNK_BYTES)
            if not chunk:
                raise ConnectionResetError("the recorder has ended")
            for answer in frames.take(chunk):
                return answer

    def _connect(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Of a full backlog it is told at once, and tries again.
            link.setblocking(False)
            link.connect(self._path)
        except OSError:
            link.close()
            raise
        self._socket = link
        return link

    def close(self) -> None:
        """Close the connection; the next batch opens a new one."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
