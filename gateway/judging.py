"""What ingest does with files: judge and hash one opened object, copy it, convert it. No records in here."""

from __future__ import annotations

import hashlib
import os
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import quote

from gateway.buckets import BucketSource
from gateway.cog import inspect, is_deeper, not_regular_report, reaches, usual_depth
from gateway.cog.convert import convert
from gateway.cog.sourcefile import local_copy
from gateway.cog.summary import with_summary
from gateway.errors import GatewayError, NotACog, ObjectMissing, StorageUnavailable, VersionChanged
from gateway.files import NotRegular, open_file
from gateway.model import ByteSource, Dataset, Inspection, ObjectStat
from gateway.sources import Source
from gateway.storage import Storage, open_storage

DEPTH = "blocks"
# What ingest itself has made is looked at to its last byte.
MADE_DEPTH = "full"
READ_BYTES = 1 << 20
REMOTE_READ_BYTES = 16 << 20
# A file that is written to all the time is judged this often before its source fails.
JUDGE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a source is read: an object of a storage; `depth` None is the usual one. Travels to worker processes.

    `beside` are the names of its sidecars, None where they are to be looked for.
    """

    storage: Storage
    key: str
    allow_missing_overviews: bool = False
    depth: str | None = None
    beside: frozenset[str] | None = None

    def siblings(self) -> frozenset[str]:
        """Return the names beside the object, those of its sidecars among them. Raises what the storage raises."""
        return self.storage.siblings(self.key) if self.beside is None else self.beside


@dataclass(frozen=True, slots=True)
class Judged:
    """The verdict over one version of one object; `sha256` (lower-case hex) is of a true COG on a disk only.

    `stat` is None where there is no regular file to have a version.
    """

    inspection: Inspection
    stat: ObjectStat | None
    sha256: str | None

    @property
    def valid(self) -> bool:
        """Return whether this version is a true COG."""
        return self.inspection.report.valid


@dataclass(frozen=True, slots=True)
class Task:
    """A source that must be judged, and where its object is to be: under `key` of `root`."""

    source: Source | BucketSource
    reading: Reading
    root: str
    key: str
    in_place: bool


def local_reading(path: Path, allow_missing_overviews: bool) -> Reading:
    """Return the reading of a file that lies outside of every root, links resolved."""
    real = path.resolve()
    folder = f"file:{quote(os.fsencode(real.parent))}"
    return Reading(open_storage(folder, folder), real.name, allow_missing_overviews)


def key_in(storage: Storage, source: Source | BucketSource) -> str | None:
    """Return the key under which the source lies in a root already, or None."""
    if isinstance(source, BucketSource):
        return storage.key_of_object(source.storage.bucket, source.key)
    return storage.key_of(source.path)


def reading_of(source: Source | BucketSource, allow_missing_overviews: bool) -> Reading:
    """Return the reading of a source that lies outside of every root."""
    if isinstance(source, BucketSource):
        return Reading(source.storage, source.key, allow_missing_overviews, beside=source.beside)
    return local_reading(source.path, allow_missing_overviews)


def judge_file(path: Path, reading: Reading) -> Judged:
    """Return the verdict over the local file `path`, which `reading` reads.

    What is no regular file is judged too, without waiting for its writer. Raises OSError when `path` is
    missing or may not be read, and what `judge` raises.
    """
    try:
        open_file(path).close()
    except NotRegular:
        return Judged(Inspection(not_regular_report(DEPTH), None), None, None)
    return judge(reading)


def judge(reading: Reading) -> Judged:
    """Return the verdict and the digest of one version of the object.

    Both are read from one opened object, and stand only when it is unchanged afterwards. Raises
    ObjectMissing, and StorageUnavailable when the object keeps changing.
    """
    for _ in range(JUDGE_TRIES):
        with reading.storage.open(reading.key) as opened:
            try:
                inspection = inspect(
                    opened,
                    depth=reading.depth,
                    allow_missing_overviews=reading.allow_missing_overviews,
                    siblings=reading.siblings(),
                )
            except VersionChanged:
                continue
            inspection = with_summary(opened, inspection)
            # Of what lies far away, the digest would cost a download.
            sha256 = digest_of(opened) if inspection.report.valid and not opened.remote else None
            if opened.unchanged():
                return Judged(inspection, opened.stat, sha256)
    raise StorageUnavailable("The file is being written to.")


def digest_of(source: ByteSource, copy: BinaryIO | None = None) -> str:
    """Return the SHA-256 of the bytes as lower-case hex; they are written to `copy` as they are read."""
    digest = hashlib.sha256()
    offset_bytes = 0
    # Of what lies far away each piece is a request.
    length_bytes = REMOTE_READ_BYTES if source.remote else READ_BYTES
    while piece := source.read_at(offset_bytes, length_bytes):
        digest.update(piece)
        if copy is not None:
            copy.write(piece)
        offset_bytes += len(piece)
    return digest.hexdigest()


def copy_object(reading: Reading, judged: Judged, target: Storage, key: str) -> None:
    """Put the judged version under `key` of `target`, by a temporary file and a rename.

    Nothing appears there, and VersionChanged is raised, when the bytes that were copied are not those that
    were judged. Raises what the storages raise, and OSError.
    """
    with reading.storage.open(reading.key) as opened, target.staging(key) as path:
        with path.open("xb") as copy:
            sha256 = digest_of(opened, copy)
        if judged.sha256 not in (sha256, None) or judged.stat != opened.stat or not opened.unchanged():
            raise VersionChanged("The source changed while it was copied.")


def convert_object(reading: Reading, judged: Judged, target: Storage, key: str) -> None:
    """Put a COG made of the judged version under `key` of `target`; the source is only read.

    Nothing appears there, and NotACog or VersionChanged is raised, when it cannot be made, when the result
    is no true COG, or when the source changed meanwhile. Raises what the storages raise, and OSError.
    """
    with target.staging(key) as path:
        _convert(reading, judged, path)


def makes_the_same(reading: Reading, judged: Judged, target: Storage, key: str) -> bool:
    """Return whether a conversion of the judged version is the very object that lies under `key` of `target`.

    It is what an ingest made that was killed before this was on record. The object is not touched. Raises what
    `convert_object` raises.
    """
    with suppress(_Compared), target.staging(key) as path:
        _convert(reading, judged, path)
        with open_file(path) as made:
            same = same_bytes(target, key, digest_of(made))
        raise _Compared
    return same


class _Compared(Exception):
    """Leaves the block in which a file is staged, so that nothing appears."""


def _convert(reading: Reading, judged: Judged, path: Path) -> None:
    """Write a COG made of the judged version; raises what `convert_object` raises."""
    with reading.storage.open(reading.key) as opened:
        with local_copy(opened) if opened.remote else nullcontext(opened) as source:
            convert(source, path)
        if judged.stat is None or opened.stat.version != judged.stat.version or not opened.unchanged():
            raise VersionChanged("The source changed while it was converted.")
    with open_file(path) as made:
        report = inspect(made, depth=MADE_DEPTH, allow_missing_overviews=reading.allow_missing_overviews).report
    if not report.valid:
        raise NotACog("What the conversion makes of it is no true COG: " + report.errors[0].message)


def same_bytes(target: Storage, key: str, sha256: str) -> bool:
    """Return whether the object there has this digest."""
    with target.open(key) as opened:
        return digest_of(opened) == sha256


def version_at(storage: Storage, key: str) -> str | None:
    """Return the version that lies under a key now, or None where there is nothing."""
    try:
        return storage.stat(key).version
    except ObjectMissing:
        return None


def version_now(task: Task) -> str | None:
    """Return the version of a task's source, as the listing told it or as it is there; None where nothing is."""
    told = task.source.version if isinstance(task.source, BucketSource) else None
    return told or version_at(task.reading.storage, task.reading.key)


def deepened(task: Task, known: Dataset | None) -> Task:
    """Return the task, to be judged as deep as the record was.

    So is what has changed, unless a depth is asked for, and in any case the very bytes that the record calls bad: a
    shallower look would not see again what is wrong with them. Raises StorageUnavailable.
    """
    if known is not None and task.reading.depth is None:
        task = at_depth(task, deeper_depth(known.report.depth, remote=task.reading.storage.remote))
    if known is None or known.report.valid or known.report.depth == "header":
        return task
    if not task.in_place or known.key != task.key or version_now(task) != known.version:
        return task
    return task if reaches(task.reading.depth, known.report.depth) else at_depth(task, known.report.depth)


def deeper_depth(depth: str, *, remote: bool) -> str | None:
    """Return a depth that is deeper than the usual one, None for all others."""
    return depth if is_deeper(depth, usual_depth(remote=remote)) else None


def at_depth(task: Task, depth: str | None) -> Task:
    """Return the task, to be judged at that depth; None is the usual one."""
    return replace(task, reading=replace(task.reading, depth=depth))


def attempt(task: Task) -> Judged | str:
    """Return the verdict over a task's file, or the sentence why it cannot be read. Runs in any process."""
    try:
        if isinstance(task.source, BucketSource):
            return judge(task.reading)
        return judge_file(task.source.path, task.reading)
    except (GatewayError, OSError) as error:
        return sentence(error)


def sentence(error: GatewayError | OSError) -> str:
    """Return one line for the operator that says what went wrong."""
    if isinstance(error, OSError):
        return f"cannot be read or written: {(error.strerror or type(error).__name__).lower()}"
    return str(error)


def origin_of(task: Task, version: str | None) -> str:
    """Return the name of what a copied or converted object was made from: the file and its version."""
    if isinstance(task.source, BucketSource):
        return f"{task.source.name}@{version}"
    return f"{task.source.path.resolve()}@{version}"


def key_of_copy(storage: Storage, relative: str) -> str:
    """Return the key of a copy; folders have no empty names in them, which keys of a store may have."""
    return relative if storage.remote else "/".join(part for part in relative.split("/") if part)


def converted_key(task: Task) -> str:
    """Return the key of what is made of a file that is no COG: beside it, or where a copy would be."""
    if not task.in_place:
        return task.key
    path = PurePosixPath(task.key)
    return path.with_name(path.stem + ".cog.tif").as_posix()
