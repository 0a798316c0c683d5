"""A storage root on a file system: every path is walked from the root without following a link."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote_to_bytes

from gateway.errors import ObjectMissing, StorageUnavailable, VersionChanged
from gateway.files import FileSource, NotRegular, folder_beneath, open_beneath, sidecars_of, version_of
from gateway.model import ObjectStat
from gateway.storage.base import Placed, Stream
from gateway.storage.parts import part_folder, sweep

# What the file system answers when the key names nothing that can be served. What may not be read is not among
# it: the bytes may well be there, and it is for the operator to mend.
ABSENT = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}
# File systems know more years than calendars do.
EARLIEST, LATEST = (moment.replace(tzinfo=UTC, microsecond=0).timestamp() for moment in (datetime.min, datetime.max))
UNWRITABLE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT}


def stat_of(facts: os.stat_result) -> ObjectStat:
    """Return the version, size and modification time (UTC, within the years 1 to 9999) of a local file."""
    return _stat_of(version_of(facts), facts.st_size, min(max(facts.st_mtime, EARLIEST), LATEST))


# Small ranges ask for the same few files again and again.
@lru_cache(maxsize=1024)
def _stat_of(version: str, size_bytes: int, modified: float) -> ObjectStat:
    return ObjectStat(version, size_bytes, datetime.fromtimestamp(modified, UTC))


def parts_of(key: str) -> tuple[str, ...]:
    """Return the parts of a key; raises ObjectMissing for one that is absolute, has `..`, or holds a NUL."""
    parts = tuple(key.split("/"))
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise ObjectMissing("No such object.")
    return parts


def path_of(uri: str) -> Path:
    """Return the absolute path of a file: URI (RFC 8089); a relative one counts from the working directory."""
    text = os.fsdecode(unquote_to_bytes(os.fsencode(uri.removeprefix("file:"))))
    if text.startswith("//"):
        text = "/" + text[2:].partition("/")[2]
    return Path(text).absolute()


class LocalObject(FileSource):
    """An opened file below a local root."""

    @property
    def stat(self) -> ObjectStat:
        """Return what was true of the file when it was opened."""
        return stat_of(self.facts)

    def __enter__(self) -> LocalObject:
        return self


class LocalStorage(Placed):
    """The files below one folder. Symbolic links below it are not followed; the folder itself may be one."""

    backend = "local"
    remote = False
    failures = 0
    resting = False
    request_ids = None

    def __init__(self, name: str, uri: str) -> None:
        self.name = name
        self.uri = f"file:{Path(uri.removeprefix('file:')).absolute()}"
        self.path = path_of(uri)

    def try_request_ids(self) -> None:
        """Do nothing: nobody is sent elsewhere."""

    def ping(self) -> None:
        """Return when the folder can be listed; raises StorageUnavailable."""
        try:
            with os.scandir(self.path) as entries:
                next(entries, None)
        except OSError as error:
            raise StorageUnavailable("The storage of this dataset cannot be reached.") from error

    def stat(self, key: str) -> ObjectStat:
        """Return version, size and time of the file.

        It is opened for that: a file that may not be read is unavailable, whatever its folder tells of it.
        """
        with self.open(key) as opened:
            return opened.stat

    def open(self, key: str) -> LocalObject:
        """Return the file opened for reading."""
        parts = parts_of(key)
        with self._mapped():
            return open_beneath(self.path, parts, LocalObject)

    def siblings(self, key: str) -> frozenset[str]:
        """Return the names of the file's sidecars."""
        parts = parts_of(key)
        with self._mapped(), folder_beneath(self.path, parts[:-1]) as folder:
            return sidecars_of(parts[-1], folder)

    def deliver(self, key: str, version: str) -> Stream:
        """Return the file opened, if it still is `version`; raises VersionChanged."""
        opened = self.open(key)
        if opened.version != version:
            opened.close()
            raise VersionChanged("The file has changed just now.")
        return Stream(opened, opened.stat)

    def key_of(self, path: Path) -> str | None:
        """Return the key of a file that lies below this root, or None; links are resolved first."""
        try:
            return path.resolve().relative_to(self.path.resolve()).as_posix()
        except ValueError:
            return None

    def key_of_object(self, bucket: str, key: str) -> str | None:
        """Return None: no object of a bucket lies in a folder."""
        return None

    @contextmanager
    def staging(self, key: str) -> Iterator[Path]:
        """Yield a path in a folder beside the target; afterwards it is made durable and renamed onto the key.

        What processes that were killed left beside the target is removed.
        """
        parts = parts_of(key)
        with ExitStack() as stack:
            # Errors of the caller's own block are the caller's: only our steps are mapped.
            with self._mapped(), _target(self.path):
                folder = stack.enter_context(folder_beneath(self.path, parts[:-1], create=True))
                part = stack.enter_context(part_folder(folder))
            path = Path(f"/dev/fd/{part}") / parts[-1]
            yield path
            with self._mapped():
                _make_durable(path)
                os.rename(parts[-1], parts[-1], src_dir_fd=part, dst_dir_fd=folder)
                os.fsync(folder)

    def delete(self, key: str) -> None:
        """Remove the file; who has it open reads on."""
        parts = parts_of(key)
        with self._mapped(), _target(self.path), folder_beneath(self.path, parts[:-1]) as folder:
            os.unlink(parts[-1], dir_fd=folder)
            os.fsync(folder)

    def sweep(self, key: str) -> None:
        """Remove the parts that nobody writes any more in the folder of a key; what cannot be is left."""
        with suppress(OSError), folder_beneath(self.path, parts_of(key)[:-1]) as folder:
            sweep(folder)

    def close(self) -> None:
        """Do nothing: no descriptor is held between calls."""

    @contextmanager
    def _mapped(self) -> Iterator[None]:
        """Turn what the file system says into ObjectMissing or StorageUnavailable."""
        try:
            yield
        except NotRegular as error:
            raise ObjectMissing("No such object.") from error
        except OSError as error:
            if error.errno in ABSENT and self.path.is_dir():
                raise ObjectMissing("No such object.") from error
            raise StorageUnavailable("The storage of this dataset cannot be reached.") from error


@contextmanager
def _target(root: Path) -> Iterator[None]:
    """Turn what a folder below a root says that takes no file, or a root that is none, into StorageUnavailable."""
    try:
        yield
    except OSError as error:
        if error.errno in UNWRITABLE or (error.errno in ABSENT and not root.is_dir()):
            reason = os.strerror(error.errno).lower()
            raise StorageUnavailable(f"The target folder cannot be written: {reason}.") from error
        raise


def _make_durable(path: Path) -> None:
    """Write the file's pages to the disk; a rename alone could survive a power cut without them."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
