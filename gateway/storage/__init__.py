"""Where rasters lie. One file per kind of storage, one line here for each."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

from gateway.storage.base import OpenObject, Redirect, Storage, Stream
from gateway.storage.local import LocalStorage

__all__ = ["BACKENDS", "OpenObject", "Redirect", "Storage", "Stream", "open_storage"]

# By the scheme of the root's URI; each takes the root's name and its URI.
BACKENDS: dict[str, Callable[[str, str], Storage]] = {"file": LocalStorage}


def open_storage(name: str, uri: str) -> Storage:
    """Return the storage of a root by the scheme of its URI, which the settings have checked."""
    return BACKENDS[urlsplit(uri).scheme](name, uri)
