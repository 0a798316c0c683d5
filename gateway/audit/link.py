"""The way of a worker's rows to the recorder of its machine, and of a recorder's death on to the next one."""

from __future__ import annotations

import socket
import time
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
    """Appends rows by the recorder that listens at `path`; for one thread at a time. Make it after a fork.

    A batch whose answer does not come because the recorder has ended is sent to the next one: the rows' own keys keep
    it from being stored twice.
    """

    def __init__(self, path: Path, *, answer_seconds: float = ANSWER_SECONDS) -> None:
        self._path = str(path)
        self._answer_seconds = answer_seconds
        self._socket: socket.socket | None = None
        # The recorder stays as long as somebody is connected.
        with suppress(OSError):
            self._connect(time.monotonic() + answer_seconds)

    def append(self, rows: Sequence[AuditRow]) -> None:
        """Return when all rows are durable; without rows, when one could be written.

        Raises RecordsUnavailable when they are not, also when no recorder answers in time, and ValueError for rows
        that can never be stored.
        """
        request, until = request_of(rows), time.monotonic() + self._answer_seconds
        while True:
            try:
                answer = self._ask(request, until)
                break
            except OSError as error:
                # An answer that comes late must not be taken for that of the next batch.
                self.close()
                if isinstance(error, TimeoutError) or time.monotonic() >= until:
                    raise RecordsUnavailable("The recorder does not answer.") from error
            time.sleep(PAUSE_SECONDS)
        require_durable(answer)

    def _ask(self, request: bytes, until: float) -> bytes:
        link, frames = self._socket or self._connect(until), Frames()
        link.settimeout(_left(until))
        link.sendall(request)
        while True:
            link.settimeout(_left(until))
            chunk = link.recv(CHUNK_BYTES)
            if not chunk:
                raise ConnectionResetError("the recorder has ended")
            for answer in frames.take(chunk):
                return answer

    def _connect(self, until: float) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            link.settimeout(_left(until))
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


def _left(until: float) -> float:
    """Return the seconds that are left; raises TimeoutError when there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("no answer in time")
    return left
