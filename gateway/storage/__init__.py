"""Where rasters lie. One file per kind of storage, one line here for each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.storage.base import OpenObject, Placed, Redirect, RemoteObject, RequestIds, Storage, Stream
from gateway.storage.local import LocalStorage

if TYPE_CHECKING:
    from gateway.settings import RootSettings

__all__ = [
    "BACKENDS",
    "OpenObject",
    "Placed",
    "Redirect",
    "RemoteObject",
    "RequestIds",
    "Storage",
    "Stream",
    "open_storage",
]


def _local(name: str, root: RootSettings, _: int) -> Storage:
    return LocalStorage(name, root.uri)


def _s3(name: str, root: RootSettings, presign_seconds: int) -> Storage:
    # boto3 takes a third of a second to import, and most commands have no use for it.
    from gateway.storage.s3 import S3Storage  # noqa: PLC0415

    return S3Storage(name, root, presign_seconds)


# By the scheme of the root's URI.
BACKENDS: dict[str, Callable[[str, RootSettings, int], Storage]] = {"file": _local, "s3": _s3}


def open_storage(name: str, root: RootSettings | str, presign_seconds: int = 3600) -> Storage:
    """Return the storage of a root, of which a URI alone says enough. Raises StorageUnavailable."""
    # Settings take a while to import, and who draws from files that are open already needs none.
    from gateway.settings import RootSettings  # noqa: PLC0415

    settings = RootSettings(uri=root) if isinstance(root, str) else root
    return BACKENDS[urlsplit(settings.uri).scheme](name, settings, presign_seconds)
