"""Bytes of an opened file into a connection: zero-copy, at the client's pace, and never of a changed file."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
from contextlib import suppress

from tornado.iostream import SSLIOStream, StreamClosedError

from gateway.files import FileSource
from gateway.handlers.connections import ClientConnection, Exchange
from gateway.ranges import ByteRange

log = logging.getLogger("gateway")
# What a connection may fail of besides its client's end (connect(2), tcp(7)); all else is the file's.
OF_NETWORKS = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENOTCONN}
UNREADABLE = "the file could not be read"
# One sendfile call moves at most this much before other connections get their turn.
STEP_BYTES = 2 << 20
# What a TLS connection holds of a body in memory, so that many clients who do not read stay affordable.
COPY_BYTES = 128 << 10
# Pages asked for ahead of the transfer, so that a cold file does not stall the loop in sendfile.
AHEAD_BYTES = 8 << 20
# Kept back until all before it has reached the client and the file is known to be unchanged.
TAIL_BYTES = 1 << 16


class Aborted(Exception):
    """The body cannot be sent to its end: the file changed, or the store gave no more of it."""


class FileTransfer:
    """One span of a file on its way. `sent` counts the bytes that the connection has taken."""

    def __init__(self, connection: ClientConnection, exchange: Exchange, source: FileSource, span: ByteRange) -> None:
        self._connection = connection
        self._exchange = exchange
        self._source = source
        self._offset = span.start
        self._stop = span.stop
        self._ahead = span.start
        self.sent = 0

    async def run(self) -> None:
        """Send the whole span after the headers have been flushed.

        Raises Aborted, OSError and StreamClosedError; the connection must be closed then, because a body that is not
        the one promised must not end like a complete one (RFC 9112 section 8).
        """
        try:
            await self._send()
        except OSError as error:
            if not of_file(error):
                raise
            log.warning("a download ends early, because its file cannot be read: %s", error.strerror)
            raise Aborted(UNREADABLE) from error

    async def _send(self) -> None:
        if isinstance(self._exchange.stream, SSLIOStream):
            await self._copy_until(self._stop - TAIL_BYTES)
        else:
            await self._sendfile_until(self._stop - TAIL_BYTES)
        self._must_be_unchanged()
        tail = os.pread(self._source.fd, self._stop - self._offset, self._offset)
        self._must_be_unchanged()
        await self._write(tail)
        if self._offset != self._stop:
            raise Aborted("the file was cut")

    def _must_be_unchanged(self) -> None:
        if not self._source.unchanged():
            raise Aborted("the file changed")

    def _count(self, length_bytes: int) -> None:
        self._offset += length_bytes
        self.sent += length_bytes

    async def _write(self, chunk: bytes) -> None:
        length_bytes = await self._connection.write(self._exchange, chunk)
        self._count(length_bytes)
        if length_bytes != len(chunk):
            raise StreamClosedError

    async def _copy_until(self, stop: int) -> None:
        """Send through memory, a little at a time: TLS has to encrypt the bytes anyway."""
        loop = asyncio.get_running_loop()
        while self._offset < stop:
            length = min(COPY_BYTES, stop - self._offset)
            chunk = await loop.run_in_executor(None, os.pread, self._source.fd, length, self._offset)
            self._must_be_unchanged()
            if not chunk:
                raise Aborted("the file was cut")
            await self._write(chunk)

    async def _sendfile_until(self, stop: int) -> None:
        """Send without copying."""
        if self._offset >= stop:
            return
        with self._connection.descriptor() as socket:
            while self._offset < stop:
                if self._connection.closed:
                    raise StreamClosedError
                self._read_ahead()
                wanted = min(STEP_BYTES, stop - self._offset)
                with suppress(BlockingIOError):
                    length = os.sendfile(socket, self._source.fd, self._offset, wanted)
                    if length == 0:
                        raise Aborted("the file was cut")
                    self._connection.account(self._exchange, length)
                    self._count(length)
                    self._must_be_unchanged()
                    wanted -= length
                # A socket that took less than it was offered is full.
                await (self._connection.writable(socket) if wanted else asyncio.sleep(0))
            await self._connection.delivered(socket)

    def _read_ahead(self) -> None:
        if self._offset + AHEAD_BYTES // 2 > self._ahead:
            os.posix_fadvise(self._source.fd, self._ahead, AHEAD_BYTES, os.POSIX_FADV_WILLNEED)
            self._ahead += AHEAD_BYTES


def of_file(error: OSError) -> bool:
    """Return whether it is the file that failed, and not the connection or its client."""
    return (
        not isinstance(error, ConnectionError | TimeoutError | StreamClosedError) and error.errno not in OF_NETWORKS
    )
