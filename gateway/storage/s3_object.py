"""One object in S3, read in pinned ranges; what was read is kept for a while, because headers are read twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError

from gateway.errors import GatewayError, StorageUnavailable, VersionChanged
from gateway.model import ObjectStat

# The directories of an ordinary COG; GDAL reads them again after the structural check.
KEPT_BYTES = 8 << 20


class S3Object:
    """An object of one version: every read fails that would be of another one.

    `requests` and `bytes_read` count what was asked of the store after the HEAD.
    """

    remote = True

    def __init__(
        self, name: str, stat: ObjectStat, read: Callable[[int, int], Any], look: Callable[[], ObjectStat]
    ) -> None:
        self.gdal_path = name
        self.stat = stat
        self.requests = 0
        self.bytes_read = 0
        self._read = read
        self._look = look
        self._kept: list[tuple[int, bytes]] = []
        self._failed = False

    @property
    def size_bytes(self) -> int:
        """Return the length of the object."""
        return self.stat.size_bytes

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return at most `length_bytes` from `offset_bytes` on; shorter only at the end of the object.

        Raises StorageUnavailable, and VersionChanged when the object is another one now.
        """
        stop = min(offset_bytes + length_bytes, self.size_bytes)
        if stop <= offset_bytes:
            return b""
        for start, kept in self._kept:
            if start <= offset_bytes and stop <= start + len(kept):
                return kept[offset_bytes - start : stop - start]
        try:
            found = self._fetch(offset_bytes, stop - offset_bytes)
        except GatewayError:
            self._failed = True
            raise
        self._keep(offset_bytes, found)
        return found

    def body(self, offset_bytes: int, length_bytes: int) -> Any:
        """Return a body whose `read(n)` gives the bytes one after another, of one request, and its `close`."""
        self.requests += 1
        return self._read(offset_bytes, length_bytes)

    def next_of(self, body: Any, length_bytes: int) -> bytes:
        """Return the next bytes of a body, and nothing at its end or when the store broke it off."""
        try:
            found: bytes = body.read(length_bytes)
        except BotoCoreError:
            return b""
        self.bytes_read += len(found)
        return found

    def unchanged(self) -> bool:
        """Return whether every read went well and the object still is the version that was opened.

        A read that failed counts, because GDAL takes it for a fault of the file and tells nobody.
        """
        try:
            return not self._failed and self._look().version == self.stat.version
        except GatewayError:
            return False

    def close(self) -> None:
        """Forget what was read."""
        self._kept.clear()

    def __enter__(self) -> S3Object:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _fetch(self, offset_bytes: int, length_bytes: int) -> bytes:
        body = self.body(offset_bytes, length_bytes)
        try:
            found: bytes = body.read()
        except BotoCoreError as error:
            raise StorageUnavailable("The storage of this dataset cannot be reached.") from error
        finally:
            body.close()
        self.bytes_read += len(found)
        if len(found) != length_bytes:
            raise VersionChanged("The object has changed just now.")
        return found

    def _keep(self, offset_bytes: int, found: bytes) -> None:
        if sum(len(kept) for _, kept in self._kept) + len(found) <= KEPT_BYTES:
            self._kept.append((offset_bytes, found))
