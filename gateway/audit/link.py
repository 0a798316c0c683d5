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
        self._frames = Frames()
        # The loop that reads the socket, and the answer to the batch that was sent: None for a recorder's end.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answered: asyncio.Future[bytes | None] | None = None
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
        loop, link = asyncio.get_running_loop(), self._socket or self._connect()
        if self._loop is not loop:
            # For good: to be told anew of every answer would cost more than the answer.
            loop.add_reader(link, self._read, link)
            self._loop = loop
        self._answered = loop.create_future()
        try:
            await self._send(link, request)
            answer = await self._answered
        finally:
            self._answered = None
        if answer is None:
            raise ConnectionResetError("the recorder has ended")
        return answer

    async def _send(self, link: socket.socket, request: bytes) -> None:
        sent = 0
        with suppress(BlockingIOError):
            sent = link.send(request)
        if sent < len(request):
            await asyncio.get_running_loop().sock_sendall(link, request[sent:])

    def _read(self, link: socket.socket) -> None:
        try:
            chunk = link.recv(CHUNK_BYTES)
        except OSError:
            chunk = b""
        if not chunk:
            self.close()
        for answer in self._frames.take(chunk):
            self._tell(answer)

    def _tell(self, answer: bytes | None) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(answer)

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
        if self._socket is None:
            return
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._socket)
        self._socket.close()
        self._socket, self._loop, self._frames = None, None, Frames()
        self._tell(None)
