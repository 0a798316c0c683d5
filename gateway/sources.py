"""The files that an operator means by the arguments of a command: files, folders, patterns, and a list on stdin."""

from __future__ import annotations

import errno
import glob
import os
import stat
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

from gateway.catalogue.overviews import FOLDER
from gateway.digests import Digests
from gateway.errors import GatewayError
from gateway.files import SIDECAR_SUFFIXES, open_file

BUCKET_SCHEME = "s3://"
SUFFIXES = (".tif", ".tiff", ".gtiff")
# TIFF 6.0 section 2 and the BigTIFF header (version 43), in both byte orders.
UTF_16_MARKS = (BOM_UTF16_LE, BOM_UTF16_BE)
LIST_BYTES = 64 * 1024
# Of a name on a list; no system takes a longer path.
LONGEST_NAME = 64 * 1024
MAGICS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True)
class Source:
    """One thing to judge: `relative` is its name below the folder that was given, else its file name."""

    name: str
    path: Path
    relative: str


class Lack(StrEnum):
    """Why an argument names no source: nothing readable is there, or a folder holds no raster."""

    MISSING = "missing"
    NO_RASTER = "no-raster"


@dataclass(frozen=True, slots=True)
class Problem:
    """An argument that names no source, and a sentence that says why."""

    name: str
    lack: Lack
    message: str


class Named(Protocol):
    """What has a name of its own, unlike any other's."""

    @property
    def name(self) -> str:
        """Return the name."""


R = TypeVar("R", bound=Named)


@dataclass
class Hidden:
    """How many names that begin with a dot were passed over in folders, and the path of the first of them."""

    count: int = 0
    first: str = ""

    def without(self, folder: Path, names: Iterable[str]) -> Iterator[str]:
        """Yield the names in a folder that are not hidden."""
        for name in names:
            if name == FOLDER:
                continue
            if name.startswith("."):
                self.first = self.first or str(folder / name)
                self.count += 1
            else:
                yield name

    def add(self, other: Hidden) -> None:
        """Count in what was passed over elsewhere."""
        self.first = self.first or other.first
        self.count += other.count

    def told(self) -> str:
        """Return a sentence, without its full stop, that says what was passed over."""
        if self.count == 1:
            return f"1 hidden name was passed over: {self.first}"
        return f"{self.count} hidden names were passed over: {self.first} and {self.count - 1} more"


def no_bucket(name: str) -> Iterator[Problem]:
    """Yield the problem that this command reads no buckets."""
    yield Problem(name, Lack.MISSING, "objects of buckets are not read here")


def names_in(stream: BinaryIO, null: bool = False) -> Iterator[str]:
    """Yield the names of a list: one a line, or with `null` ended by a NUL each and taken as they are.

    A byte order mark at the beginning is none of a name; by it UTF-16 is known, in which some shells write. Bytes
    that are no UTF-8 are kept as the file system's functions keep them.
    """
    mark = stream.read(2)
    chunks = chain((mark,), iter(partial(stream.read1, LIST_BYTES), b""))  # type: ignore[attr-defined]
    coding, errors = ("utf-16", "replace") if mark in UTF_16_MARKS else ("utf-8-sig", "surrogateescape")
    decoder = getincrementaldecoder(coding)(errors)
    begun: list[str] = []
    length = 0
    for chunk in chain(chunks, (b"",)):
        first, *others = decoder.decode(chunk, final=not chunk).split("\0" if null else "\n")
        # No path is so long, and a list may be anything: of a longer name the rest is left out.
        if length < LONGEST_NAME:
            begun.append(first)
            length += len(first)
        for other in others:
            yield "".join(begun) if null else "".join(begun).rstrip("\r")
            begun, length = [other], len(other)
    yield "".join(begun) if null else "".join(begun).rstrip("\r")


def expand(
    arguments: Sequence[str],
    stdin: Iterable[str],
    of_bucket: Callable[[str], Iterator[R | Problem]] = no_bucket,
    hidden: Hidden | None = None,
    listed: Iterable[R] = (),
) -> Iterator[Source | R | Problem]:
    """Yield what the arguments name, in their order, and then what is `listed`: each once however often it is named.

    A folder stands for the rasters below it in the order of their names: links to folders are not followed,
    names that begin with a dot are skipped, and counted in `hidden` where the folder holds rasters as well; a
    folder without any tells of them itself. A pattern (`**` allowed) is one only where no file has that name.
    `-` stands for the names on `stdin`, read once; empty ones are passed over. Sidecars of a raster beside them are
    none of the files of a folder or a pattern. Nothing raises for a source that is not there.
    Names are looked up as they are asked for, a folder or a pattern at a time. What begins with s3:// is what
    `of_bucket` makes of it.
    """
    seen = Digests()
    for found in chain(_each(arguments, stdin, of_bucket, hidden or Hidden()), listed):
        if not isinstance(found, Problem):
            name = os.path.realpath(found.path) if isinstance(found, Source) else found.name
            if not seen.add(name):
                continue
        yield found


def modified_since(found: Source | Problem, moment: datetime) -> bool:
    """Return whether a file was modified at a moment or after it; what cannot be asked counts as modified."""
    try:
        return not isinstance(found, Source) or found.path.stat().st_mtime >= moment.timestamp()
    except OSError:
        return True


def _each(
    arguments: Sequence[str], stdin: Iterable[str], of_bucket: Callable[[str], Iterator[R | Problem]], hidden: Hidden
) -> Iterator[Source | R | Problem]:
    names = iter(stdin)
    for argument in arguments:
        if argument == "-":
            for name in names:
                if name.strip():
                    yield from of_bucket(name) if name.startswith(BUCKET_SCHEME) else _path(name, hidden)
        elif argument.startswith(BUCKET_SCHEME):
            yield from of_bucket(argument)
        elif glob.has_magic(argument) and not os.path.lexists(argument):
            yield from _pattern(argument, hidden)
        else:
            yield from _path(argument, hidden)


def _path(name: str, hidden: Hidden) -> Iterator[Source | Problem]:
    """Yield the source of one path, or those of the folder that it names."""
    try:
        # By the text: the empty name is no file, while Path("") is the working directory.
        mode = os.stat(name).st_mode  # noqa: PTH116
    except (OSError, ValueError) as error:
        yield _missing(name, error)
        return
    path = Path(name)
    if stat.S_ISDIR(mode):
        yield from _folder(name, path, hidden)
    else:
        yield Source(name, path, path.name)


def _missing(name: str, error: OSError | ValueError) -> Problem:
    if isinstance(error, FileNotFoundError):
        what = "a link that leads nowhere" if os.path.islink(name) else "no such file or folder"  # noqa: PTH114
        return Problem(name, Lack.MISSING, what)
    if isinstance(error, OSError) and error.errno == errno.ELOOP:
        return Problem(name, Lack.MISSING, "a link that leads back to itself")
    reason = os.strerror(error.errno).lower() if isinstance(error, OSError) and error.errno else "no usable path"
    return Problem(name, Lack.MISSING, f"cannot be read: {reason}")


def _pattern(pattern: str, hidden: Hidden) -> Iterator[Source | Problem]:
    """Yield what a pattern matches; `**` goes into the folders by itself, so their names are passed over."""
    recursive = "**" in pattern
    matches = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - keeps the spelling that was given
    found = [name for name in matches if not (recursive and Path(name).is_dir())]
    names = [name for name in found if not is_sidecar(name)]
    if not names:
        what = "only sidecars of other files match" if found else "no file matches"
        yield Problem(pattern, Lack.MISSING, f"{what} this pattern")
    for name in names:
        yield from _path(name, hidden)


def _folder(name: str, folder: Path, hidden: Hidden) -> Iterator[Source | Problem]:
    """Yield the rasters below a folder, and a problem for it when there is none."""
    empty, here = True, Hidden()
    for found in _walk(folder, here):
        empty = False
        yield found
    if empty:
        told = f"; {here.told()}" if here.count else ""
        yield Problem(name, Lack.NO_RASTER, f"the folder has no raster in it{told}")
    else:
        hidden.add(here)


def _walk(folder: Path, hidden: Hidden) -> Iterator[Source | Problem]:
    # A stack and no recursion: a tree may be deeper than the interpreter's own stack.
    pending: list[Iterator[Path]] = [iter((folder,))]
    while pending:
        path = next(pending[-1], None)
        if path is None:
            pending.pop()
        elif path is folder or (path.is_dir() and not path.is_symlink()):
            try:
                names = sorted(hidden.without(path, os.listdir(path)))  # noqa: PTH208
            except OSError as error:
                yield _missing(str(path), error)
                continue
            # Names only, made to paths one by one: a folder may hold a million of them.
            pending.append(map(path.joinpath, names))
        elif path.is_symlink() and (broken := _why_broken(path)):
            yield _missing(str(path), broken)
        elif is_candidate(path):
            yield Source(str(path), path, path.relative_to(folder).as_posix())


def _why_broken(path: Path) -> OSError | None:
    """Return why a link leads to nothing that is there, or None."""
    try:
        path.stat()
    except OSError as error:
        return error
    return None


def is_sidecar(name: str) -> bool:
    """Return whether a name is that of a sidecar whose raster stands beside it, as GDAL looks for them."""
    return any(name.endswith(suffix) and os.path.lexists(name.removesuffix(suffix)) for suffix in SIDECAR_SUFFIXES)


def is_candidate(path: Path) -> bool:
    """Return whether a name found in a folder looks like a TIFF: by its suffix, or by its first four bytes.

    A sidecar of another file is none.
    """
    if path.is_dir() or is_sidecar(str(path)):
        return False
    if path.suffix.lower() in SUFFIXES:
        return True
    try:
        with open_file(path) as file:
            return file.read_at(0, 4) in MAGICS
    except (OSError, GatewayError):
        return False


def is_utf8(name: str) -> bool:
    """Return whether the name of a file can be stored: all of its bytes are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
