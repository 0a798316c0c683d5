"""The recorder: one writer of audit rows for all processes of a machine, who reach it over a socket."""

from __future__ import annotations

import logging
import selectors
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.audit.wire import Frames, answer_of, rows_of
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow

LOG = logging.getLogger("gateway.audit")
CHUNK_BYTES = 1 << 18
# After so many rows the batches that are left wait for the next commit.
COMMIT_ROWS = 4096

Append = Callable[[Sequence[AuditRow]], None]


@dataclass(slots=True, eq=False)
class _Writer:
    """A process that is connected."""

    socket: socket.socket
    frames: Frames = field(default_factory=Frames)


@dataclass(frozen=True, slots=True)
class _Batch:
    writer: _Writer
    rows: list[AuditRow]


class Recorder:
    """Takes batches of rows from whoever connects to `listener` and appends all that wait at once.

    `append` stores all rows or none and returns when they are durable; without rows it tries whether it could. A
    batch that was sent twice must be stored once by it. The listener stays open at the end: it belongs to the maker.
    """

    def __init__(self, listener: socket.socket, append: Append) -> None:
        self._listener = listener
        self._append = append
        self._selector = selectors.DefaultSelector()
        self._writers: set[_Writer] = set()
        self._waiting: list[_Batch] = []
        self._stopping = False
        self._failing = False

    def run(self, told: int, look: Callable[[], object], look_seconds: float) -> None:
        """Serve until the descriptor `told` can be read, and then until the last process has closed its connection.

        `look` is called about every `look_seconds`.
        """
        looked = time.monotonic()
        self._listener.setblocking(False)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        self._selector.register(told, selectors.EVENT_READ, lambda: self._stop(told))
        try:
            while not self._stopping or self._writers:
                for key, _ in self._selector.select(look_seconds):
                    key.data()
                while self._waiting:
                    self._commit()
                if time.monotonic() - looked >= look_seconds:
                    look()
                    looked = time.monotonic()
        finally:
            self._selector.close()

    def _stop(self, told: int) -> None:
        self._stopping = True
        self._selector.unregister(told)
        # Whoever has connected before is still served.
        self._accept()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except BlockingIOError:
                return
            accepted.setblocking(False)
            writer = _Writer(accepted)
            self._writers.add(writer)
            self._selector.register(accepted, selectors.EVENT_READ, lambda writer=writer: self._read(writer))

    def _read(self, writer: _Writer) -> None:
        try:
            chunk = writer.socket.recv(CHUNK_BYTES)
        except OSError:
            chunk = b""
        try:
            self._waiting += [_Batch(writer, rows_of(body)) for body in writer.frames.take(chunk)]
        except ValueError as error:
            LOG.error("A process sends what are no rows: %s", error)
            chunk = b""
        if not chunk:
            self._drop(writer)

    def _drop(self, writer: _Writer) -> None:
        self._writers.discard(writer)
        self._selector.unregister(writer.socket)
        writer.socket.close()

    def _commit(self) -> None:
        """Append what waits, up to a size, and tell each process how its batch fared."""
        batches, count = [], 0
        while self._waiting and count < COMMIT_ROWS:
            batches.append(self._waiting.pop(0))
            count += len(batches[-1].rows)
        error = self._write([row for batch in batches for row in batch.rows])
        if error is None or isinstance(error, RecordsUnavailable) or len(batches) == 1:
            self._tell(error)
            for batch in batches:
                self._answer(batch.writer, error)
            return
        # One batch has rows that can never be stored; the others are not to fail with it.
        for batch in batches:
            self._answer(batch.writer, self._write(batch.rows))

    def _write(self, rows: list[AuditRow]) -> Exception | None:
        try:
            self._append(rows)
        # Whatever went wrong must reach those who wait, and the recorder must live on.
        except Exception as caught:  # noqa: BLE001
            return caught
        return None

    def _answer(self, writer: _Writer, error: Exception | None) -> None:
        if writer not in self._writers:
            return
        try:
            writer.socket.send(answer_of(error))
        except OSError:
            self._drop(writer)

    def _tell(self, error: Exception | None) -> None:
        """Log when writing begins to fail and when it works again, not each batch between."""
        if error is not None and not self._failing:
            LOG.error("The recorder cannot write the audit.", exc_info=error)
        elif error is None and self._failing:
            LOG.warning("The recorder can write the audit again.")
        self._failing = error is not None
