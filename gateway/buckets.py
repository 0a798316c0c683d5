"""The objects that an operator means by s3://bucket/key, s3://bucket/prefix and s3://bucket/pattern."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from gateway.errors import GatewayError, StorageUnavailable
from gateway.files import SIDECAR_SUFFIXES
from gateway.settings import RootSettings
from gateway.sources import BUCKET_SCHEME, SUFFIXES, Lack, Problem
from gateway.storage import open_storage

if TYPE_CHECKING:
    from gateway.storage.s3 import Listed, S3Storage

MAGIC = re.compile(r"[*?\[]")
# An object, its name below what was asked for, and its sidecars where they are known.
Found: TypeAlias = "tuple[Listed, str, frozenset[str] | None]"


@dataclass(frozen=True, slots=True)
class BucketSource:
    """One object to judge, and the storage of its whole bucket; `relative` is its name below the given prefix.

    What it was found by tells more, or None where it does not: when it was written, its `version`, and the names of
    the sidecars `beside` it.
    """

    name: str
    storage: S3Storage
    key: str
    relative: str
    modified_at: datetime | None
    version: str | None = None
    beside: frozenset[str] | None = None


def expand_bucket(name: str, roots: Mapping[str, RootSettings]) -> Iterator[BucketSource | Problem]:
    """Yield the object of that name, or the rasters below that prefix, or those that match that pattern.

    The bucket is read with what a root of the same bucket says of endpoint and credentials, else as boto3 is
    configured. Nothing raises for what is not there.
    """
    # By hand: to a URL parser a "?" or "#" would not belong to the key.
    bucket, _, key = name.removeprefix(BUCKET_SCHEME).partition("/")
    if not bucket:
        yield Problem(name, Lack.MISSING, "names no bucket")
        return
    try:
        storage = bucket_storage(bucket, roots)
        found = _matching(storage, key) if MAGIC.search(key) else _below(storage, key)
        empty = True
        for each, relative, beside in found:
            empty, whole = False, f"{BUCKET_SCHEME}{bucket}/{each.key}"
            yield BucketSource(whole, storage, each.key, relative, each.modified_at, each.version, beside)
    except GatewayError as error:
        reason = error.reason if isinstance(error, StorageUnavailable) else None
        told = f"the bucket cannot be read: {reason}" if reason else "the bucket cannot be read"
        yield Problem(name, Lack.MISSING, told)
        return
    if empty:
        yield _nothing(name, key)


def bucket_storage(bucket: str, roots: Mapping[str, RootSettings]) -> S3Storage:
    """Return the storage of a whole bucket, for reading. Raises StorageUnavailable."""
    known = next(
        (root for root in roots.values() if urlsplit(root.uri)[:2] == ("s3", bucket)), RootSettings(uri="file:.")
    )
    uri = f"{BUCKET_SCHEME}{bucket}"
    whole = RootSettings.model_validate({**known.model_dump(exclude_unset=True), "uri": uri})
    return open_storage(uri, whole)  # type: ignore[return-value]


def _nothing(name: str, key: str) -> Problem:
    if MAGIC.search(key):
        return Problem(name, Lack.MISSING, "no object matches this pattern")
    if PurePosixPath(key).suffix.lower() in SUFFIXES:
        return Problem(name, Lack.MISSING, "no such object")
    return Problem(name, Lack.NO_RASTER, "the prefix has no raster in it")


def _below(storage: S3Storage, key: str) -> Iterator[Found]:
    """Yield the object itself, or the rasters below it as below a folder."""
    first = next(storage.listed(key), None) if key and not key.endswith("/") else None
    if first is not None and first.key == key:
        yield first, PurePosixPath(key).name, None
        return
    # An empty part of a key is one like any other: a bucket has no folders.
    folder = key if not key or key.endswith("/") else f"{key}/"
    for each, beside in _with_sidecars(storage.listed(folder), is_raster):
        yield each, _relative(each.key, folder), beside


def _matching(storage: S3Storage, pattern: str) -> Iterator[Found]:
    """Yield the objects that match; `*` stays within one part of the key, `**` goes through many."""
    folder = MAGIC.split(pattern)[0].rpartition("/")[0]
    wanted = re.compile(_regex(pattern))
    listed = storage.listed(f"{folder}/" if folder else "")
    for each, beside in _with_sidecars(listed, lambda key: wanted.fullmatch(key) is not None):
        yield each, _relative(each.key, f"{folder}/"), beside


def _with_sidecars(
    listed: Iterator[Listed], is_wanted: Callable[[str], bool]
) -> Iterator[tuple[Listed, frozenset[str] | None]]:
    """Yield the wanted objects of a listing, each with the names of its sidecars, which come after it.

    A listing is in the order of the keys (Amazon S3 API reference, ListObjectsV2); of one that is not, as those of
    directory buckets, the sidecars stay unknown.
    """
    # Each begins with the name of the one before it, so there are few whatever the listing is.
    waiting: list[tuple[Listed, set[str]]] = []
    last, ordered = "", True
    for each in listed:
        ordered = ordered and last <= each.key
        last = each.key
        while waiting and not (ordered and _may_follow(each.key, waiting[-1][0].key)):
            yield _settled(*waiting.pop(), ordered=ordered)
        for raster, beside in waiting:
            if each.key.removeprefix(raster.key) in SIDECAR_SUFFIXES:
                beside.add(each.key.rpartition("/")[2])
        if is_wanted(each.key):
            waiting.append((each, set()))
    while waiting:
        yield _settled(*waiting.pop(), ordered=ordered)


def _may_follow(key: str, raster: str) -> bool:
    """Return whether a sidecar of the raster may come after this key: all of them begin with its name and a dot."""
    return key < f"{raster}/"


def _settled(raster: Listed, beside: set[str], *, ordered: bool) -> tuple[Listed, frozenset[str] | None]:
    return raster, frozenset(beside) if ordered else None


def _relative(key: str, folder: str) -> str:
    """Return the name of an object below a prefix, as a path of a file: without empty parts."""
    return "/".join(filter(None, key.removeprefix(folder).split("/")))


def _regex(pattern: str) -> str:
    """Return the regular expression of a shell pattern over keys."""
    pieces = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    found = re.split(r"(\*\*/|\*\*|\*|\?|\[!?[^\]]+\])", pattern)
    return "".join(_piece(piece, pieces) for piece in found)


def _piece(piece: str, pieces: Mapping[str, str]) -> str:
    if piece.startswith("[") and piece.endswith("]"):
        inner = piece[1:-1].replace("\\", r"\\").replace("[", r"\[")
        return f"[^{inner[1:]}]" if inner.startswith("!") else f"[{inner}]"
    return pieces.get(piece) or re.escape(piece)


def is_raster(key: str) -> bool:
    """Return whether a key names a raster that a prefix stands for: by its suffix, and no part begins with a dot."""
    parts = key.split("/")
    return PurePosixPath(key).suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in parts)
