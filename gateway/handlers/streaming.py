"""Bytes of an opened file into a connection: zero-copy, at the client's pace, and never of a changed file."""

from __future__ import annotations

import asyncio
import fcntl
import os
import struct
import termios
from contextlib import suppress
from typing import Any, Protocol

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from gateway.files import FileSource
from gateway.ranges import ByteRange

# One sendfile call moves at most this much before other connections get their turn.
STEP_BYTES = 2 << 20
# What a TLS connection holds of a body in memory, so that many clients who do not read stay affordable.
COPY_BYTES = 128 << 10
# Pages asked for ahead of the transfer, so that a cold file does not stall the loop in sendfile.
AHEAD_BYTES = 8 << 20
# Kept back until all before it has reached the client and the file is known to be unchanged.
TAIL_BYTES = 1 << 16
POLL_SECONDS = (0.001, 0.05)


class Aborted(Exception):
    """The transfer ended early: the client went away or stalled, or the file changed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Connection(Protocol):
    """The part of Tornado's HTTP1Connection that a transfer needs; the underscore name is pinned by a test."""

    stream: IOStream
    _expected_content_remaining: int | None

    def write(self, chunk: bytes | memoryview) -> Any:
        """Write a part of the body and count it."""


class Transfer:
    """One body on its way. `sent` counts the bytes that the connection has taken."""

    def __init__(self, connection: Connection, source: FileSource, span: ByteRange, stall_seconds: float) -> None:
        self._connection = connection
        self._source = source
        self._stall_seconds = stall_seconds
        self._offset = span.start
        self._stop = span.stop
        self._ahead = span.start
        self._waiting: asyncio.Future[None] | None = None
        self._watchdog: asyncio.TimerHandle | None = None
        self.sent = 0

    async def run(self) -> None:
        """Send the whole span after the headers have been flushed.

        Raises Aborted, and then the connection is closed: a body that is not the one promised must not end
        like a complete one (RFC 9112 section 8).
        """
        self._watch(0, asyncio.get_running_loop().time())
        try:
            if isinstance(self._connection.stream, SSLIOStream):
                await self._copy_until(self._stop - TAIL_BYTES)
            else:
                await self._sendfile_until(self._stop - TAIL_BYTES)
            self._must_be_unchanged()
            tail = os.pread(self._source.fd, self._stop - self._offset, self._offset)
            self._must_be_unchanged()
            await self._write(tail)
            if self._offset != self._stop:
                raise Aborted("the file was cut")
        except (OSError, StreamClosedError, TimeoutError) as error:
            self._connection.stream.close()
            reason = "the client took no more" if isinstance(error, TimeoutError) else "the client left"
            raise Aborted(reason) from error
        except Aborted:
            self._connection.stream.close()
            raise
        finally:
            if self._watchdog is not None:
                self._watchdog.cancel()

    def _must_be_unchanged(self) -> None:
        if not self._source.unchanged():
            raise Aborted("the file changed")

    def _count(self, length_bytes: int) -> None:
        if length_bytes == 0:
            raise Aborted("the file was cut")
        self._offset += length_bytes
        self.sent += length_bytes

    async def _write(self, chunk: bytes) -> None:
        await asyncio.wait_for(self._connection.write(chunk), self._stall_seconds)
        self._count(len(chunk))

    async def _copy_until(self, stop: int) -> None:
        """Send through memory, a little at a time: TLS has to encrypt the bytes anyway."""
        loop = asyncio.get_running_loop()
        while self._offset < stop:
            length = min(COPY_BYTES, stop - self._offset)
            chunk = await loop.run_in_executor(None, os.pread, self._source.fd, length, self._offset)
            self._must_be_unchanged()
            await self._write(chunk)

    async def _sendfile_until(self, stop: int) -> None:
        """Send without copying.

        The socket is duplicated: IOStream's own registration stays untouched, and its number cannot be given
        to another connection while we wait on it.
        """
        if self._offset >= stop:
            return
        if self._connection.stream.closed():
            raise StreamClosedError
        socket = os.dup(self._connection.stream.socket.fileno())
        try:
            while self._offset < stop:
                if self._connection.stream.closed():
                    raise StreamClosedError
                self._read_ahead()
                wanted = min(STEP_BYTES, stop - self._offset)
                with suppress(BlockingIOError):
                    length = os.sendfile(socket, self._source.fd, self._offset, wanted)
                    self._account(length)
                    self._must_be_unchanged()
                    wanted -= length
                # A socket that took less than it was offered is full.
                await (self._writable(socket) if wanted else asyncio.sleep(0))
            await self._delivered(socket)
        finally:
            os.close(socket)

    def _account(self, length_bytes: int) -> None:
        """Tell Tornado what left behind its back; else it would close the connection for a short body."""
        self._count(length_bytes)
        remaining = self._connection._expected_content_remaining
        if remaining is not None:
            self._connection._expected_content_remaining = remaining - length_bytes

    def _read_ahead(self) -> None:
        if self._offset + AHEAD_BYTES // 2 > self._ahead:
            os.posix_fadvise(self._source.fd, self._ahead, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
            self._ahead += AHEAD_BYTES

    async def _writable(self, socket: int) -> None:
        """Return when the socket takes more; raises TimeoutError when it takes nothing for too long."""
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        loop.add_writer(socket, _wake, self._waiting)
        try:
            await self._waiting
        finally:
            loop.remove_writer(socket)

    def _watch(self, seen: int, since: float) -> None:
        """Look now and then whether the client takes anything; one timer for a whole transfer, not one a wait."""
        loop = asyncio.get_running_loop()
        if self.sent != seen:
            seen, since = self.sent, loop.time()
        elif loop.time() - since >= self._stall_seconds and self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(TimeoutError())
        self._watchdog = loop.call_later(self._stall_seconds / 8, self._watch, seen, since)

    async def _delivered(self, socket: int) -> None:
        """Return when the client's kernel has everything sent so far.

        sendfile queues pages of the file itself: an edit would still change them before they leave. Only
        when the queue is empty does an unchanged version prove that the right bytes went out.
        """
        pause, left, since = POLL_SECONDS[0], -1, asyncio.get_running_loop().time()
        while (queued := _queued_bytes(socket)) > 0:
            if self._connection.stream.closed():
                raise StreamClosedError
            now = asyncio.get_running_loop().time()
            if queued != left:
                left, since = queued, now
            elif now - since > self._stall_seconds:
                raise TimeoutError
            await asyncio.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS[1])


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)


def _queued_bytes(socket: int) -> int:
    """Return how many bytes the peer has not acknowledged (tcp(7), SIOCOUTQ, the same number as TIOCOUTQ)."""
    answer: bytes = fcntl.ioctl(socket, termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])
