"""What an issuer says, kept: fetched when it is needed, in a thread of its own, and at most twice a minute.

Strangers must not turn the gateway against its issuer, and what was fetched stays good while the issuer is away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from gateway.pools import BoundedPool
from gateway.reasons import reason_of

T = TypeVar("T")

log = logging.getLogger("gateway")
REFETCH_SECONDS = 30.0


class Refetched(Generic[T]):
    """The last good answer of `fetch`, which raises OSError or ValueError; `what` names it in the log."""

    def __init__(self, what: str, fetch: Callable[[], T], clock: Callable[[], float] = time.monotonic) -> None:
        self.fetch = fetch
        self.value: T | None = None
        self._what = what
        self._clock = clock
        self._gate = threading.Lock()
        self._pool = BoundedPool("issuer", threads=1, queue_limit=1)
        self._asked_at: float | None = None
        self._fetched_at = 0.0
        self._running: Future[None] | None = None

    def refresh(self, *, now: bool = False) -> Future[None] | None:
        """Return the fetch that runs or begins; None when the last one is too near, unless it must be `now`."""
        with self._gate:
            if self._running is None or self._running.done():
                if self.wait_seconds > 0 and not now:
                    return None
                self._asked_at = self._clock()
                self._running = self._pool.submit(self._refetch)
            return self._running

    @property
    def wait_seconds(self) -> float:
        """Return how long nothing is fetched yet."""
        asked = self._asked_at
        return 0.0 if asked is None else max(0.0, asked + REFETCH_SECONDS - self._clock())

    @property
    def age_seconds(self) -> float:
        """Return how old the value is."""
        return self._clock() - self._fetched_at

    def close(self) -> None:
        """End the thread that fetches."""
        self._pool.close()

    def _refetch(self) -> None:
        try:
            self.value = self.fetch()
        except OSError as error:
            log.warning("%s cannot be fetched: %s", self._what, reason_of(error))
        except ValueError as error:
            log.warning("%s cannot be used: %s", self._what, error)
        else:
            self._fetched_at = self._clock()
