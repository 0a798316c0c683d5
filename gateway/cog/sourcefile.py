"""A byte source as a Python file, or copied into one: for GDAL to read what has no path."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

from gateway.files import FileSource
from gateway.model import ByteSource

COPY_BYTES = 4 << 20


class SourceFile(io.RawIOBase):
    """The bytes of a source, read where they are asked for. Closing it leaves the source open."""

    def __init__(self, source: ByteSource) -> None:
        super().__init__()
        self._source = source
        self._offset = 0

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Return the new position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._offset, os.SEEK_END: self._source.size_bytes}[whence]
        self._offset = start + offset
        return self._offset

    def tell(self) -> int:
        """Return the position."""
        return self._offset

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Return how many bytes were put into `buffer`; raises the OSError of the source."""
        found = self._source.read_at(self._offset, len(buffer))
        buffer[: len(found)] = found
        self._offset += len(found)
        return len(found)


@contextmanager
def local_copy(source: ByteSource) -> Iterator[FileSource]:
    """Yield a copy of the source in a temporary file without a name. Raises the OSError of either."""
    with tempfile.TemporaryFile() as file:
        offset = 0
        while piece := source.read_at(offset, COPY_BYTES):
            file.write(piece)
            offset += len(piece)
        file.flush()
        with FileSource(os.dup(file.fileno())) as copy:
            yield copy
