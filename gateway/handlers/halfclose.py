"""Connections that end while their client still sends: the last answer must not be lost to a reset.

close(2) on a socket with unread bytes resets the connection, and the peer may drop what it has not read yet
(RFC 9112 section 9.6). So the write side is closed first, and what comes is thrown away for a moment.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import termios

HALF_CLOSED_SECONDS = 2.0
DISCARD_BYTES = 1 << 16


class HalfClosed:
    """The sockets of one loop that are closed for writing and wait for their clients to stop sending."""

    def __init__(self) -> None:
        self._sockets: dict[socket.socket, asyncio.TimerHandle] = {}

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, left: socket.socket) -> None:
        """Close a socket for writing, and altogether when its client has stopped sending or a moment has passed."""
        loop = asyncio.get_running_loop()
        self._sockets[left] = loop.call_later(HALF_CLOSED_SECONDS, self._end, left)
        loop.add_reader(left.fileno(), self._discard, left)
        try:
            left.shutdown(socket.SHUT_WR)
        except OSError:
            self._end(left)

    def _discard(self, left: socket.socket) -> None:
        try:
            while left.recv(DISCARD_BYTES):
                pass
        except BlockingIOError:
            return
        except OSError:
            pass
        self._end(left)

    def _end(self, left: socket.socket) -> None:
        if (timer := self._sockets.pop(left, None)) is not None:
            timer.cancel()
            asyncio.get_running_loop().remove_reader(left.fileno())
            left.close()


def unread_bytes(connection: socket.socket) -> int:
    """Return how many bytes the client has sent that nobody has read (tcp(7), SIOCINQ, the same as FIONREAD)."""
    answer: bytes = fcntl.ioctl(connection, termios.FIONREAD, b"\0\0\0\0")
    return int(struct.unpack("i", answer)[0])
