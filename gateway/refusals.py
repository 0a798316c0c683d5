"""Refused requests for files on record, so that no stranger can fill the audit with them."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from gateway.errors import GatewayError
from gateway.model import AuditRow
from gateway.rates import RateLimits
from gateway.records import Records

# Of one address in one minute; what is beyond becomes one row with the count.
MOST_ROWS = 30
WINDOW_SECONDS = 60
# Other processes may be so much behind in counting when a minute is over, and so may the clocks of other nodes.
GRACE_SECONDS = 1.0
WAITING = 1000


@dataclass(frozen=True, slots=True)
class _Due:
    """A row with a count that is to be written once the window is over; `ip` is one address of those that count."""

    window: int
    ip: str


class Refusals:
    """Puts refusals on record in a thread of its own, so that nobody who is refused waits for that.

    Nor can anybody tell by the time that it takes whether there is such a dataset. All processes that count together,
    those of all nodes where they share their limits, share this one. The process that meets the first refusal beyond
    it writes the row with the count of all; where it is killed before, that row is missing. Make it after a fork,
    never before.
    """

    def __init__(
        self,
        records: Records,
        rates: RateLimits,
        note: Callable[[AuditRow], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._records = records
        self._rates = rates
        self._note = note
        self._clock = clock
        self._queue: queue.Queue[AuditRow | None] = queue.Queue(WAITING)
        self._due: list[_Due] = []
        self._thread: threading.Thread | None = None

    def take(self, row: AuditRow) -> None:
        """Take the row of a refusal; it is given up where a thousand others wait, or where its dataset is unknown."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="refusals")
            self._thread.start()
        with suppress(queue.Full):
            self._queue.put_nowait(row)

    def settle(self) -> None:
        """Return when all rows that were taken are noted or given up."""
        self._queue.join()

    def close(self) -> None:
        """Return when all rows that were taken are noted, and what was only counted as well; call it once."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        running = True
        while running:
            with suppress(queue.Empty):
                running = self._next()
            self._tell(self._clock() if running else math.inf)

    def _next(self) -> bool:
        """Return whether more may come, after the next row is dealt with; raises Empty when a count is due first."""
        row = self._queue.get(timeout=self._patience())
        try:
            if row is not None:
                # What cannot be looked up now cannot be written either.
                with suppress(GatewayError, OSError):
                    self._record(row)
        finally:
            self._queue.task_done()
        return row is not None

    def _patience(self) -> float | None:
        if not self._due:
            return None
        return max(0.0, _end(self._due[0].window) - self._clock())

    def _record(self, row: AuditRow) -> None:
        if row.dataset_id is None or row.dataset_id not in self._records.dataset_ids(row.dataset_id):
            return
        window, ip = int(self._clock() // WINDOW_SECONDS), row.ip or ""
        count = self._rates.count("refusal", ip, window, lifetime_seconds=3 * WINDOW_SECONDS)
        if count <= MOST_ROWS:
            self._note(row)
        elif count == MOST_ROWS + 1:
            self._due.append(_Due(window, ip))

    def _tell(self, now: float) -> None:
        """Note the rows with counts whose windows are over."""
        while self._due and _end(self._due[0].window) <= now:
            due = self._due.pop(0)
            with suppress(OSError):
                # One was beyond; a count that began anew in this minute knows of fewer than it.
                count = max(1, self._rates.counted("refusal", due.ip, due.window) - MOST_ROWS)
                detail = {"reason": "More refusals of this address in one minute.", "count": count}
                self._note(AuditRow("download.refused", ip=due.ip, detail=detail))


def _end(window: int) -> float:
    return (window + 1) * WINDOW_SECONDS + GRACE_SECONDS
