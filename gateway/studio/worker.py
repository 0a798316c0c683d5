"""Tasks done where they arrive: the same in a painter and in the process that asks."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gateway.errors import StorageUnavailable, Unavailable
from gateway.files import most_files
from gateway.reading.blockmemory import BlockMemory
from gateway.reading.foreign import Translated, forget_errors
from gateway.reading.handles import Version
from gateway.storage import OpenObject, Storage
from gateway.storage.local import LocalObject
from gateway.studio.tasks import Task
from gateway.studio.works import work_of
from gateway.tiles.engine import TileEngine
from gateway.tiles.loading import load_rio_tiler

# Each keeps a descriptor and some handles of GDAL, about 50 kB; pictures of many files come back to the same ones.
OPEN_RASTERS = 512


class ReceivedFile(LocalObject):
    """A local file that came as a descriptor: it has a name, and no path."""

    def __init__(self, fd: int, name: str) -> None:
        super().__init__(fd)
        self._name = name

    @property
    def gdal_path(self) -> str:
        """Return the file's own name, under which nothing can be opened."""
        return self._name


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may keep: `gdal_cache_mb` of decoded blocks, and how many tasks it does at once."""

    gdal_cache_mb: int = 128
    threads: int = 2


class Worker:
    """Does tasks, several at once in as many threads. `far` are the roots in a network by their names.

    `memory` is for decoded blocks, where other processes have it as well.
    """

    def __init__(self, far: Mapping[str, Storage], limits: Limits, memory: BlockMemory | None = None) -> None:
        self._far = far
        self._received = threading.local()
        cache_bytes = limits.gdal_cache_mb << 20
        self._engine = TileEngine(
            self._opened, handles=most_files(OPEN_RASTERS, 2), cache_bytes=cache_bytes, memory=memory
        )

    def do(self, task: Task[Any], fds: Sequence[int]) -> Any:
        """Return what a task comes to; its descriptors are closed or kept from now on.

        Raises the GatewayError of the work, what errors of libraries come to (`reading/foreign.py`), and the unknown.
        """
        forget_errors()
        with self._holding(task, fds):
            load_rio_tiler()
            with Translated():
                return work_of(task.work)(self._engine, *task.sources, *task.told)

    def warm(self) -> None:
        """Load what the first tile needs and nothing before it."""
        self._engine.warm()

    def close(self) -> None:
        """Close what is open."""
        self._engine.close()

    @contextmanager
    def _holding(self, task: Task[Any], fds: Sequence[int]) -> Iterator[None]:
        near = [source for source in task.sources if not source.remote]
        if len(fds) < len(near):
            # This process has no room for more of them.
            for fd in fds:
                os.close(fd)
            raise Unavailable("The server is busy.", retry_after_seconds=1)
        held = {(source.id, source.version): fd for source, fd in zip(near, fds, strict=True)}
        self._received.held = held
        try:
            yield
        finally:
            for fd in held.values():
                os.close(fd)

    def _opened(self, source: Version) -> OpenObject:
        fd = self._received.held.pop((source.id, source.version), None)
        if fd is not None:
            return ReceivedFile(fd, source.key.rpartition("/")[2])
        try:
            return self._far[source.root].open(source.key)
        except KeyError as error:
            raise StorageUnavailable("The storage of this dataset is not configured.") from error
