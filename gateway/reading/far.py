"""Rasters in a network: their bytes in few requests, kept for a while and bounded, and as files for GDAL."""

from __future__ import annotations

import threading
from bisect import bisect_left, bisect_right, insort
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from gateway.cog.sourcefile import SourceFile
from gateway.errors import GatewayError, StorageUnavailable
from gateway.model import ObjectStat
from gateway.storage.base import RemoteObject

# Fewer bytes take as long.
LEAST_BYTES = 4 << 10
# What lies between two blocks is read with them where that is less work than another request.
GAP_BYTES = 16 << 10
# One request asks for no more: the store answers it soon, or it does not answer at all.
MOST_BYTES = 1 << 20


class Kept:
    """Pieces of several sources, at most `limit_bytes` in all, the longest unused dropped first."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._gate = threading.Lock()
        self._pieces: OrderedDict[tuple[object, int], bytes] = OrderedDict()
        self._starts: dict[object, list[int]] = {}
        self.size_bytes = 0

    def find(self, owner: object, start: int, stop: int) -> bytes | None:
        """Return the bytes from `start` to `stop`, or None where no piece has them all."""
        with self._gate:
            starts = self._starts.get(owner, [])
            at = bisect_right(starts, start) - 1
            if at < 0:
                return None
            piece = self._pieces[owner, starts[at]]
            if stop > starts[at] + len(piece):
                return None
            self._pieces.move_to_end((owner, starts[at]))
            return piece[start - starts[at] : stop - starts[at]]

    def add(self, owner: object, start: int, piece: bytes) -> None:
        """Keep a piece, in place of those that it covers; one that is too large throws nothing out."""
        if len(piece) > self._limit // 4:
            return
        with self._gate:
            starts = self._starts.setdefault(owner, [])
            for old in starts[bisect_left(starts, start) :]:
                if old + len(self._pieces[owner, old]) > start + len(piece):
                    break
                self._drop(owner, old)
            if (owner, start) in self._pieces:
                return
            insort(starts, start)
            self._pieces[owner, start] = piece
            self.size_bytes += len(piece)
            while self.size_bytes > self._limit:
                self._drop(*next(iter(self._pieces)))

    def forget(self, owner: object) -> None:
        """Drop all pieces of a source."""
        with self._gate:
            for start in list(self._starts.get(owner, ())):
                self._drop(owner, start)
            self._starts.pop(owner, None)

    def _drop(self, owner: object, start: int) -> None:
        self.size_bytes -= len(self._pieces.pop((owner, start)))
        self._starts[owner].remove(start)


class FarSource:
    """An object of one version in a network, read through what is kept. After a failure every read fails at once."""

    remote = True

    def __init__(self, opened: RemoteObject, kept: Kept) -> None:
        self._opened = opened
        self._kept = kept
        self.gdal_path = opened.gdal_path
        self.failure: GatewayError | None = None

    @property
    def stat(self) -> ObjectStat:
        """Return what was true of the object when it was opened."""
        return self._opened.stat

    @property
    def size_bytes(self) -> int:
        """Return the length of the object."""
        return self._opened.size_bytes

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return at most `length_bytes` from `offset_bytes` on; shorter only at the end of the object.

        Raises StorageUnavailable, and VersionChanged when the object is another one now.
        """
        return self.read_all([(offset_bytes, offset_bytes + length_bytes)])[0]

    def read_all(self, extents: Sequence[tuple[int, int]]) -> list[bytes]:
        """Return the bytes of each (start, stop), near ones from one request; raises the same."""
        cut = [(start, max(start, min(stop, self.size_bytes))) for start, stop in extents]
        found = {extent: self._kept.find(self, *extent) if extent[0] < extent[1] else b"" for extent in cut}
        for start, stop in _runs(extent for extent, piece in found.items() if piece is None):
            run = self._fetched(start, min(max(stop, start + LEAST_BYTES), self.size_bytes))
            self._kept.add(self, start, run)
            for extent, piece in found.items():
                if piece is None and start <= extent[0] and extent[1] <= stop:
                    found[extent] = run[extent[0] - start : extent[1] - start]
        return [found[extent] or b"" for extent in cut]

    def unchanged(self) -> bool:
        """Return whether every read went well and the object still is the version that was opened."""
        return self.failure is None and self._opened.unchanged()

    def close(self) -> None:
        """Forget what was read."""
        self._kept.forget(self)
        self._opened.close()

    def __enter__(self) -> FarSource:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _fetched(self, start: int, stop: int) -> bytes:
        if self.failure is not None:
            raise self.failure
        try:
            steps = range(start, stop, MOST_BYTES)
            return b"".join(self._part(at, min(MOST_BYTES, stop - at)) for at in steps)
        except GatewayError as error:
            self.failure = error
            raise

    def _part(self, start: int, length: int) -> bytes:
        body = self._opened.body(start, length)
        try:
            parts, left = [], length
            while left and (part := self._opened.next_of(body, left)):
                parts.append(part)
                left -= len(part)
        finally:
            body.close()
        if left:
            raise StorageUnavailable("The storage of this dataset cannot be reached.")
        return b"".join(parts)


def _runs(extents: Any) -> list[tuple[int, int]]:
    """Return the extents put together that lie near each other, as long as that makes no long request."""
    runs: list[tuple[int, int]] = []
    for start, stop in sorted(extents):
        if runs and start <= runs[-1][1] + GAP_BYTES and stop - runs[-1][0] <= MOST_BYTES:
            runs[-1] = runs[-1][0], max(runs[-1][1], stop)
        else:
            runs.append((start, stop))
    return runs


class FarFile(SourceFile):
    """A source as a file for GDAL, which cannot pass errors on: they stay in the `failure` of the source."""

    def __init__(self, source: FarSource) -> None:
        super().__init__(source)
        self._far = source

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Return how many bytes were put into `buffer`, 0 when the source failed."""
        try:
            return super().readinto(buffer)
        except GatewayError:
            return 0

    def get_byte_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Return the bytes at each offset, zeros when the source failed: the reader looks at that afterwards."""
        try:
            return self._far.read_all([(at, at + size) for at, size in zip(offsets, sizes, strict=True)])
        except GatewayError:
            return [bytes(size) for size in sizes]
