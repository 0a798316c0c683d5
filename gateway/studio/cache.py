"""Encoded tiles that are kept, bounded in bytes; what several ask for at once is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

from gateway.errors import Unavailable

# What an entry takes beside its body: key, values, links.
ENTRY_BYTES = 1024


class Picture(Protocol):
    """What has a body."""

    @property
    def body(self) -> bytes:
        """Return the bytes that are sent."""


P = TypeVar("P", bound=Picture)


class TileCache:
    """At most `limit_bytes` of tiles, the longest unused dropped first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._gate = threading.Lock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._making: dict[Hashable, _Making[Any]] = {}
        self.size_bytes = 0

    def get(self, key: Hashable) -> Any:
        """Return a kept tile, of the kind that its key has, or None."""
        with self._gate:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def get_or_make(
        self, key: Hashable, make: Callable[[], Future[P]], lasts: Callable[[P], bool] = lambda _: True
    ) -> Future[P]:
        """Return the future of the kept tile, or of what `make` begins to make; kept is what `lasts` is true of.

        Who asks meanwhile gets the same, or its error. A future that is cancelled is one asker less; when none is
        left, what is made is cancelled. Raises what `make` raises.
        """
        with self._gate:
            making = self._making.get(key)
            if making is not None:
                return making.another()
        if (kept := self.get(key)) is not None:
            done: Future[P] = Future()
            done.set_result(kept)
            return done
        making = _Making(make())
        with self._gate:
            self._making[key] = making
            mine = making.another()
        making.when_done(lambda work: self._made(key, making, work, lasts))
        return mine

    def _made(self, key: Hashable, making: _Making[P], work: Future[P], lasts: Callable[[P], bool]) -> None:
        with self._gate:
            if self._making.get(key) is making:
                del self._making[key]
            if not work.cancelled() and work.exception() is None and lasts(work.result()):
                self._keep(key, work.result())
        making.settle(work)

    def _keep(self, key: Hashable, tile: Picture) -> None:
        weight = _weight(tile)
        if weight > self._limit or key in self._kept:
            return
        self._kept[key] = tile
        self.size_bytes += weight
        while self.size_bytes > self._limit:
            self.size_bytes -= _weight(self._kept.popitem(last=False)[1])


class _Making(Generic[P]):
    """A tile on its way, and who waits for it.

    Futures keep their callbacks, which lead here: once told, it holds none of them, or tiles would hold themselves.
    """

    def __init__(self, work: Future[P]) -> None:
        self._work: Future[P] | None = work
        self._askers: list[Future[P]] = []

    def when_done(self, told: Callable[[Future[P]], None]) -> None:
        """Call `told` with the work when it is finished."""
        if self._work is not None:
            self._work.add_done_callback(told)

    def another(self) -> Future[P]:
        """Return the future of one more who waits."""
        asker: Future[P] = Future()
        self._askers.append(asker)
        asker.add_done_callback(lambda future: self._left() if future.cancelled() else None)
        return asker

    def settle(self, work: Future[P]) -> None:
        """Tell all who wait that the work is finished."""
        askers, self._askers, self._work = self._askers, [], None
        for asker in askers:
            if asker.done() or not asker.set_running_or_notify_cancel():
                continue
            if work.cancelled():
                asker.set_exception(Unavailable("The tile could not be made."))
            elif (error := work.exception()) is not None:
                asker.set_exception(error)
            else:
                asker.set_result(work.result())

    def _left(self) -> None:
        if self._work is not None and all(asker.cancelled() for asker in self._askers):
            self._work.cancel()


def _weight(tile: Picture) -> int:
    return len(tile.body) + ENTRY_BYTES
