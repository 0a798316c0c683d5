"""Items on their way to another machine: in place of a storage its name travels, and never its settings."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway.buckets import bucket_storage
from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.sources import BUCKET_SCHEME
from gateway.storage import Placed, Storage, open_storage

Opener = Callable[[str, str], Storage]


def sealed(value: object) -> bytes:
    """Return a value as bytes: storages by name and URI, relative paths as absolute ones of this process."""
    stream = io.BytesIO()
    _Pickler(stream, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return stream.getvalue()


def unsealed(data: bytes, opener: Opener) -> Any:
    """Return the value again; storages are what `opener` returns, or raises, for their name and URI."""
    return _Unpickler(io.BytesIO(data), opener).load()


def storage_at(settings: Settings, name: str, uri: str) -> Storage:
    """Return the storage of that name, opened by the settings of this machine.

    Raises SettingsError where they have no such root, or have it elsewhere, and StorageUnavailable.
    """
    if name != uri:
        root = settings.roots.get(name)
        if root is None:
            raise SettingsError(f"there is no storage root named {name}")
        if root.whole_uri != uri:
            raise SettingsError(f"the root {name} is {root.whole_uri}, and not {uri}")
        return open_storage(name, root, settings.presign_seconds)
    if uri.startswith(BUCKET_SCHEME):
        return bucket_storage(uri.removeprefix(BUCKET_SCHEME), settings.roots)
    return open_storage(name, uri)


class _Pickler(pickle.Pickler):
    def persistent_id(self, obj: object) -> tuple[str, ...] | None:
        """Return what stands for a storage or a relative path; None for all else."""
        if isinstance(obj, Placed):
            return obj.name, obj.uri
        if isinstance(obj, Path) and not obj.is_absolute():
            return (str(obj.absolute()),)
        return None


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: io.BytesIO, opener: Opener) -> None:
        super().__init__(file)
        self._opener = opener

    def persistent_load(self, pid: tuple[str, ...]) -> object:
        """Return what was named."""
        return Path(pid[0]) if len(pid) == 1 else self._opener(*pid)
