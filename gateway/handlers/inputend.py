"""Clients that end their side of a connection and still wait for an answer (`nc -N`, shutdown(2) with SHUT_WR).

Their end of input looks like that of a client that has left; only what is sent to one that has left comes back as a
reset. So nobody is cut off for it while an answer is on its way, and where that takes long the client is asked.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

# RFC 9110 section 15.2: clients of HTTP/1.1 take it before any answer.
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
LOOK_SECONDS = (0.02, 1.0)
# First byte of tcp_info, and its value once a reset has come (linux/tcp.h, TCP_CLOSE).
STATE_BYTES, RESET = 1, 7


class InputEnd:
    """The end of what a client sends on one connection; it stands where Tornado's stream reads."""

    def __init__(self, stream: IOStream) -> None:
        self._stream = stream
        self._seen = self._silent = False
        if isinstance(stream.socket, ssl.SSLSocket):
            # Without a closure alert (RFC 8446 section 6.1) it is no end, and OpenSSL writes nothing any more.
            stream.socket.suppress_ragged_eofs = False  # type: ignore[attr-defined]
        self._read_from_fd, self._handle_events = stream.read_from_fd, stream._handle_events
        stream.read_from_fd = self._read  # type: ignore[method-assign,assignment]
        stream._handle_events = self._handle  # type: ignore[method-assign,assignment]

    def release(self) -> None:
        """Leave the stream, which has been closed: else both would hold each other."""
        del self._stream.read_from_fd, self._stream._handle_events

    @contextmanager
    def answer_later(self, version: str) -> Iterator[None]:
        """Ask a client that ends its side whether it is there, while nothing of the answer has been written.

        One that has left is noticed by that, and its connection closed.
        """
        self._silent = version == "HTTP/1.1"
        if self._seen:
            self._ask()
        try:
            yield
        finally:
            self._silent = False

    def _read(self, buffer: bytearray | memoryview) -> int | None:
        """Read; the end of input ends the connection only where more is waited for."""
        try:
            count: int | None = self._read_from_fd(buffer)
        except ssl.SSLEOFError:
            return 0
        if count != 0 or self._stream.reading():
            return count
        if not self._seen:
            self._seen = True
            self._ask()
            self._look(LOOK_SECONDS[0])
        return None

    def _handle(self, fd: int, events: int) -> None:
        """Handle events; that there is an end of input would be told again and again."""
        stream = self._stream
        self._handle_events(fd, events)
        if self._seen and not stream.closed() and not stream.reading() and (stream._state or 0) & IOLoop.READ:
            stream._state = (stream._state or 0) & ~IOLoop.READ
            stream.io_loop.update_handler(stream.fileno(), stream._state)

    def _ask(self) -> None:
        if self._silent:
            self._silent = False
            self._stream.write(INTERIM)

    def _look(self, seconds: float) -> None:
        """Close the connection when it has been reset, which nobody else is told of who does not read."""
        if self._stream.closed():
            return
        if self._stream.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, STATE_BYTES)[0] == RESET:
            self._stream.close()
            return
        asyncio.get_running_loop().call_later(seconds, self._look, min(2 * seconds, LOOK_SECONDS[1]))
