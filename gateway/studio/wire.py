"""What travels between a process and its painters: a header, pickled values, and a body as it is.

pickle is used on a socket that a parent has made for its own child, and nowhere else.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from gateway.errors import GatewayError
from gateway.studio.confinement import Confinement
from gateway.studio.tasks import Lane
from gateway.tiles.model import Encoded, TileFormat

if TYPE_CHECKING:
    from gateway.settings import RootSettings

# Number of the task, bytes of its pickle, descriptors that come with it.
TASK = struct.Struct("<QIB")
# Number of the task, kind, bytes of the pickle, bytes of the body, resident memory of the painter in MiB.
ANSWER = struct.Struct("<QBIQI")
BUFFER_BYTES = 1 << 20
READ_BYTES = 256 << 10


class Kind(IntEnum):
    """What an answer is: a painter that is ready, a value, bytes, a picture, an error of ours, or any other one."""

    READY = 0
    VALUE = 1
    BYTES = 2
    PICTURE = 3
    ERROR = 4
    FAILURE = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the task of that number; `value` is as `kind` says."""

    number: int
    kind: Kind
    value: Any
    resident_mb: int


@dataclass(frozen=True, slots=True)
class Setup:
    """What a painter is told before its first task; `far` are the roots in a network that it reads from."""

    parent: int
    threads: Mapping[Lane, int]
    gdal_cache_mb: int
    nice: int
    log_level: str
    confinement: Confinement
    far: Mapping[str, RootSettings]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection that holds a large picture without waiting."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in ends:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    return ends


def task_bytes(number: int, task: object, descriptors: int) -> bytes:
    """Return a task as it travels; so many descriptors go with its first byte."""
    pickled = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
    return TASK.pack(number, len(pickled), descriptors) + pickled


def tasks_from(sock: socket.socket) -> Iterator[tuple[int, Any, list[int]]]:
    """Yield each task that arrives with its number and descriptors, until the other end is closed."""
    while True:
        head, fds, _, _ = socket.recv_fds(sock, TASK.size, 64)
        if not head:
            return
        head += _exactly(sock, TASK.size - len(head))
        number, length, _ = TASK.unpack(head)
        yield number, pickle.loads(_exactly(sock, length)), fds  # noqa: S301 - from our own parent


def answer_parts(number: int, kind: Kind, value: Any, resident_mb: int) -> list[bytes]:
    """Return an answer as it travels: header and pickle, then the body."""
    head, body = value, b""
    if kind is Kind.BYTES:
        head, body = None, value
    elif kind is Kind.PICTURE:
        head, body = (value.format.value, value.way), value.body
    pickled = pickle.dumps(head, pickle.HIGHEST_PROTOCOL)
    return [ANSWER.pack(number, kind, len(pickled), len(body), resident_mb) + pickled, body]


def kind_of(value: object) -> Kind:
    """Return how a result travels."""
    if isinstance(value, Encoded):
        return Kind.PICTURE
    return Kind.BYTES if isinstance(value, bytes) else Kind.VALUE


def kind_of_error(error: BaseException) -> Kind:
    """Return how an error travels: ours whole, any other one as text."""
    return Kind.ERROR if isinstance(error, GatewayError) else Kind.FAILURE


def send_all(sock: socket.socket, parts: Sequence[bytes]) -> None:
    """Send parts one after another, waiting as long as it takes."""
    left = [memoryview(part) for part in parts if part]
    while left:
        sent = sock.sendmsg(left)
        while left and sent >= len(left[0]):
            sent -= len(left.pop(0))
        if left and sent:
            left[0] = left[0][sent:]


class Answers:
    """Answers put together from what a socket brings, without waiting for it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._buffer = bytearray()
        self.closed = False

    def arrived(self) -> Iterator[Answer]:
        """Yield the answers that are whole by now; `closed` is set at the end of the connection."""
        with suppress(BlockingIOError):
            while not self.closed:
                self._read()
                while (answer := self._next()) is not None:
                    yield answer

    def _read(self) -> None:
        try:
            found = self._sock.recv(READ_BYTES)
        except ConnectionError:
            found = b""
        self.closed = not found
        self._buffer += found

    def _next(self) -> Answer | None:
        if len(self._buffer) < ANSWER.size:
            return None
        number, kind, head, body, resident_mb = ANSWER.unpack_from(self._buffer)
        start, end = ANSWER.size + head, ANSWER.size + head + body
        if len(self._buffer) < end:
            return None
        with memoryview(self._buffer) as whole:
            value = _value(Kind(kind), pickle.loads(whole[ANSWER.size : start]), bytes(whole[start:end]))  # noqa: S301
        del self._buffer[:end]
        return Answer(number, Kind(kind), value, resident_mb)


def _value(kind: Kind, head: Any, body: bytes) -> Any:
    if kind is Kind.PICTURE:
        return Encoded(body, TileFormat(head[0]), head[1])
    return body if kind is Kind.BYTES else head


def _exactly(sock: socket.socket, length: int) -> bytes:
    found = bytearray(length)
    with memoryview(found) as left:
        at = 0
        while at < length:
            read = sock.recv_into(left[at:])
            if not read:
                raise EOFError
            at += read
    return bytes(found)
