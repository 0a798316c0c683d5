"""How long a question to the catalogue may take: for more there is a refusal, and the thread is free again."""

from __future__ import annotations

import time

from gateway.errors import TooBroad

# Of a search with all its statements, of a listing with its count, and of what collections come to.
SEARCH_SECONDS, LISTING_SECONDS, COLLECTIONS_SECONDS = 3.0, 5.0, 3.0


class Deadline:
    """A moment so many seconds from now."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Return whether the moment has come."""
        return time.monotonic() > self._end

    def check(self) -> None:
        """Return before the moment; raises TooBroad from then on."""
        if self.passed:
            raise TooBroad
