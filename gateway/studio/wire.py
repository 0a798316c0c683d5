"""What travels between a process and its painters: a header, values, and a body as it is.

Tasks go to a painter pickled, by its own parent. What comes back is never unpickled: see `results`.
"""

from __future__ import annotations

import pickle
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from gateway.colour.model import Encoded
from gateway.errors import GatewayError
from gateway.studio import results
from gateway.studio.confinement import Confinement
from gateway.studio.tasks import Lane, Task
from gateway.tiles.model import LayerPicture

if TYPE_CHECKING:
    from gateway.settings import RootSettings

# Number of the task, bytes of what it shares with others and of its own, descriptors that come with it.
TASK = struct.Struct("<QIIH")
# What tasks share, the versions and styles of a map, is pickled once on one side and read once on the other.
SHARED_KEPT, SHARED_BYTES = 64, 16 << 10
# Number of the task, kind, bytes of its value, bytes of the body, resident memory of the painter in MiB.
ANSWER = struct.Struct("<QBIQI")
BUFFER_BYTES = 1 << 20
# As many as one message carries (SCM_MAX_FD of the kernel); more of a task follow it, each time with one byte.
MOST_DESCRIPTORS, SEVERAL = 253, 2
READ_BYTES = 1 << 20
# More than any answer has; a painter that announces more is not waited for.
MOST_VALUE_BYTES, MOST_BODY_BYTES = 64 << 20, 512 << 20


class Kind(IntEnum):
    """What an answer is: a painter that is ready, a value, bytes, a picture, a layer, or an error, ours or not."""

    READY = 0
    VALUE = 1
    BYTES = 2
    PICTURE = 3
    ERROR = 4
    FAILURE = 5
    LAYER = 6


KINDS = frozenset(Kind)


class Garbled(Exception):
    """What came is no answer of a painter."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the task of that number; `value` is as `kind` says."""

    kind: Kind
    value: Any
    resident_mb: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """What came for the task of that number, before it is read."""

    number: int
    kind: Kind
    head: bytes
    body: bytes
    resident_mb: int

    def read(self, work: str) -> Answer:
        """Return it as the answer to a task of that work; raises Garbled."""
        try:
            return Answer(self.kind, self._value(work), self.resident_mb)
        except ValueError as error:
            raise Garbled(str(error)) from None

    def _value(self, work: str) -> Any:
        if self.kind is Kind.READY:
            return results.texts_of(self.head)
        if self.kind is Kind.ERROR:
            return results.error_of(self.head)
        if self.kind is Kind.FAILURE:
            return results.text_of(self.head)
        if self.kind is Kind.BYTES:
            return self.body
        if self.kind in (Kind.PICTURE, Kind.LAYER):
            picture = results.picture_of(self.head, self.body)
            return picture if self.kind is Kind.LAYER else picture.encoded
        return results.value_of(work, self.head)


@dataclass(frozen=True, slots=True)
class Setup:
    """What a painter is told before its first task.

    `far` are the roots in a network that it reads from, `environment` is what it needs for them.
    """

    threads: Mapping[Lane, int]
    gdal_cache_mb: int
    nice: int
    log_level: str
    confinement: Confinement
    far: Mapping[str, RootSettings]
    environment: Mapping[str, str]


def pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection that holds a large picture without waiting."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in ends:
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            end.setsockopt(socket.SOL_SOCKET, option, BUFFER_BYTES)
    return ends


def task_bytes(number: int, task: Task[Any] | Setup, descriptors: int) -> bytes:
    """Return a task as it travels; so many descriptors go with its first byte.

    What a task is told first is mostly its own, as the address of a tile is; of several datasets all is.
    """
    own: Any = task
    shared = b""
    if isinstance(task, Task) and len(task.sources) < SEVERAL:
        shared, own = _shared_bytes(replace(task, told=task.told[1:])), task.told[:1]
    packed = pickle.dumps(own, pickle.HIGHEST_PROTOCOL)
    return TASK.pack(number, len(shared), len(packed), descriptors) + shared + packed


def tasks_from(sock: socket.socket) -> Iterator[tuple[int, Any, list[int]]]:
    """Yield each task that arrives with its number and descriptors, until the other end is closed."""
    while True:
        head, fds, _, _ = socket.recv_fds(sock, TASK.size, MOST_DESCRIPTORS)
        if not head:
            return
        head += _exactly(sock, TASK.size - len(head))
        number, length, own_length, count = TASK.unpack(head)
        found = _exactly(sock, length + own_length)
        for _ in range(MOST_DESCRIPTORS, count, MOST_DESCRIPTORS):
            fds += socket.recv_fds(sock, 1, MOST_DESCRIPTORS)[1]
        own = pickle.loads(memoryview(found)[length:])  # noqa: S301 - from our own parent
        if length:
            own = replace(shared := _shared(found[:length]), told=own + shared.told)
        yield number, own, fds


def _shared_bytes(shared: Task[Any]) -> bytes:
    """Return a task without what is its own as it travels."""
    try:
        # Documents of many layers have no source.
        return _pickled(shared) if shared.sources else _pickled.__wrapped__(shared)
    except TypeError:
        # Some are told what has no hash.
        return _pickled.__wrapped__(shared)


def _shared(found: bytes) -> Task[Any]:
    """Return a task without what is its own; a long one, as of a document, is not kept."""
    return _read_shared(found) if len(found) <= SHARED_BYTES else _read_shared.__wrapped__(found)


@lru_cache(SHARED_KEPT)
def _pickled(shared: Task[Any]) -> bytes:
    return pickle.dumps(shared, pickle.HIGHEST_PROTOCOL)


@lru_cache(SHARED_KEPT)
def _read_shared(found: bytes) -> Task[Any]:
    task: Task[Any] = pickle.loads(found)  # noqa: S301 - from our own parent
    return task


def answer_parts(number: int, kind: Kind, value: Any, resident_mb: int) -> list[bytes]:
    """Return an answer as it travels: header and value, then the body.

    Raises TypeError, ValueError or OverflowError for a value that cannot travel.
    """
    head, body = value, b""
    if kind is Kind.BYTES:
        head, body = None, value
    elif kind in (Kind.PICTURE, Kind.LAYER):
        head, body = results.head_of(value), value.body
    packed = results.packed_error(head) if kind is Kind.ERROR else results.packed(head)
    if len(packed) > MOST_VALUE_BYTES or len(body) > MOST_BODY_BYTES:
        raise ValueError("an answer that is too long")
    return [ANSWER.pack(number, kind, len(packed), len(body), resident_mb) + packed, body]


def kind_of(value: object) -> Kind:
    """Return how a result travels."""
    if isinstance(value, Encoded):
        return Kind.PICTURE
    if isinstance(value, LayerPicture):
        return Kind.LAYER
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
    """Answers put together from what a socket brings, without waiting for it.

    Head, value and body are each read for themselves: what the kernel has whole is copied once.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._parts: list[bytes] = []
        self._missing = ANSWER.size
        self._whole: list[bytes] = []
        self._head: tuple[int, Kind, int, int, int] | None = None
        self.closed = False

    def arrived(self) -> Iterator[Arrived]:
        """Yield the answers that are whole by now; `closed` is set at the end of the connection.

        Raises Garbled for what is no answer.
        """
        with suppress(BlockingIOError):
            # Who takes an answer may close the socket, after the last one of a painter that is to end.
            while self._sock.fileno() >= 0 and self._read():
                if (answer := self._next()) is not None:
                    yield answer

    def _read(self) -> bool:
        """Return whether what is read now is there whole; raises BlockingIOError where it is not yet."""
        while self._missing:
            try:
                found = self._sock.recv(min(self._missing, READ_BYTES))
            except ConnectionError:
                found = b""
            if not found:
                self.closed = True
                return False
            self._parts.append(found)
            self._missing -= len(found)
        return True

    def _next(self) -> Arrived | None:
        """Take what is there whole: a head, a value or a body; returns the answer after the last of them."""
        found = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts = []
        if self._head is None:
            self._head = _head_of(found)
            self._missing = self._head[2]
            return None
        self._whole.append(found)
        if len(self._whole) == 1:
            self._missing = self._head[3]
            return None
        (number, kind, _, _, resident_mb), (value, body) = self._head, self._whole
        self._head, self._whole, self._missing = None, [], ANSWER.size
        return Arrived(number, kind, value, body, resident_mb)


def _head_of(found: bytes) -> tuple[int, Kind, int, int, int]:
    """Return number, kind, bytes of value and body, and memory of an answer; raises Garbled."""
    number, kind, value, body, resident_mb = ANSWER.unpack(found)
    if kind not in KINDS or value > MOST_VALUE_BYTES or body > MOST_BODY_BYTES:
        raise Garbled("a header that none has")
    return number, Kind(kind), value, body, resident_mb


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
