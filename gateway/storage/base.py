"""What a storage root can do, whatever kind it is of."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from gateway.errors import ObjectMissing
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


class RemoteObject(OpenObject, Protocol):
    """An object behind a network, whose reads fail when they would be of another version."""

    def body(self, offset_bytes: int, length_bytes: int) -> Body:
        """Return the bytes from an offset on as one request brings them."""

    def next_of(self, body: Body, length_bytes: int) -> bytes:
        """Return the next bytes of a body, and nothing at its end or when it broke off."""


class Body(Protocol):
    """Bytes that come one after another."""

    def read(self, length_bytes: int) -> bytes:
        """Return at most `length_bytes`, and nothing at the end."""

    def close(self) -> None:
        """Give the connection up."""


@dataclass(frozen=True, slots=True)
class Stream:
    """A delivery by the gateway itself: the receiver sends from `source` and closes it."""

    source: FileSource | RemoteObject
    stat: ObjectStat


@dataclass(frozen=True, slots=True)
class Redirect:
    """A delivery by the store: the client fetches from the URL that `sign` returns.

    `sign` takes the Content-Disposition that the store is to answer with, and the id of the request, which the URL
    carries where the store lets it. `source` is for those who must not be sent away.
    """

    sign: Callable[[str, str], str]
    source: RemoteObject
    stat: ObjectStat


class RequestIds(StrEnum):
    """Whether the presigned URLs of a root carry the id of their request."""

    SIGNED = "signed"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    OFF = "off"


class Placed:
    """What a storage is known by on every machine: `name` among the roots and `uri`, or the URI for both.

    A root's name is never a URI.
    """

    name: str
    uri: str

    def stat(self, key: str) -> ObjectStat:
        """Return version, size and time of the object as it is now."""
        raise NotImplementedError

    def delete(self, key: str) -> None:
        """Remove the object under a key; raises ObjectMissing where nothing is."""
        raise NotImplementedError

    def remove(self, key: str, version: str | None = None) -> bool:
        """Return whether the object is gone: of another version than the given one it stays."""
        with suppress(ObjectMissing):
            if version is not None and self.stat(key).version != version:
                return False
            self.delete(key)
        return True


class Storage(Protocol):
    """One storage root. Keys are relative names with / between their parts.

    Every method raises StorageUnavailable when the root itself cannot be reached, and those that name a key
    raise ObjectMissing when no readable regular object lies under it.
    """

    @property
    def name(self) -> str:
        """Return the root's name in the settings; the URI of what is no root."""

    @property
    def backend(self) -> str:
        """Return the kind of storage as the audit names it: local or s3."""

    @property
    def remote(self) -> bool:
        """Return whether every look at it is a request over the network."""

    @property
    def failures(self) -> int:
        """Return how many calls the store has not answered so far; 0 where no network lies between."""

    @property
    def resting(self) -> bool:
        """Return whether the store is left alone just now, because it did not answer."""

    @property
    def request_ids(self) -> RequestIds | None:
        """Return whether presigned URLs carry the id of their request; None where there are none."""

    def try_request_ids(self) -> None:
        """Find out whether URLs can carry ids, where it is unknown and was not tried just now; waits for a store."""

    def ping(self) -> None:
        """Return when the root can be read."""

    def stat(self, key: str) -> ObjectStat:
        """Return version, size and time of the object as it is now."""

    def open(self, key: str) -> OpenObject:
        """Return the object opened for reading."""

    def siblings(self, key: str) -> frozenset[str]:
        """Return the names of files that stand beside the object, those of its sidecars among them."""

    def deliver(self, key: str, version: str) -> Stream | Redirect:
        """Return how the client gets this very version; raises VersionChanged when it is no longer there."""

    def key_of(self, path: Path) -> str | None:
        """Return the key of a local file that lies below this root, or None; links are resolved first."""

    def key_of_object(self, bucket: str, key: str) -> str | None:
        """Return the key below this root of an object of a bucket, or None for one that lies elsewhere."""

    def staging(self, key: str) -> AbstractContextManager[Path]:
        """Yield a local path to be written; the object appears under `key` at once and whole afterwards.

        Nothing appears when the block raises. The folders of the key are made as needed.
        """

    def remove(self, key: str, version: str | None = None) -> bool:
        """Return whether the object is gone, or was not there: of another version than the given one it stays.

        Only for what the gateway itself has made, and what is no dataset.
        """

    def sweep(self, key: str) -> None:
        """Remove what writers of the key's folder that were killed have left there; those that live keep theirs."""

    def close(self) -> None:
        """Release what the root holds open."""
