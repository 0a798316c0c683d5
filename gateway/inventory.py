"""The objects that an inventory of a bucket lists (Amazon S3 user guide, "Amazon S3 Inventory"), in CSV."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO
from urllib.parse import unquote_plus

from gateway.buckets import BucketSource, bucket_storage, is_raster
from gateway.digests import Digests
from gateway.errors import GatewayError, ObjectMissing, StorageUnavailable, VersionChanged
from gateway.files import SIDECAR_SUFFIXES, FileSource, NotRegular, open_file
from gateway.settings import RootSettings
from gateway.sources import BUCKET_SCHEME
from gateway.storage import OpenObject

READ_BYTES = 8 << 20
# A key has 1,024 bytes, three times as many where all of them are escaped.
MOST_LINE_CHARACTERS = 64 << 10
# A manifest names its data files, some hundred bytes each.
MOST_MANIFEST_BYTES = 64 << 20


class InventoryError(GatewayError):
    """An inventory that cannot be used; `detail` says which and why."""


@dataclass(frozen=True, slots=True)
class Part:
    """One data file of an inventory: its key, and the MD5 of its bytes in hex."""

    key: str
    md5: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a manifest says: the bucket that is listed, the columns of each row, and the data files."""

    bucket: str
    columns: tuple[str, ...]
    parts: tuple[Part, ...]


Opener = Callable[[str], OpenObject | FileSource]


def inventoried(name: str, roots: Mapping[str, RootSettings]) -> Iterator[BucketSource]:
    """Yield the rasters that the inventory of that manifest lists, as they were when it was made.

    `name` is s3://BUCKET/.../manifest.json, or the path of a local copy with the data files near it. The data files
    are copied into a temporary folder and compared with their checksums before the first object is yielded. Older
    versions and delete markers are passed over. Raises InventoryError, and StorageUnavailable.
    """
    with ExitStack() as stack:
        manifest, opener = _manifest(name, roots, stack)
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="cog-gateway-inventory-")))
        parts = [_copied(part, opener, folder / str(number)) for number, part in enumerate(manifest.parts)]
        storage = bucket_storage(manifest.bucket, roots)
        # An inventory is in no order that could be relied on.
        sidecars = Digests()
        for row in _rows(manifest, parts):
            if row["Key"].endswith(SIDECAR_SUFFIXES):
                sidecars.add(row["Key"])
        for row in _rows(manifest, parts):
            key, written, version = row["Key"], row.get("LastModifiedDate"), row.get("ETag", "").strip('"')
            if is_raster(key):
                beside = (key.rpartition("/")[2] + suffix for suffix in SIDECAR_SUFFIXES if key + suffix in sidecars)
                yield BucketSource(
                    *(f"{BUCKET_SCHEME}{manifest.bucket}/{key}", storage, key, key),
                    _moment(written, name) if written else None,
                    version or None,
                    frozenset(beside),
                )


def _manifest(name: str, roots: Mapping[str, RootSettings], stack: ExitStack) -> tuple[Manifest, Opener]:
    """Return the manifest and what opens its data files."""
    if name.startswith(BUCKET_SCHEME):
        bucket, _, key = name.removeprefix(BUCKET_SCHEME).partition("/")
        store = bucket_storage(bucket, roots)
        stack.enter_context(closing(store))
        opener: Opener = store.open
    else:
        path = Path(name).absolute()
        key = path.name
        opener = _beside(path)
    with _told(name), closing(opener(key)) as source:
        return _parsed(source.read_at(0, MOST_MANIFEST_BYTES), name), opener


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Turn what a disk or a store says of a file into InventoryError."""
    try:
        yield
    except OSError as error:
        told = (error.strerror or type(error).__name__).lower()
        raise InventoryError(f"{name} cannot be read: {told}") from error
    except (NotRegular, ObjectMissing, StorageUnavailable, VersionChanged) as error:
        raise InventoryError(f"{name} cannot be read: {error.told.lower().rstrip('.')}") from error


def _beside(manifest: Path) -> Opener:
    """Return what opens data files near a local manifest: under their keys above it, or by their names."""

    def opened(key: str) -> FileSource:
        name = PurePosixPath(key).name
        below = [folder / key for folder in manifest.parents]
        near = [manifest.parent / name, manifest.parent / "data" / name, manifest.parent.parent / "data" / name]
        path = next((path for path in (*near, *below) if path.is_file()), manifest.parent / name)
        return open_file(path)

    return opened


def _parsed(data: bytes, name: str) -> Manifest:
    try:
        told = json.loads(data)
        kind, columns = told["fileFormat"], tuple(part.strip() for part in told["fileSchema"].split(","))
        parts = tuple(Part(_text(each["key"]), _text(each["MD5checksum"]).lower()) for each in told["files"])
        manifest = Manifest(_text(told["sourceBucket"]), columns, parts)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InventoryError(f"{name} is no manifest of an S3 inventory") from None
    if kind != "CSV":
        raise InventoryError(f"the inventory {name} is in {kind}: only those in CSV are read")
    if not {"Bucket", "Key"} <= set(columns):
        raise InventoryError(f"the inventory {name} has no columns Bucket and Key")
    return manifest


def _text(value: Any) -> str:
    """Return a value that is a text, as names of files may be. Raises ValueError."""
    if not isinstance(value, str) or "\0" in value:
        raise ValueError
    return value


def _lines(text: io.TextIOWrapper) -> Iterator[str]:
    """Yield the lines. Raises ValueError for one that no store writes, before memory is full of it."""
    while line := text.readline(MOST_LINE_CHARACTERS):
        if len(line) == MOST_LINE_CHARACTERS:
            raise ValueError("a line without an end")
        yield line


def _copied(part: Part, opener: Opener, path: Path) -> Path:
    """Return a local copy of a data file, after its bytes are those that the manifest tells of."""
    digest = hashlib.md5(usedforsecurity=False)
    offset_bytes = 0
    with _told(f"{part.key} of the inventory"), closing(opener(part.key)) as source, path.open("xb") as copy:
        while piece := source.read_at(offset_bytes, READ_BYTES):
            digest.update(piece)
            copy.write(piece)
            offset_bytes += len(piece)
    if digest.hexdigest() != part.md5:
        raise InventoryError(
            f"{part.key} of the inventory is not what its manifest tells of: the checksum is another"
        )
    return path


def _rows(manifest: Manifest, parts: list[Path]) -> Iterator[dict[str, str]]:
    """Yield the rows that tell of an object as it is, by column, their keys decoded."""
    for path, part in zip(parts, manifest.parts, strict=True):
        try:
            with _unpacked(path) as stream, io.TextIOWrapper(stream, "utf-8", newline="") as text:
                for values in csv.reader(_lines(text)):
                    row = dict(zip(manifest.columns, values, strict=True))
                    if row.get("IsLatest") == "false" or row.get("IsDeleteMarker") == "true":
                        continue
                    bucket = unquote_plus(row["Bucket"], errors="strict")
                    if bucket != manifest.bucket:
                        raise InventoryError(f"{part.key} of the inventory lists another bucket: {bucket}")
                    yield {**row, "Key": unquote_plus(row["Key"], errors="strict")}
        except (OSError, EOFError, ValueError, zlib.error, csv.Error) as error:
            told = f"{part.key} of the inventory cannot be read: {type(error).__name__}"
            raise InventoryError(told) from error


def _unpacked(path: Path) -> BinaryIO:
    """Return the bytes of a data file, which is packed unless the store was told otherwise (RFC 1952)."""
    with path.open("rb") as file:
        is_packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if is_packed else path.open("rb")  # type: ignore[return-value]


def _moment(text: str, name: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InventoryError(f"the inventory {name} has a time that is none: {text}") from None
