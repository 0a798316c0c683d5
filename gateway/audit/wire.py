"""What a process and its recorder say to each other over a stream socket: a length, then that many bytes.

A request holds the rows of one batch in MessagePack, its answer nothing or the reason why they are not durable. What
comes from a worker is read by what can make rows and run nothing: a worker in a stranger's hands is not to have the
recorder as well. The socket lies in a folder that no other user may enter.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, get_type_hints

import msgspec

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow

LENGTH = struct.Struct("<I")
DURABLE = b""
# More than the rows that may wait in a process take.
MOST_BYTES = 256 << 20
_names = tuple(field.name for field in fields(AuditRow))
_values = attrgetter(*_names)
_types = get_type_hints(AuditRow, localns={"Mapping": dict})
_rows: msgspec.msgpack.Decoder[list[tuple[Any, ...]]] = msgspec.msgpack.Decoder(
    list[tuple[tuple(_types[name] for name in _names)]]  # type: ignore[misc]
)


def framed(body: bytes) -> bytes:
    """Return the body behind its length."""
    return LENGTH.pack(len(body)) + body


def request_of(rows: Sequence[AuditRow]) -> bytes:
    """Return the frame that asks for these rows to be written; raises ValueError for rows that can never be."""
    try:
        return framed(msgspec.msgpack.encode([_values(row) for row in rows]))
    except (TypeError, OverflowError) as error:
        raise ValueError(f"a row that cannot be stored: {error}") from error


def rows_of(body: bytes) -> list[AuditRow]:
    """Return the rows of a request's body; raises ValueError for what is none."""
    try:
        return [AuditRow(*values) for values in _rows.decode(body)]
    except (msgspec.MsgspecError, RecursionError) as error:
        raise ValueError(str(error)) from error


def answer_of(error: Exception | None) -> bytes:
    """Return the frame that says how the rows of a request fared."""
    if error is None:
        return framed(DURABLE)
    kind = "U" if isinstance(error, RecordsUnavailable) else "R"
    return framed(f"{kind}{error}"[:500].encode("utf-8", "replace"))


def require_durable(body: bytes) -> None:
    """Return if the answer says that the rows are durable.

    Raises RecordsUnavailable when the database could not take them, ValueError when it is the rows that are unfit.
    """
    if body == DURABLE:
        return
    reason = body[1:].decode("utf-8", "replace")
    raise RecordsUnavailable(reason) if body[:1] == b"U" else ValueError(reason)


class Frames:
    """Takes the bytes of a stream as they come and gives back the bodies that are whole."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def take(self, chunk: bytes) -> list[bytes]:
        """Return the bodies that this chunk has completed, in order; raises ValueError for one that is too long."""
        self._bytes += chunk
        bodies, at = [], 0
        while len(self._bytes) - at >= LENGTH.size:
            (length,) = LENGTH.unpack_from(self._bytes, at)
            if length > MOST_BYTES:
                raise ValueError("a message that is too long")
            end = at + LENGTH.size + length
            if end > len(self._bytes):
                break
            bodies.append(bytes(self._bytes[at + LENGTH.size : end]))
            at = end
        del self._bytes[:at]
        return bodies
