"""Encoded tiles that are kept, bounded in bytes; what several ask for at once is made once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from gateway.errors import GatewayError, Unavailable
from gateway.tiles.model import Encoded

# What an entry takes beside its body: key, values, links.
ENTRY_BYTES = 1024


class TileCache:
    """At most `limit_bytes` of tiles, the longest unused dropped first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._gate = threading.Lock()
        self._kept: OrderedDict[Hashable, Encoded] = OrderedDict()
        self._making: dict[Hashable, Future[Encoded]] = {}
        self.size_bytes = 0

    def get(self, key: Hashable) -> Encoded | None:
        """Return a kept tile, or None."""
        with self._gate:
            found = self._kept.get(key)
            if found is not None:
                self._kept.move_to_end(key)
            return found

    def get_or_make(self, key: Hashable, make: Callable[[], Encoded]) -> Encoded:
        """Return the kept tile, or what `make` returns; who asks meanwhile waits and gets the same, or its error."""
        with self._gate:
            if (found := self._kept.get(key)) is not None:
                self._kept.move_to_end(key)
                return found
            future = self._making.get(key)
            mine = future is None
            if future is None:
                future = self._making[key] = Future()
        return self._made(key, make, future) if mine else future.result()

    def _made(self, key: Hashable, make: Callable[[], Encoded], future: Future[Encoded]) -> Encoded:
        try:
            tile = make()
            with self._gate:
                self._keep(key, tile)
            future.set_result(tile)
        except GatewayError as error:
            future.set_exception(error)
            raise
        finally:
            with self._gate:
                del self._making[key]
            if not future.done():
                future.set_exception(Unavailable("The tile could not be made."))
        return tile

    def _keep(self, key: Hashable, tile: Encoded) -> None:
        weight = _weight(tile)
        if weight > self._limit:
            return
        self._kept[key] = tile
        self.size_bytes += weight
        while self.size_bytes > self._limit:
            self.size_bytes -= _weight(self._kept.popitem(last=False)[1])


def _weight(tile: Encoded) -> int:
    return len(tile.body) + ENTRY_BYTES
