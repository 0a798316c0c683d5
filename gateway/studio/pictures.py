"""What handlers ask for pictures: those that lie ready at once, all others of the studio."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TypeVar

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.errors import GatewayError, StorageUnavailable, VersionChanged
from gateway.files import FileSource, most_files
from gateway.ground.address import TileAddress
from gateway.model import Dataset
from gateway.storage import Storage
from gateway.studio import tasks
from gateway.studio.base import Studio
from gateway.studio.cache import TileCache
from gateway.studio.tasks import Source, Task, source_of
from gateway.tiles.stored import StoredTiles, plain

T = TypeVar("T")

# Open files of datasets, each with what is known of its stored blocks; and one part of so many of all open files.
OPEN_FILES, PART = 512, 8


class _Known:
    """An opened local file of one version, and its stored blocks that are tiles, by tile matrix set."""

    def __init__(self, file: FileSource) -> None:
        self.file = file
        self.stored: dict[str, StoredTiles | None] = {}


class Pictures:
    """Tiles that lie ready, and the way to all other pictures. Futures are settled by the studio's threads."""

    def __init__(self, studio: Studio, storages: Mapping[str, Storage], cache_bytes: int) -> None:
        self.studio = studio
        self._storages = storages
        self.cache = TileCache(cache_bytes)
        self._most_files = most_files(OPEN_FILES, PART)
        self._gate = threading.Lock()
        self._known: OrderedDict[tuple[str, str], _Known] = OrderedDict()

    @property
    def cached_bytes(self) -> int:
        """Return how much memory the kept tiles take."""
        return self.cache.size_bytes

    def ready(
        self, dataset: Dataset, address: TileAddress, style: Style, format: TileFormat | None
    ) -> Encoded | None:
        """Return a tile that is kept or lies in an open local file as it is, else None: nothing is waited for."""
        kept: Encoded | None = self.cache.get((dataset.id, dataset.version, address, style, format))
        return self.stored(dataset, address, style, format) if kept is None else kept

    def stored(
        self, dataset: Dataset, address: TileAddress, style: Style, format: TileFormat | None
    ) -> Encoded | None:
        """Return the block of an open local file that is a tile as it is, else None: nothing is waited for."""
        if not plain(style):
            return None
        known = self._known.get((dataset.id, dataset.version))
        stored = known.stored.get(address.tms) if known is not None else None
        if known is None or stored is None or not stored.answers(address, style, format):
            return None
        try:
            tile = stored.tile(known.file.read_cached, address)
            # Looked at afterwards: what was read then is of this version.
            return tile if known.file.unchanged() else None
        except OSError:
            # A disk would have to be waited for, or another thread has just closed the file as the longest unused.
            return None

    def tile(
        self, dataset: Dataset, address: TileAddress, style: Style, format: TileFormat | None
    ) -> Future[Encoded]:
        """Return the future of a tile, which several may wait for; raises what `submit` raises."""
        key = dataset.id, dataset.version, address, style, format
        made = self.cache.get_or_make(
            key, lambda: self.submit(dataset, lambda source: tasks.tile(source, address, style, format))
        )
        if plain(style):
            made.add_done_callback(lambda tile: self._drawn(dataset, address.tms, tile))
        return made

    def submit(self, dataset: Dataset, make: Callable[[Source], Task[T]]) -> Future[T]:
        """Return the future of a task over a dataset; a local one has been opened before.

        Raises Unavailable when too many tasks wait, VersionChanged when the file is another one now, and
        StorageUnavailable for a root that is not configured.
        """
        remote = self.remote(dataset)
        source = source_of(dataset, remote=remote)
        return self.studio.submit(make(source), () if remote else (self._file(dataset),))

    def ask(self, task: Task[T]) -> Future[T]:
        """Return the future of a task that needs no dataset; raises Unavailable when too many tasks wait."""
        return self.studio.submit(task)

    def holds(self, dataset: Dataset) -> bool:
        """Return whether `submit` finds all that it needs open."""
        return (dataset.id, dataset.version) in self._known or self.remote(dataset)

    def remote(self, dataset: Dataset) -> bool:
        """Return whether a dataset lies in a network; raises StorageUnavailable for a root that is not configured."""
        return self._storage(dataset).remote

    def borrowed(self, dataset: Dataset) -> FileSource | None:
        """Return the file of a local dataset, for the caller to close; None where it is not open.

        Raises VersionChanged when the file is another one now.
        """
        key = dataset.id, dataset.version
        with self._gate:
            known = self._known.get(key)
            if known is None:
                return None
            if known.file.unchanged():
                self._known.move_to_end(key)
                return FileSource(os.dup(known.file.fd))
            del self._known[key]
            known.file.close()
        raise VersionChanged("The file has changed just now.")

    def open(self, dataset: Dataset) -> None:
        """Open the file of a dataset, in this very version; raises what storages raise, and VersionChanged."""
        opened: object = self._storage(dataset).open(dataset.key)
        if not isinstance(opened, FileSource):
            return
        if opened.version != dataset.version:
            opened.close()
            raise VersionChanged("The file has changed just now.")
        key = dataset.id, dataset.version
        with self._gate:
            surplus = [opened] if key in self._known else []
            self._known.setdefault(key, _Known(opened))
            self._known.move_to_end(key)
            surplus += [self._known.popitem(last=False)[1].file for _ in range(len(self._known) - self._most_files)]
            # Not later: whoever borrows one has the number of an open file.
            for file in surplus:
                file.close()

    def close(self) -> None:
        """Close all files."""
        with self._gate:
            for known in self._known.values():
                known.file.close()
            self._known.clear()

    def _storage(self, dataset: Dataset) -> Storage:
        try:
            return self._storages[dataset.root]
        except KeyError:
            raise StorageUnavailable("The storage of this dataset is not configured.") from None

    def _file(self, dataset: Dataset) -> FileSource:
        with self._gate:
            known = self._known.get((dataset.id, dataset.version))
            if known is not None and known.file.unchanged():
                self._known.move_to_end((dataset.id, dataset.version))
                return known.file
            self._known.pop((dataset.id, dataset.version), None)
        if known is not None:
            known.file.close()
        raise VersionChanged("The file has changed just now.")

    def _drawn(self, dataset: Dataset, tms: str, tile: Future[Encoded]) -> None:
        if not tile.cancelled() and tile.exception() is None:
            self.learn(dataset, tms)

    def learn(self, dataset: Dataset, tms: str) -> None:
        """Ask once which stored blocks of a local file are tiles; until that is known tiles come from the studio."""
        known = self._known.get((dataset.id, dataset.version))
        if known is None or tms in known.stored:
            return
        known.stored[tms] = None

        def learned(found: Future[StoredTiles | None]) -> None:
            if not found.cancelled() and found.exception() is None:
                known.stored[tms] = found.result()
            else:
                known.stored.pop(tms, None)

        try:
            self.submit(dataset, lambda source: tasks.stored(source, tms)).add_done_callback(learned)
        except GatewayError:
            # Too much waits, or the file is another one by now: the next tile asks again.
            known.stored.pop(tms, None)
