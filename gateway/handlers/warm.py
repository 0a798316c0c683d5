"""Which datasets were served a moment ago, so that their metadata is in the caches of the kernel."""

from __future__ import annotations

import time

# A thread goes at least this often, so that a disk that hangs is met by a thread and not by the loop.
WARM_SECONDS = 1.0
REMEMBERED = 1024


class Warm:
    """Names that were marked less than a second ago."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}

    def holds(self, name: str) -> bool:
        """Return whether `name` was marked a moment ago."""
        return self._until.get(name, 0.0) > time.monotonic()

    def mark(self, name: str) -> None:
        """Remember `name` for a moment."""
        if len(self._until) >= REMEMBERED:
            self._until.clear()
        self._until[name] = time.monotonic() + WARM_SECONDS
