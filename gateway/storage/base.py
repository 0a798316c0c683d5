"""What a storage root can do, whatever kind it is of."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from gateway.files import FileSource
from gateway.model import ByteSource, ObjectStat


class OpenObject(ByteSource, Protocol):
    """One object opened for reading: its bytes stay those of `stat.version`, or `unchanged` says no."""

    @property
    def stat(self) -> ObjectStat:
        """Return what was true of the object when it was opened."""

    def unchanged(self) -> bool:
        """Return whether the object still is the version that was opened."""

    def close(self) -> None:
        """Release what the object holds open."""

    def __enter__(self) -> OpenObject: ...

    def __exit__(self, *exc_info: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Stream:
    """A delivery by the gateway itself: the receiver sends from `source` and closes it."""

    source: FileSource
    stat: ObjectStat


@dataclass(frozen=True, slots=True)
class Redirect:
    """A delivery by the store: the client fetches from `url`."""

    url: str
    stat: ObjectStat


class Storage(Protocol):
    """One storage root. Keys are relative names with / between their parts.

    Every method raises StorageUnavailable when the root itself cannot be reached, and those that name a key
    raise ObjectMissing when no readable regular object lies under it.
    """

    @property
    def name(self) -> str:
        """Return the root's name in the settings."""

    @property
    def backend(self) -> str:
        """Return the kind of storage as the audit names it: local or s3."""

    def ping(self) -> None:
        """Return when the root can be read."""

    def stat(self, key: str) -> ObjectStat:
        """Return version, size and time of the object as it is now."""

    def open(self, key: str) -> OpenObject:
        """Return the object opened for reading."""

    def siblings(self, key: str) -> frozenset[str]:
        """Return the names in the object's own folder, for the search of sidecar files."""

    def deliver(self, key: str, version: str) -> Stream | Redirect:
        """Return how the client gets this very version; raises VersionChanged when it is no longer there."""

    def key_of(self, path: Path) -> str | None:
        """Return the key of a local file that lies below this root, or None; links are resolved first."""

    def staging(self, key: str) -> AbstractContextManager[Path]:
        """Yield a local path to be written; the object appears under `key` at once and whole afterwards.

        Nothing appears when the block raises. The folders of the key are made as needed.
        """

    def close(self) -> None:
        """Release what the root holds open."""
