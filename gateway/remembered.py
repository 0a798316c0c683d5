"""A bounded memory of what was found a moment ago."""

from __future__ import annotations

import math
import time
from contextlib import suppress
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """Values by their keys: at most `most`, the oldest given up first, each for at most `seconds`.

    What is out of date is given up when the next value comes, whether somebody asks for it or not.

    Threads may share it: what one of them forgets just now another one finds anew.
    """

    def __init__(self, most: int, seconds: float = math.inf) -> None:
        self._most = most
        self._seconds = seconds
        self._known: dict[K, tuple[float, V]] = {}

    def __len__(self) -> int:
        return len(self._known)

    def __contains__(self, key: K) -> bool:
        """Return whether a value is known by `key`, None among them."""
        return self._known.get(key, (-math.inf, None))[0] > time.monotonic()

    def get(self, key: K) -> V | None:
        """Return what is known by `key`, or None."""
        until, value = self._known.get(key, (-math.inf, None))
        if until > time.monotonic():
            return value
        self._known.pop(key, None)
        return None

    def keep(self, key: K, value: V) -> None:
        """Remember `value`, in place of what was known by `key`."""
        self._known.pop(key, None)
        now = time.monotonic()
        while self._known:
            # Another thread may take it first, or make the iterator stop.
            with suppress(KeyError, RuntimeError, StopIteration):
                oldest = next(iter(self._known))
                if len(self._known) < self._most and self._known[oldest][0] > now:
                    break
                del self._known[oldest]
        self._known[key] = now + self._seconds, value

    def drop(self, key: K) -> None:
        """Forget what is known by `key`."""
        self._known.pop(key, None)

    def clear(self) -> None:
        """Forget everything."""
        self._known.clear()
