"""The connections of clients: all that touches Tornado's inside, and one watch over what clients take.

Whatever answer is on its way, a picture, an error or a file, with TLS or without: a client that acknowledges nothing
of it for too long is disconnected, and the bytes that wait for their readers are bounded.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from tornado.iostream import IOStream, SSLIOStream, StreamClosedError, UnsatisfiableReadError

from gateway.errors import GatewayError, HeadTooLarge, MalformedRequest
from gateway.handlers.halfclose import HalfClosed, unread_bytes
from gateway.handlers.inputend import InputEnd
from gateway.handlers.room import SMALL_ANSWER_BYTES, Room

# What Tornado writes for a request that is no HTTP.
BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"
NO_HTTP = "The request is malformed or too large (RFC 9112)."
# Who has taken nothing for so long must go when there is no room for the answers of others, looked at so often.
STALL_IN_NEED_SECONDS, RELIEF_SECONDS = 5.0, 1.0
# tcp_info of linux/tcp.h: tcpi_bytes_acked, unsigned 64 bits.
BYTES_ACKED = struct.Struct("=120xQ")
POLL_SECONDS = (0.001, 0.05)
# Closed with unsent bytes, the kernel drops them and resets (socket(7), SO_LINGER).
DROP = struct.pack("ii", 1, 0)


class Exchange(Protocol):
    """The part of Tornado's HTTP1Connection, one request and its answer, that a transfer needs."""

    stream: IOStream
    _expected_content_remaining: int | None

    def write(self, chunk: bytes | memoryview) -> Any:
        """Write a part of the body and count it."""


class Connections:
    """The open connections of one server.

    A client that acknowledges nothing of an answer for `stall_seconds` is disconnected. `unread_limit_bytes` of
    answers may wait for their readers. `refusal` returns the whole answer to what could not be parsed.
    """

    def __init__(
        self, stall_seconds: float, unread_limit_bytes: int, refusal: Callable[[GatewayError], bytes]
    ) -> None:
        self.stall_seconds = stall_seconds
        self.half_closed = HalfClosed()
        self.refusal = refusal
        self.room = Room(unread_limit_bytes, lambda: self.held_bytes, self._relieve)
        self._relieved_at = 0.0
        self._open: dict[IOStream, ClientConnection] = {}
        self._timer: asyncio.TimerHandle | None = None

    def adopt(self, stream: IOStream) -> None:
        """Take charge of a new connection."""
        self._open[stream] = ClientConnection(stream, self)
        if self._timer is None:
            self._look()

    def of(self, stream: IOStream) -> ClientConnection:
        """Return the connection of a stream, also of one that has been closed."""
        return self._open.get(stream) or ClientConnection(stream, self, watched=False)

    def gone(self, stream: IOStream) -> None:
        """Forget a connection."""
        self._open.pop(stream, None)

    @property
    def held_bytes(self) -> int:
        """Return how much memory is held by answers that wait for their readers."""
        return sum(connection.held_bytes for connection in self._open.values())

    def _relieve(self) -> None:
        """Disconnect those who hold much and have taken nothing for a while, though longer is allowed otherwise."""
        now = time.monotonic()
        if now < self._relieved_at + RELIEF_SECONDS:
            return
        self._relieved_at = now
        for connection in list(self._open.values()):
            if connection.held_bytes > SMALL_ANSWER_BYTES:
                connection.look(now, min(self.stall_seconds, STALL_IN_NEED_SECONDS))

    def _look(self) -> None:
        """Look at every connection now and then, as long as there are any."""
        for connection in list(self._open.values()):
            connection.look(time.monotonic(), self.stall_seconds)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.stall_seconds / 8, self._look) if self._open else None


def _as_it_is(value: bool) -> None:
    """Leave an option of a socket as it is."""


class ClientConnection:
    """One connection: how it is closed, a descriptor for a transfer, and how much its client has taken.

    It stands where Tornado's stream writes and closes its socket, whoever asks for that.
    """

    input_end: InputEnd

    def __init__(self, stream: IOStream, connections: Connections, *, watched: bool = True) -> None:
        self.stream = stream
        # Whether it was closed because its client took nothing.
        self.stalled = False
        self._refused = False
        self._connections = connections
        self._transferring = False
        self._writable: asyncio.Future[None] | None = None
        self._acknowledged_bytes, self._since = 0, 0.0
        if watched:
            # Each answer leaves at once. Tornado would ask the kernel for that anew at the end of every one.
            stream.set_nodelay(True)
            stream.set_nodelay = _as_it_is  # type: ignore[method-assign]
            self.input_end = InputEnd(stream)
            self._close_fd, self._write = stream.close_fd, stream.write
            stream.close_fd, stream.write = self._close, self._write_or_refuse  # type: ignore[method-assign]

    @property
    def room(self) -> Room:
        """Return the room for answers of the whole server."""
        return self._connections.room

    @property
    def closed(self) -> bool:
        """Return whether the connection has ended."""
        return self.stream.closed()

    @property
    def unread_bytes(self) -> int:
        """Return how many bytes wait in memory for the kernel to take them; 0 of a closed connection."""
        waiting: Any = self.stream._write_buffer
        return len(waiting) if waiting is not None else 0

    @property
    def held_bytes(self) -> int:
        """Return how much memory what waits takes: a body stays whole until the last of it has left."""
        waiting: Any = self.stream._write_buffer
        return sum(len(part) for _, part in waiting._buffers) if waiting else 0

    def taken(self, before: int, body_bytes: int) -> int:
        """Return how many bytes of a body the kernel has taken; it is the last of what was written since `before`.

        `before` is what `written_bytes` was. The connection may have been closed, also before anything was written.
        """
        return 0 if self.written_bytes == before else max(0, body_bytes - self.unwritten_bytes)

    @property
    def written_bytes(self) -> int:
        """Return how many bytes have been written so far, taken by the kernel or not."""
        written: int = self.stream._total_write_index
        return written

    @property
    def unwritten_bytes(self) -> int:
        """Return how many bytes of what was written the kernel has not taken, also of a closed connection."""
        done: int = self.stream._total_write_done_index
        return self.written_bytes - done

    def look(self, now: float, stall_seconds: float) -> None:
        """Disconnect a client that has acknowledged nothing for so long until `now`, though there is something."""
        if not self._transferring and self.unread_bytes == 0 and queued_bytes(self.stream.socket.fileno()) == 0:
            self._since = 0.0
            return
        acknowledged_bytes = acknowledged(self.stream.socket)
        if not self._since or acknowledged_bytes != self._acknowledged_bytes:
            self._acknowledged_bytes, self._since = acknowledged_bytes, now
        elif now - self._since >= stall_seconds:
            self.stalled = True
            self.stream.close()

    @contextmanager
    def descriptor(self) -> Iterator[int]:
        """Yield a duplicate of the socket for a transfer behind Tornado's back; raises StreamClosedError.

        The stream's own registration with the loop stays untouched, and the number cannot be given to another
        connection while somebody waits on it.
        """
        if self.closed:
            raise StreamClosedError
        duplicate = os.dup(self.stream.socket.fileno())
        self._transferring = True
        try:
            yield duplicate
        finally:
            self._transferring = False
            os.close(duplicate)

    async def writable(self, descriptor: int) -> None:
        """Return when the socket takes more; raises StreamClosedError when the connection ends."""
        loop = asyncio.get_running_loop()
        self._writable = loop.create_future()
        loop.add_writer(descriptor, _wake, self._writable)
        try:
            await self._writable
        finally:
            loop.remove_writer(descriptor)
            self._writable = None

    async def delivered(self, descriptor: int) -> None:
        """Return when the client's kernel has everything sent so far; raises StreamClosedError.

        sendfile queues pages of the file itself: an edit would still change them before they leave. Only when the
        queue is empty does an unchanged version prove that the right bytes went out.
        """
        pause = POLL_SECONDS[0]
        while queued_bytes(descriptor) > 0:
            if self.closed:
                raise StreamClosedError
            await asyncio.sleep(pause)
            pause = min(2 * pause, POLL_SECONDS[1])

    async def write(self, exchange: Exchange, chunk: bytes) -> int:
        """Return how many bytes of a part of a body the kernel has taken: all, unless the connection has ended."""
        before = self.written_bytes
        await exchange.write(chunk)
        return self.taken(before, len(chunk))

    def account(self, exchange: Exchange, length_bytes: int) -> None:
        """Tell Tornado what left behind its back; else it would close the connection for a short body."""
        if exchange._expected_content_remaining is not None:
            exchange._expected_content_remaining -= length_bytes

    def _write_or_refuse(self, data: bytes | memoryview) -> asyncio.Future[None]:
        """Write, and give Tornado's refusal of what is no HTTP the form that all errors have."""
        if data == BARE_REFUSAL:
            self._refused = True
            data = self._connections.refusal(MalformedRequest(NO_HTTP))
        return self._write(data)

    def _close(self) -> None:
        """Close the socket in the way that fits, and let who waits for the connection know."""
        stream = self.stream
        self._connections.gone(stream)
        # Else stream and connection would hold each other until a collection finds them.
        del stream.close_fd, stream.write
        self.input_end.release()
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(StreamClosedError())
        if isinstance(stream.error, UnsatisfiableReadError):
            self._refuse_head()
        if self.stalled:
            with suppress(OSError):
                stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DROP)
        elif isinstance(stream, SSLIOStream):
            # The closure alert (RFC 9112 section 9.8); the client's own is not waited for.
            with suppress(OSError, ValueError):
                stream.socket.unwrap()
        elif self._answered_early():
            # As Tornado's own close_fd leaves it.
            left, stream.socket = stream.socket, None  # type: ignore[assignment]
            self._connections.half_closed.add(left)
            return
        self._close_fd()

    def _answered_early(self) -> bool:
        """Return whether the client may still be sending what nobody will read."""
        return self._refused or (self.stream.error is None and unread_bytes(self.stream.socket) > 0)

    def _refuse_head(self) -> None:
        """Answer a head, or the length of a chunk, that does not end."""
        self._refused = True
        head = self.stream._read_regex is not None
        error = HeadTooLarge("The request's head is too large.") if head else MalformedRequest(NO_HTTP)
        with suppress(OSError):
            self.stream.socket.send(self._connections.refusal(error))


def acknowledged(connection: socket.socket) -> int:
    """Return how many bytes the peer has acknowledged (RFC 4898 tcpEStatsAppHCThruOctetsAcked)."""
    facts = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, BYTES_ACKED.size)
    (acknowledged_bytes,) = BYTES_ACKED.unpack(facts)
    return int(acknowledged_bytes)


def queued_bytes(descriptor: int) -> int:
    """Return how many bytes the peer has not acknowledged (tcp(7), SIOCOUTQ, the same number as TIOCOUTQ)."""
    answer: bytes = fcntl.ioctl(descriptor, termios.TIOCOUTQ, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])


def _wake(waiting: asyncio.Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
