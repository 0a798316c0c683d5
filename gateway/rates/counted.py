"""The outcome of a count, of this machine or of all nodes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# Who has asked the nodes waits no longer, whatever holds them up.
PATIENCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True)
class Counted(Generic[T]):
    """A count: `here` returns its outcome on this machine, `by_nodes` is that over all of them, None for this alone.

    A future that takes longer than PATIENCE_SECONDS is not waited for: `here` counts then.
    """

    here: Callable[[], T]
    by_nodes: Future[T] | None = None

    def wait(self) -> T:
        """Return the outcome; for threads."""
        if self.by_nodes is None:
            return self.here()
        try:
            return self.by_nodes.result(PATIENCE_SECONDS)
        except TimeoutError:
            return self.here()
