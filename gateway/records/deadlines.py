"""How long a question to the catalogue may take: for more there is a refusal, and the thread is free again."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.errors import TooBroad

# Of a search with all its statements, of a listing with its count, and of what collections come to.
SEARCH_SECONDS, LISTING_SECONDS, COLLECTIONS_SECONDS = 3.0, 5.0, 3.0
# Of the number of matches, which an answer may leave out.
COUNT_SECONDS = 0.5


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

    @contextmanager
    def sooner(self, seconds: float) -> Iterator[None]:
        """Let the moment come in so many seconds, as long as what is within lasts, if it would come later."""
        end = self._end
        self._end = min(end, time.monotonic() + seconds)
        try:
            yield
        finally:
            self._end = end
