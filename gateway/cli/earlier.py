"""The report that an earlier `check` began: what it tells already, and the lines that are added to it."""

from __future__ import annotations

import fcntl
import json
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import click

from gateway.buckets import BucketSource
from gateway.cli.named import Named
from gateway.cog import reaches, usual_depth
from gateway.cog.depths import DEPTHS
from gateway.digests import Digests
from gateway.errors import GatewayError
from gateway.files import version_of
from gateway.sources import BUCKET_SCHEME, Source

# Of a name and its version; a million take twenty megabytes.
HASH_BYTES = 8
OPENING = b'{"source": '


class Earlier:
    """What was judged before, by the lines of a report; `path` None is no report at all, and nothing.

    A file counts as judged in its version and where the line is as deep as `depth` asks. A torn last line is
    dropped, and lines of what could not be read are not counted. `count` and `bad` tell how many of the sources of
    this run were judged before, and how many of them fail. Raises BadParameter where the file is no such report or
    another command writes it, and OSError.
    """

    def __init__(self, path: Path | None, *, depth: str | None, strict: bool) -> None:
        self._depth, self._strict = depth, strict
        self._good, self._bad = Digests(HASH_BYTES), Digests(HASH_BYTES)
        self.count = self.bad = 0
        self._file = None if path is None else self._opened(path)

    def left(self, found: Iterator[Named]) -> Iterator[Named]:
        """Yield what was not judged before."""
        for item in found:
            if self._file is None or not self._is_told(item):
                yield item

    def add(self, told: dict[str, Any]) -> None:
        """Write a line, whole and at once."""
        if self._file is not None:
            self._file.write(json.dumps(told, allow_nan=False).encode() + b"\n")
            self._file.flush()

    def close(self) -> None:
        """Close the report."""
        if self._file is not None:
            self._file.close()

    def _is_told(self, item: Named) -> bool:
        """Return whether an earlier line judges this very version, and count it."""
        if not len(self._good) + len(self._bad) or (version := version_of_source(item)) is None:
            return False
        key = _key(item.name, version)
        is_bad = key in self._bad
        is_told = is_bad or key in self._good
        self.count += is_told
        self.bad += is_bad
        return is_told

    def _opened(self, path: Path) -> BinaryIO:
        with ExitStack() as stack:
            file = stack.enter_context(os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666), "r+b"))
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise click.BadParameter(f"{path} is no regular file", param_hint="--resume")
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise click.BadParameter(f"another command writes {path}", param_hint="--resume") from None
            end = self._read(file, path)
            file.truncate(end)
            file.seek(end)
            stack.pop_all()
        return file

    def _read(self, file: BinaryIO, path: Path) -> int:
        """Return where the last whole line ends, after all are noted."""
        end = 0
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n") and (line.startswith(OPENING) or OPENING.startswith(line)):
                break
            if not line.endswith(b"\n") or not self._note(line):
                told = f"{path} is no report of check --json: line {number} is none of its lines"
                raise click.BadParameter(told, param_hint="--resume")
            end += len(line)
        return end

    def _note(self, line: bytes) -> bool:
        """Return whether a line is one of a report, after what it says is kept."""
        try:
            told = json.loads(line)
            name, depth = told["source"], told["depth"]
            bad = bool(told["errors"]) or (self._strict and bool(told["warnings"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        if depth is not None and depth not in DEPTHS:
            return False
        version = told.get("version")
        if isinstance(name, str) and isinstance(version, str) and reaches(depth, self._wanted(name)):
            (self._bad if bad else self._good).add(_key(name, version))
        return True

    def _wanted(self, name: str) -> str:
        return self._depth or usual_depth(remote=name.startswith(BUCKET_SCHEME))


def version_of_source(item: Named) -> str | None:
    """Return the version of a source as it is now, or as its listing told it; None where there is none."""
    try:
        if isinstance(item, Source):
            return version_of(item.path.stat())
        if isinstance(item, BucketSource):
            return item.version or item.storage.stat(item.key).version
    except (OSError, ValueError, GatewayError):
        pass
    return None


def _key(name: str, version: str) -> str:
    return f"{version} {name}"
