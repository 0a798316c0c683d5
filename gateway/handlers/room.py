"""Room for answers that wait in memory for their readers, bounded over all connections of a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from gateway.errors import Unavailable

# A bounded number of connections may hold as much of small answers as they like.
SMALL_ANSWER_BYTES = 16 << 10


class Room:
    """What may wait: `limit_bytes` in all.

    `held` returns how many bytes wait written; `relieve` is called where they are too many, and may disconnect those
    who take nothing.
    """

    def __init__(self, limit_bytes: int, held: Callable[[], int], relieve: Callable[[], None]) -> None:
        self._limit_bytes = limit_bytes
        self._held, self._relieve = held, relieve
        # Never less than what waits, counted anew when it reaches the limit; and of that what is not written yet.
        self._at_most, self._unwritten_bytes = 0, 0

    def make(self, length_bytes: int) -> None:
        """Return when a body of that length may wait for its reader; raises Unavailable.

        One that is longer than the limit may wait alone.
        """
        if length_bytes > SMALL_ANSWER_BYTES:
            self._require(length_bytes)
            self._at_most += length_bytes

    def expect(self, most_bytes: int) -> None:
        """Return when a body of at most that length could wait now; raises Unavailable.

        Asked before the work of making one, which would be in vain. It keeps no room: most bodies are far shorter.
        """
        if most_bytes > SMALL_ANSWER_BYTES:
            self._require(most_bytes)

    @contextmanager
    def keep(self, length_bytes: int) -> Iterator[None]:
        """Keep room for a body that waits before it is written, for its row, say; raises what `make` raises."""
        self.make(length_bytes)
        self._unwritten_bytes += length_bytes
        try:
            yield
        finally:
            self._unwritten_bytes -= length_bytes

    def _require(self, length_bytes: int) -> None:
        if self._lacks(length_bytes):
            self._relieve()
            if self._lacks(length_bytes):
                raise Unavailable("Too many answers wait for their readers.", retry_after_seconds=1)

    def _lacks(self, length_bytes: int) -> bool:
        if self._at_most + length_bytes <= self._limit_bytes:
            return False
        self._at_most = self._held() + self._unwritten_bytes
        return self._at_most > 0 and self._at_most + length_bytes > self._limit_bytes
