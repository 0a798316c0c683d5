"""A circuit breaker: a store that does not answer is left alone for a while."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from gateway.errors import StorageUnavailable

FAILURES = 3
REST_SECONDS = 3.0


class Breaker:
    """Counts failures in a row; after some of them every call is refused until one, after a rest, succeeds.

    `total` is how many calls have failed so far.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._gate = threading.Lock()
        self._failures = 0
        self.total = 0
        self._closed_until = 0.0

    @property
    def resting(self) -> bool:
        """Return whether the store is left alone just now."""
        with self._gate:
            return self._failures >= FAILURES and self._clock() < self._closed_until

    def check(self) -> None:
        """Return when a call may be tried; raises StorageUnavailable with the seconds to wait."""
        with self._gate:
            left = self._closed_until - self._clock()
            if left > 0:
                raise StorageUnavailable("The storage cannot be reached.", retry_after_seconds=1 + int(left))
            if self._failures >= FAILURES:
                # This caller tries; the others wait for what becomes of it.
                self._closed_until = self._clock() + REST_SECONDS

    def succeeded(self) -> None:
        """Take note of a call that was answered."""
        with self._gate:
            self._failures, self._closed_until = 0, 0.0

    def failed(self) -> None:
        """Take note of a call that was not answered."""
        with self._gate:
            self._failures += 1
            self.total += 1
            if self._failures >= FAILURES:
                self._closed_until = self._clock() + REST_SECONDS
