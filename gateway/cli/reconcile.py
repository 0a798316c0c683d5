"""`audit reconcile`: what became of redirects, read from the access logs of their store."""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from gateway.buckets import bucket_storage
from gateway.cli.administration import records_of
from gateway.cli.lines import advise
from gateway.cli.shared import as_json, complain, print_json, print_table, settings_of
from gateway.errors import GatewayError, ObjectMissing, StorageUnavailable, VersionChanged
from gateway.reconciling import Reconciled, Reconciliation
from gateway.settings import RootSettings
from gateway.sources import BUCKET_SCHEME

if TYPE_CHECKING:
    from gateway.storage.s3 import S3Storage

CHUNK_BYTES = 1 << 18
# Of lines that are no records so many are named.
MOST_TOLD = 20
TRIES = 3
LINES = ("added", "known", "unknown", "refused", "unsigned", "other", "unread")
DOWNLOADS = ("completed", "aborted", "partial")


class Unreadable(Exception):
    """A source that is not there or cannot be read, and why."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(reason)
        self.name = name


@dataclass(frozen=True, slots=True)
class Log:
    """A log: the name by which people know it, the one that rows tell, and its bytes."""

    name: str
    told: str
    chunks: Iterator[bytes]


@click.command()
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@as_json
@click.pass_context
def reconcile(context: click.Context, /, sources: tuple[str, ...], as_json: bool) -> None:
    """Add what access logs of S3 tell of redirects.

    SOURCE is a file, a folder, `-`, or s3://BUCKET/PREFIX. Each GET by a presigned URL of the gateway gets one row
    `download.finished`, however often its log is read. Exit code 1 where lines are no records, 2 for a source that
    cannot be read; what was read is on record then, too.
    """
    roots = settings_of(context).roots
    with records_of(context, write=True) as records:
        found = Reconciliation(records, roots)
        readable = [take_all(found, source, roots) for source in sources]
    show(found.counted, as_json)
    context.exit(2 if not all(readable) else 1 if found.counted.unread else 0)


def take_all(found: Reconciliation, source: str, roots: Mapping[str, RootSettings]) -> bool:
    """Return whether every log of a source could be read. Raises RecordsUnavailable."""
    logs, readable = logs_of(source, roots), True
    while True:
        try:
            log = next(logs, None)
            if log is None:
                return readable
            take(found, log)
        except Unreadable as error:
            complain(error.name, str(error))
            readable = False


def take(found: Reconciliation, log: Log) -> None:
    """Read a log, and name the first lines of it that are no records. Raises Unreadable and RecordsUnavailable."""
    try:
        lines = found.take(log.told, log.chunks)
        for number in itertools.islice(lines, MOST_TOLD):
            complain(f"{log.name}:{number}", "no record of an access log")
        if more := sum(1 for _ in lines):
            complain(log.name, f"{more} more lines are no records of an access log")
    except (OSError, ValueError, StorageUnavailable, ObjectMissing, VersionChanged) as error:
        raise Unreadable(log.name, f"cannot be read: {reason_of(error)}") from error


def reason_of(error: Exception) -> str:
    """Return why something cannot be read, in a few words."""
    if isinstance(error, OSError):
        return (error.strerror or type(error).__name__).lower()
    if isinstance(error, GatewayError):
        return (error.reason if isinstance(error, StorageUnavailable) else None) or error.detail
    return str(error)


def show(counted: Reconciled, as_json: bool) -> None:
    """Print what came of the logs."""
    told = asdict(counted)
    if as_json:
        print_json(told)
        return
    lines = [(name, told[name]) for name in LINES if told[name] or name == LINES[0]]
    print_table(("lines", "number"), lines, err=True)
    if counted.added + counted.known:
        rows = [(name, told[name]) for name in DOWNLOADS if told[name]]
        print_table(("downloads", "number"), [*rows, ("bytes sent", counted.bytes_sent)], err=True)
    if counted.unknown:
        advise("unknown lines name redirects that are not on record here: of another gateway, pruned, or forged")


def logs_of(source: str, roots: Mapping[str, RootSettings]) -> Iterator[Log]:
    """Yield the logs of a source, in the order of their names. Raises Unreadable."""
    if source == "-":
        yield Log("<stdin>", "-", chunks_of(sys.stdin.buffer))
    elif source.startswith(BUCKET_SCHEME):
        yield from objects_of(source, roots)
    else:
        yield from files_of(source)


def files_of(source: str) -> Iterator[Log]:
    """Yield a file, or all files below a folder but hidden ones. Raises Unreadable."""
    try:
        paths = below(Path(source)) if Path(source).is_dir() else [Path(source)]
    except OSError as error:
        raise Unreadable(error.filename or source, f"cannot be read: {reason_of(error)}") from error
    if not paths:
        raise Unreadable(source, "the folder has no file in it")
    for path in paths:
        yield Log(str(path), path.name, chunks_at(path))


def below(folder: Path) -> list[Path]:
    """Return the files below a folder but those in whose paths a name begins with a dot, sorted. Raises OSError."""

    def fail(error: OSError) -> None:
        raise error

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=fail):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    return sorted(found)


def chunks_at(path: Path) -> Iterator[bytes]:
    """Yield the bytes of a file, which is opened for that. Raises OSError."""
    with path.open("rb") as file:
        yield from chunks_of(file)


def chunks_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the bytes of an open file. Raises OSError."""
    while chunk := file.read(CHUNK_BYTES):
        yield chunk


def objects_of(source: str, roots: Mapping[str, RootSettings]) -> Iterator[Log]:
    """Yield the objects whose keys begin so. Raises Unreadable."""
    bucket, _, prefix = source.removeprefix(BUCKET_SCHEME).partition("/")
    if not bucket:
        raise Unreadable(source, "names no bucket")
    empty = True
    try:
        storage = bucket_storage(bucket, roots)
        with closing(storage):
            for each in storage.listed(prefix):
                empty, name = False, f"{BUCKET_SCHEME}{bucket}/{each.key}"
                yield Log(name, name, chunks_in(storage, each.key))
    except GatewayError as error:
        raise Unreadable(source, f"the bucket cannot be read: {reason_of(error)}") from error
    if empty:
        raise Unreadable(source, "no object begins like this")


def chunks_in(storage: S3Storage, key: str) -> Iterator[bytes]:
    """Yield the bytes of an object, going on where it breaks off. Raises StorageUnavailable and VersionChanged."""
    with storage.open(key) as found:
        at = tries = 0
        while at < found.size_bytes:
            with closing(found.body(at, found.size_bytes - at)) as body:
                began = at
                while chunk := found.next_of(body, CHUNK_BYTES):
                    at += len(chunk)
                    yield chunk
            tries = tries + 1 if at == began else 0
            if tries == TRIES:
                raise StorageUnavailable("The store broke off.")
