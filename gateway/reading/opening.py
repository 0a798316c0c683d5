"""Rasters opened through what is open already: GDAL gets the bytes of this very version, and never a path."""

from __future__ import annotations

import contextvars
import uuid
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import rasterio
from rasterio.abc import MultiByteRangeResourceContainer
from rasterio.io import DatasetReader

from gateway.cog.sourcefile import SourceFile
from gateway.reading.far import FarFile, FarSource
from gateway.storage import OpenObject

T = TypeVar("T")


class _NearFile(SourceFile):
    """A local file for GDAL, read through its descriptor."""

    def __init__(self, source: OpenObject) -> None:
        super().__init__(source)
        self._near = source

    def get_byte_ranges(self, offsets: Sequence[int], sizes: Sequence[int]) -> list[bytes]:
        """Return the bytes at each offset."""
        return [self._near.read_at(at, size) for at, size in zip(offsets, sizes, strict=True)]


class _OneFile(MultiByteRangeResourceContainer):  # type: ignore[misc]
    """What GDAL sees of the world: one file under one name, and no other beside it."""

    def __init__(self, name: str, source: OpenObject | FarSource) -> None:
        self._name, self._source = name, source

    def open(self, path: str, *_: Any, **__: Any) -> SourceFile:
        """Return the file."""
        if not self.isfile(path):
            raise FileNotFoundError(path)
        return FarFile(self._source) if isinstance(self._source, FarSource) else _NearFile(self._source)

    def isfile(self, path: str) -> bool:
        """Return whether that is the file."""
        return path.rpartition("/")[2] == self._name

    def isdir(self, _: str) -> bool:
        """Return False."""
        return False

    def ls(self, _: str) -> list[str]:
        """Return nothing."""
        return []

    def mtime(self, _: str) -> int:
        """Return 0: a version has one time only."""
        return 0

    def rm(self, path: str) -> None:
        """Refuse."""
        raise PermissionError(path)

    def size(self, _: str) -> int:
        """Return the length in bytes."""
        return self._source.size_bytes


class SourceRaster:
    """A raster over an opened source. It may be opened, read and closed by different threads, one at a time.

    rasterio notes open files in a context variable: it cannot close one where it does not find that note, and GDAL
    cannot open the file anew there, as it does under a warped view.
    """

    def __init__(self, source: OpenObject | FarSource, **kwargs: Any) -> None:
        self._context = contextvars.copy_context()
        name = f"{uuid.uuid4()}.tif"
        files = _OneFile(name, source)
        self.raster: DatasetReader = self._context.run(rasterio.open, name, opener=files, **kwargs)

    def run(self, work: Callable[[DatasetReader], T]) -> T:
        """Return what `work` makes of the raster, whatever GDAL does with its file meanwhile."""
        return self._context.run(work, self.raster)

    def close(self) -> None:
        """Close it."""
        self._context.run(self.raster.close)
