"""A process's queue of audit rows and the thread that appends them, all that wait at once."""

from __future__ import annotations

import abc
import asyncio
import logging
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow

LOG = logging.getLogger("gateway.audit")
BATCH_ROWS = 512
# How long a quiet row may wait for company.
NOTE_SECONDS = 0.05


@dataclass(slots=True)
class Entry:
    """A row that waits, and who waits for it."""

    # None only asks whether a row could be written.
    row: AuditRow | None
    # A future of the loop belongs to who settles it: the loop's own writer.
    done: Future[None] | asyncio.Future[None] | None

    def wanted(self) -> bool:
        """Return whether the row is still to be written: one that nobody waits for any more answered nothing."""
        if self.done is None:
            return True
        return self.done.set_running_or_notify_cancel() if isinstance(self.done, Future) else not self.done.done()

    def settle(self, error: BaseException | None) -> None:
        """Tell whoever waits how it went."""
        if self.done is None or (isinstance(self.done, asyncio.Future) and self.done.done()):
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(unwritten(error))


def rows_of(entries: Sequence[Entry]) -> list[AuditRow]:
    """Return the rows of a batch; those who only ask whether one could be written have none."""
    return [entry.row for entry in entries if entry.row is not None]


def unwritten(cause: BaseException | None = None) -> RecordsUnavailable:
    """Return a new error for one row; errors that threads raise must not be shared."""
    error = RecordsUnavailable("The audit cannot be written.")
    error.__cause__ = cause
    return error


async def fault_of(appending: Awaitable[None]) -> Exception | None:
    """Return why a batch was not appended, None where it was."""
    try:
        await appending
    # Whatever went wrong must reach those who wait, and the writer must live on.
    except Exception as caught:  # noqa: BLE001
        return caught
    return None


class Rows(abc.ABC):
    """The rows that wait to be appended in groups, and what becomes of them; who appends them is for the kinds of it.

    `queue_limit` rows may wait; more are refused at once. While the last batch failed, another one, empty where
    nothing waits, is tried every `probe_seconds`, so that `failing` ends without a restart and without a request.
    Make it after a fork, never before.
    """

    def __init__(self, queue_limit: int, probe_seconds: float) -> None:
        self._queue_limit = queue_limit
        self._probe_seconds = probe_seconds
        self._entries: deque[Entry] = deque()
        # Noted rows of batches that failed, oldest first.
        self._kept: deque[Entry] = deque()
        self._gate = threading.Lock()
        self._woken = False
        self._closed = False
        self._failing = False
        self._written_at = -math.inf
        self._dropped = 0
        self._told_dropped = 0

    @property
    def failing(self) -> bool:
        """Return whether the last batch could not be written."""
        return self._failing

    @property
    def dropped(self) -> int:
        """Return how many noted rows were given up: no room for them, or no database before the log was closed."""
        return self._dropped

    def record(self, row: AuditRow) -> Future[None]:
        """Return a future that is done when the row is durable.

        It fails with RecordsUnavailable when the row could not be written, and it does so at once when too
        many rows wait or the log is closed. A row whose future was cancelled in time is not written.
        """
        return self._expect(row)

    def probe(self) -> Future[None]:
        """Return a future that is done when rows can be written: the last batch of a moment ago was, or one is now.

        It fails as that of `record` does. No row is left behind.
        """
        if not self._failing and time.monotonic() - self._written_at < self._probe_seconds:
            done: Future[None] = Future()
            done.set_result(None)
            return done
        return self._expect(None)

    def _expect(self, row: AuditRow | None) -> Future[None]:
        done: Future[None] = Future()
        if not self._put(Entry(row, done), self._queue_limit):
            done.set_exception(unwritten())
        else:
            self._rouse()
        return done

    def note(self, row: AuditRow, *, quietly: bool = False) -> None:
        """Take the row without a promise; it is given up when the queue is half full or the log is closed.

        While the database cannot serve it waits for it, as far as there is room.
        `quietly` lets it wait for the next row that somebody waits for, or for a moment: waking the writer for
        each end of a small transfer would cost more than writing it.
        """
        # Half: a storm of refused requests must leave room for the rows that answers wait for.
        if not self._put(Entry(row, None), self._queue_limit // 2):
            self._give_up(1)
        elif not quietly:
            self._rouse()

    def _rouse(self) -> None:
        if not self._woken:
            self._woken = True
            self._wake_writer()

    @abc.abstractmethod
    def _wake_writer(self) -> None:
        """Let who appends look at what has come in."""

    @abc.abstractmethod
    def close(self) -> None:
        """Return when all rows that were taken are written or failed; further calls do nothing."""

    def _put(self, entry: Entry, limit: int) -> bool:
        # The gate keeps every row before the end that `close` marks.
        with self._gate:
            if self._closed or len(self._entries) + len(self._kept) >= limit:
                return False
            self._entries.append(entry)
            return True

    def _end(self) -> None:
        if self._kept:
            self._give_up(len(self._kept))
            self._kept.clear()

    @property
    def _pause_seconds(self) -> float:
        return self._probe_seconds if self._failing else NOTE_SECONDS

    def _take(self) -> tuple[list[Entry] | None, bool, bool]:
        """Return a batch of what has come in, whether there is more, and whether more may still come.

        The batch is None where nothing is to be written, and empty where a probe is due.
        """
        # The flag first: a row that comes in after the look at the entries wakes the writer again.
        self._woken = False
        with self._gate:
            kept = [self._kept.popleft() for _ in range(min(len(self._kept), BATCH_ROWS // 2))]
            new = [self._entries.popleft() for _ in range(min(len(self._entries), BATCH_ROWS - len(kept)))]
            more, running = bool(self._entries) or (bool(self._kept) and not self._failing), not self._closed
        entries = [entry for entry in kept + new if entry.wanted()]
        probing = self._failing and running and not more
        return entries if entries or probing else None, more, running

    def _settle(self, entries: list[Entry], error: Exception | None) -> None:
        """Tell all who wait for a batch how it went, and keep of one that failed what nobody waits for."""
        if error is None:
            self._written_at = time.monotonic()
        self._tell(error)
        for entry in entries:
            entry.settle(error)
        if error is not None:
            self._keep([entry for entry in entries if entry.done is None], error)

    def _keep(self, noted: list[Entry], error: Exception) -> None:
        """Put rows that nobody waits for back at the front, as many as there is room for; give the others up."""
        # Any other error is one of the rows, which would fail the next batch as well.
        room = 0
        with self._gate:
            if isinstance(error, RecordsUnavailable):
                room = max(0, self._queue_limit // 2 - len(self._kept))
            self._kept.extendleft(reversed(noted[:room]))
        if noted[room:]:
            self._give_up(len(noted[room:]))

    def _give_up(self, count: int) -> None:
        """Count rows that are lost; the first of a fault is logged, and their number when the fault is over."""
        self._dropped += count
        if self._told_dropped == 0:
            LOG.warning("Rows of the audit that no answer waits for are given up.")
            self._told_dropped = self._dropped

    def _tell(self, error: Exception | None) -> None:
        """Log when writing begins to fail and when it works again, not each batch between."""
        if error is not None and not self._failing:
            LOG.error("The audit cannot be written; requests that need it answer 503.", exc_info=error)
        elif error is None and self._failing:
            LOG.warning("The audit can be written again; %d rows were given up so far.", self._dropped)
            self._told_dropped = 0
        self._failing = error is not None


class AuditLog(Rows):
    """Appends audit rows in groups: one thread takes what has come in while the last commit ran.

    `append` stores all rows or none and returns when they are durable.
    """

    def __init__(
        self, append: Callable[[Sequence[AuditRow]], None], *, queue_limit: int = 10_000, probe_seconds: float = 1.0
    ) -> None:
        super().__init__(queue_limit, probe_seconds)
        self._append = append
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._run, name="audit-writer")
        self._writer.start()

    def _wake_writer(self) -> None:
        self._wake.put(None)

    def close(self) -> None:
        """Return when all rows that were taken are written or failed; further calls do nothing."""
        with self._gate:
            self._closed = True
        self._wake.put(None)
        self._writer.join()

    def _run(self) -> None:
        more = running = True
        while running or more:
            if not more:
                self._wait()
            entries, more, running = self._take()
            if entries is not None:
                self._settle(entries, self._write(entries))
        self._end()

    def _wait(self) -> None:
        """Return when somebody waits for a row, the log is closed, or it is time for notes or for a probe."""
        with suppress(queue.Empty):
            self._wake.get(timeout=self._pause_seconds)

    def _write(self, entries: list[Entry]) -> Exception | None:
        try:
            self._append(rows_of(entries))
        # Whatever went wrong must reach those who wait, and the thread must live on.
        except Exception as caught:  # noqa: BLE001
            return caught
        return None
