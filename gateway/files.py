"""Regular files opened without surprises: no pipe is waited for, no link is followed below a root."""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from gateway.errors import GatewayError

S = TypeVar("S", bound="FileSource")


class NotRegular(GatewayError):
    """A pipe, device, socket, folder or symbolic link where a regular file was wanted."""

    status = 422
    title = "Not a regular file"


# O_NONBLOCK: opening a named pipe returns at once, and fstat then tells that it is one.
READ_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


# What GDAL looks for beside a raster, by what is added to its name.
SIDECAR_SUFFIXES = (".ovr", ".msk", ".aux.xml")


def named_by(facts: os.stat_result) -> tuple[int, int, int]:
    """Return what the version of a local file is made of: size, mtime in nanoseconds and inode."""
    return facts.st_size, facts.st_mtime_ns, facts.st_ino


def version_of(facts: os.stat_result) -> str:
    """Return the version of a local file: size, mtime in nanoseconds and inode, each in hex."""
    return "{:x}-{:x}-{:x}".format(*named_by(facts))


class FileSource:
    """The bytes of one opened regular file (a `ByteSource`); owns and closes its descriptor.

    Raises NotRegular when the descriptor is no regular file; it is closed then.
    """

    remote = False

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.facts = os.fstat(fd)
        if not stat.S_ISREG(self.facts.st_mode):
            os.close(fd)
            raise NotRegular("This is no regular file.")
        # The version of the file when it was opened.
        self.version = version_of(self.facts)

    @property
    def size_bytes(self) -> int:
        """Return the length of the file when it was opened."""
        return self.facts.st_size

    @property
    def gdal_path(self) -> str:
        """Return a path that opens the very inode of this descriptor, whatever its name is by now."""
        return f"/dev/fd/{self.fd}"

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return at most `length_bytes` from `offset_bytes` on; shorter only at the end of the file."""
        return os.pread(self.fd, length_bytes, offset_bytes)

    def read_cached(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return what `read_at` returns, from the page cache only.

        Raises BlockingIOError when a disk would have to be waited for (preadv2(2), RWF_NOWAIT), or where the
        system cannot tell.
        """
        buffer = bytearray(length_bytes)
        try:
            length = os.preadv(self.fd, [buffer], offset_bytes, os.RWF_NOWAIT)
        except (AttributeError, OSError, OverflowError) as error:
            # An offset beyond what a file can have is found out by who reads without haste.
            raise BlockingIOError from error
        if length < length_bytes and offset_bytes + length < self.size_bytes:
            raise BlockingIOError
        return bytes(buffer if length == length_bytes else buffer[:length])

    def unchanged(self) -> bool:
        """Return whether the file still has the version that it was opened with."""
        return named_by(os.fstat(self.fd)) == named_by(self.facts)

    def close(self) -> None:
        """Close the descriptor; further calls do nothing."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> FileSource:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def most_files(wanted: int, share: int) -> int:
    """Return `wanted`, or less where that is more than one of `share` parts of what this process may have open."""
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if soft == resource.RLIM_INFINITY else min(wanted, max(1, soft // share))


def raise_most_files(wanted: int) -> None:
    """Let this process have so many files open, or as many as it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))


def open_file(path: Path | str) -> FileSource:
    """Return an opened file by its path, links followed; for operators' own sources.

    Raises NotRegular, or OSError when it is missing or may not be read.
    """
    try:
        return FileSource(os.open(path, READ_FLAGS))
    except OSError as error:
        # A socket cannot be opened at all (ENXIO): it is there, and it is no file.
        if error.errno == errno.ENXIO:
            raise NotRegular("This is no regular file.") from error
        raise


@contextmanager
def folder_beneath(root: Path, parts: tuple[str, ...], *, create: bool = False) -> Iterator[int]:
    """Yield a descriptor of the folder `parts` below `root`, walked without following any link.

    Each step is opened relative to the one before, so that a folder swapped for a link in the middle of
    the walk is refused and not followed (openat(2), O_NOFOLLOW). Raises OSError.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    fd = os.open(root, flags)
    try:
        for part in parts:
            if create:
                with _existing_is_fine():
                    os.mkdir(part, dir_fd=fd)
            step = os.open(part, flags | os.O_NOFOLLOW, dir_fd=fd)
            os.close(fd)
            fd = step
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _existing_is_fine() -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        return


def open_beneath(root: Path, parts: tuple[str, ...], made: Callable[[int], S]) -> S:
    """Return what is made of the opened file `parts` below `root`, no link followed. Raises NotRegular or OSError."""
    with folder_beneath(root, parts[:-1]) as folder:
        return made(os.open(parts[-1], READ_FLAGS | os.O_NOFOLLOW, dir_fd=folder))


def sidecars_of(name: str, folder: int | None = None) -> frozenset[str]:
    """Return the names of the sidecars that a file has, beside it; `folder` is a descriptor that `name` counts from.

    Asked for one by one: the folder may hold a million names.
    """
    return frozenset(Path(name + suffix).name for suffix in SIDECAR_SUFFIXES if _there(name + suffix, folder))


def _there(name: str, folder: int | None) -> bool:
    try:
        os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return False
    return True
