"""The objects that an operator means by s3://bucket/key, s3://bucket/prefix and s3://bucket/pattern."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gateway.errors import GatewayError, StorageUnavailable
from gateway.settings import RootSettings
from gateway.sources import BUCKET_SCHEME, SUFFIXES, Lack, Problem
from gateway.storage import open_storage

if TYPE_CHECKING:
    from gateway.storage.s3 import Listed, S3Storage

MAGIC = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class BucketSource:
    """One object to judge, and the storage of its whole bucket; `relative` is its name below the given prefix."""

    name: str
    storage: S3Storage
    key: str
    relative: str
    modified_at: datetime


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
        for each, relative in found:
            empty = False
            yield BucketSource(f"{BUCKET_SCHEME}{bucket}/{each.key}", storage, each.key, relative, each.modified_at)
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
    whole = RootSettings.model_validate({**known.model_dump(exclude_unset=True), "uri": f"{BUCKET_SCHEME}{bucket}"})
    return open_storage("source", whole)  # type: ignore[return-value]


def _nothing(name: str, key: str) -> Problem:
    if MAGIC.search(key):
        return Problem(name, Lack.MISSING, "no object matches this pattern")
    if PurePosixPath(key).suffix.lower() in SUFFIXES:
        return Problem(name, Lack.MISSING, "no such object")
    return Problem(name, Lack.NO_RASTER, "the prefix has no raster in it")


def _below(storage: S3Storage, key: str) -> Iterator[tuple[Listed, str]]:
    """Yield the object itself, or the rasters below it as below a folder."""
    first = next(storage.listed(key), None) if key and not key.endswith("/") else None
    if first is not None and first.key == key:
        yield first, PurePosixPath(key).name
        return
    # An empty part of a key is one like any other: a bucket has no folders.
    folder = key if not key or key.endswith("/") else f"{key}/"
    for each in storage.listed(folder):
        if _is_raster(each.key):
            yield each, _relative(each.key, folder)


def _matching(storage: S3Storage, pattern: str) -> Iterator[tuple[Listed, str]]:
    """Yield the objects that match; `*` stays within one part of the key, `**` goes through many."""
    folder = MAGIC.split(pattern)[0].rpartition("/")[0]
    wanted = re.compile(_regex(pattern))
    for each in storage.listed(f"{folder}/" if folder else ""):
        if wanted.fullmatch(each.key):
            yield each, _relative(each.key, f"{folder}/")


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


def _is_raster(key: str) -> bool:
    parts = key.split("/")
    return PurePosixPath(key).suffix.lower() in SUFFIXES and not any(part.startswith(".") for part in parts)
