"""Open rasters that are kept: opened once per version, shared under a lock, the longest unused closed first."""

from __future__ import annotations

import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import Any, Protocol, TypeVar, cast

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioIOError
from rasterio.io import DatasetReader

from gateway.cog.layout import Layout, read_layout
from gateway.cog.raster import strict_options
from gateway.errors import GatewayError, VersionChanged
from gateway.model import RasterFacts
from gateway.reading.blockmemory import BlockMemory, key_of
from gateway.reading.blocks import DecodedBlocks
from gateway.reading.far import FarSource, Kept
from gateway.reading.foreign import meaning
from gateway.reading.opening import SourceRaster
from gateway.reading.view import View, view_of
from gateway.storage import OpenObject
from gateway.storage.base import RemoteObject

T = TypeVar("T")

# Of files in a network; GDAL keeps what it decoded of them for longer.
KEPT_BYTES = 32 << 20
BLOCKS_BYTES = 64 << 20
# Of small copies of whole rasters, which many blocks in a row are not to push out.
COPIES_BYTES = 48 << 20
# Of so many versions GDAL's own rasters stay open: each keeps the last block that it decoded, of megabytes maybe.
MOST_RASTERS = 64
# Rasters of one version that wait for their next lone user.
IDLE_RASTERS = 2


class Version(Protocol):
    """What names the bytes of a dataset, and what was found when they were judged."""

    @property
    def id(self) -> str:
        """Return the id of the dataset."""

    @property
    def version(self) -> str:
        """Return the judged version."""

    @property
    def root(self) -> str:
        """Return the name of the storage root."""

    @property
    def key(self) -> str:
        """Return the name of the object below the root."""

    @property
    def raster(self) -> RasterFacts | None:
        """Return what was found in it."""


# Opens the object of a dataset; raises ObjectMissing and StorageUnavailable.
Opener = Callable[[Version], OpenObject]


class Handle:
    """One version of one dataset, opened. Whoever reads pixels holds `lock`: GDAL's handles are for one at a time."""

    def __init__(
        self, source: OpenObject, key: tuple[str, str], blocks: DecodedBlocks, copies: DecodedBlocks
    ) -> None:
        self.source = source
        self.blocks, self.copies = blocks, copies
        self._key = key
        self.lock = threading.RLock()
        self.users = 0
        self.dropped = False
        self._levels: dict[int, SourceRaster] = {}
        self._idle: list[SourceRaster] = []
        self._facts: dict[Hashable, Any] = {}

    @property
    def failure(self) -> GatewayError | None:
        """Return why the source can be read no more, None as long as it can and for a local file."""
        return self.source.failure if isinstance(self.source, FarSource) else None

    @property
    def lost(self) -> bool:
        """Return whether the source can be read no more, or is a local file that has changed."""
        return self.failure is not None or not (self.source.remote or self.source.unchanged())

    @cached_property
    def layout(self) -> Layout:
        """Return the structure of the file, read once."""
        with self.lock:
            return read_layout(self.source)

    @cached_property
    def view(self) -> View:
        """Return the facts of the raster, read once."""
        with self.lock:
            return view_of(self.level(0), tuple(ifd.size for ifd in self.layout.levels))

    def level(self, index: int) -> DatasetReader:
        """Return the dataset of one level, 0 being the full image; `lock` is held by the caller."""
        if index not in self._levels:
            self._levels[index] = self._open({"overview_level": index - 1} if index else {})
        return self._levels[index].raster

    def key_of(self, *what: str | int) -> bytes:
        """Return the key of a decoded block, the same wherever this version is open."""
        return key_of(*self._key, *what)

    def lend(self, work: Callable[[DatasetReader], T]) -> T:
        """Return what `work` makes of the full image as a dataset of its own, for as long as it takes.

        Nobody waits for its end, as those do who wait for `lock`.
        """
        try:
            lone = self._idle.pop()
        except IndexError:
            lone = self._open({})
        try:
            return lone.run(work)
        finally:
            if len(self._idle) < IDLE_RASTERS and not self.dropped:
                self._idle.append(lone)
            else:
                lone.close()

    def once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return what `make` returned when it was first asked for under that key; only then the lock is taken."""
        if key not in self._facts:
            with self.lock:
                if key not in self._facts:
                    self._facts[key] = make()
        found: T = self._facts[key]
        return found

    @property
    def has_rasters(self) -> bool:
        """Return whether GDAL has something of it open."""
        return bool(self._levels or self._idle)

    def close_rasters(self) -> None:
        """Close what GDAL has open, until it is needed again; what is known of the file stays."""
        with self.lock:
            open_ones = [*self._levels.values(), *self._taken_idle()]
            self._levels.clear()
            for raster in open_ones:
                raster.close()

    def _taken_idle(self) -> Iterator[SourceRaster]:
        # Others take from it without the lock.
        with suppress(IndexError):
            while True:
                yield self._idle.pop()

    def close(self) -> None:
        """Close all levels and the source."""
        self.close_rasters()
        self.source.close()

    def _open(self, kwargs: dict[str, Any]) -> SourceRaster:
        with warnings.catch_warnings(), rasterio.Env(**strict_options(self.source.gdal_path)):
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            # First the directories in one read: GDAL takes them in many small ones.
            if self.source.remote:
                _ = self.layout
            return SourceRaster(self.source, driver="GTiff", sharing=False, **kwargs)


class HandlePool:
    """At most `limit` open rasters, each kept until it is the longest unused or its file has changed.

    `memory` is where decoded blocks of all of them are kept, beside those that GDAL keeps.
    """

    def __init__(self, opener: Opener, limit: int, memory: BlockMemory | None = None) -> None:
        self._opener = opener
        self._limit = limit
        self._blocks = DecodedBlocks(memory or BlockMemory(BLOCKS_BYTES))
        self._copies = DecodedBlocks(BlockMemory(COPIES_BYTES))
        self._gate = threading.Lock()
        self._kept: OrderedDict[tuple[str, str], Handle] = OrderedDict()
        self._bytes = Kept(KEPT_BYTES)
        # In the order of their last use.
        self._rasters: OrderedDict[Handle, None] = OrderedDict()

    @contextmanager
    def use(self, dataset: Version) -> Iterator[Handle]:
        """Yield the handle of this very version.

        Raises VersionChanged when the file is another one, StorageUnavailable ObjectMissing, and what errors of GDAL
        mean: CannotBeDrawn for a block that it cannot read.
        """
        handle = self._taken(dataset)
        try:
            if not (handle.source.remote or handle.source.unchanged()):
                raise VersionChanged("The file has changed just now.")
            yield handle
            if handle.failure is not None:
                raise handle.failure
        except (RasterioIOError, CPLE_BaseError) as error:
            self._drop(dataset, handle)
            if (cause := _cause(handle) or meaning(error)) is not None:
                raise cause from error
            raise
        except GatewayError:
            if handle.lost:
                self._drop(dataset, handle)
            raise
        finally:
            self._released(handle)

    def close(self) -> None:
        """Close all handles; those in use are closed by their last user."""
        with self._gate:
            handles = list(self._kept.values())
            self._kept.clear()
        self._forget(handles)

    def _taken(self, dataset: Version) -> Handle:
        key = dataset.id, dataset.version
        with self._gate:
            handle = self._kept.get(key)
            if handle is not None:
                self._kept.move_to_end(key)
                handle.users += 1
                return handle
        opened = Handle(self._opened(dataset), key, self._blocks, self._copies)
        with self._gate:
            handle = self._kept.setdefault(key, opened)
            handle.users += 1
            surplus = [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - self._limit)]
        self._forget(surplus if handle is opened else [*surplus, opened])
        return handle

    def _opened(self, dataset: Version) -> OpenObject:
        source = self._opener(dataset)
        if source.stat.version != dataset.version:
            source.close()
            raise VersionChanged("The file has changed just now.")
        return FarSource(cast(RemoteObject, source), self._bytes) if source.remote else source

    def _drop(self, dataset: Version, handle: Handle) -> None:
        with self._gate:
            if self._kept.get((dataset.id, dataset.version)) is handle:
                del self._kept[dataset.id, dataset.version]
        self._forget([handle])

    def _forget(self, handles: list[Handle]) -> None:
        with self._gate:
            for handle in handles:
                handle.dropped = True
            idle = [handle for handle in handles if not handle.users]
        for handle in idle:
            handle.close()

    def _released(self, handle: Handle) -> None:
        with self._gate:
            handle.users -= 1
            last = handle.dropped and not handle.users
            self._rasters.pop(handle, None)
            if handle.has_rasters and not last:
                self._rasters[handle] = None
            surplus = list(self._rasters)[: max(0, len(self._rasters) - MOST_RASTERS)]
            resting = [each for each in surplus if not each.users]
            for each in resting:
                del self._rasters[each]
        for each in resting:
            each.close_rasters()
        if last:
            handle.close()


def _cause(handle: Handle) -> GatewayError | None:
    """Return why GDAL could not read, where it is not the file: a store that does not answer, or another version."""
    if handle.failure is not None:
        return handle.failure
    return None if handle.source.unchanged() else VersionChanged("The file has changed just now.")
