"""How many files tasks over several datasets may have open at once."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from gateway.errors import Unavailable


class Room:
    """How many files may be under way at once; what needs more waits for its turn."""

    def __init__(self, limit: int, most_waiting: int) -> None:
        self._limit, self._most_waiting = limit, most_waiting
        self._gate = threading.Lock()
        self._inside = 0
        self._waiting: deque[tuple[int, Callable[[], None]]] = deque()

    def enter(self, count: int, begin: Callable[[], None]) -> None:
        """Call `begin` as soon as there is room for so many files; raises Unavailable when too many wait."""
        with self._gate:
            if not self._fits(count):
                if len(self._waiting) >= self._most_waiting:
                    raise Unavailable("The server is busy.", retry_after_seconds=1)
                self._waiting.append((count, begin))
                return
            self._inside += count
        begin()

    def leave(self, count: int) -> None:
        """Give room back, to those that wait."""
        found = []
        with self._gate:
            self._inside -= count
            while self._waiting and self._fits(self._waiting[0][0]):
                more, begin = self._waiting.popleft()
                self._inside += more
                found.append(begin)
        for begin in found:
            begin()

    def _fits(self, count: int) -> bool:
        return not self._inside or self._inside + count <= self._limit
