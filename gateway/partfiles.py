"""Parts as files: each made once by all workers of a machine, kept for a while, the longest unused removed first.

In the folder there is one folder for each part, by its key, with one file in it by its SHA-256; and those of parts
that are being made, each locked by the process that makes it (flock(2)), so that what a process left that died is
known as that.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

from gateway.cog.parts import Part, WrittenPart
from gateway.errors import Unavailable
from gateway.files import FileSource, open_beneath
from gateway.settings.parts import EACH_MB, ON_THE_WAY

KEPT_SECONDS = 86_400
# Raised with what the same part is written like.
WRITER = 2
MAKING, FRESH, LOCK = "making-", "fresh-", "lock"
FRESH_SECONDS = 60.0
DIGEST = re.compile("[0-9a-f]{64}")
# As the process that writes calls it.
MADE = "part.tif"
NO_ROOM = "There is no room for parts just now."


@dataclass(frozen=True, slots=True)
class KeptPart:
    """A part that lies ready."""

    key: str
    sha256: str
    size_bytes: int


def key_of(dataset_id: str, dataset_version: str, part: Part) -> str:
    """Return the key of a part: another one for each other content, and for other libraries that write it."""
    told = [WRITER, version("rasterio"), dataset_id, dataset_version, asdict(part)]
    return hashlib.blake2b(json.dumps(told, sort_keys=True).encode(), digest_size=16).hexdigest()


def needed_bytes(decoded_bytes: int) -> int:
    """Return what a part takes of the disk at most while it is made."""
    return ON_THE_WAY * decoded_bytes + (EACH_MB << 20)


class Making:
    """A part that this process makes in `folder`; to be closed whatever comes of it."""

    def __init__(self, files: PartFiles, key: str, folder: Path, lock: int) -> None:
        self._files, self._key, self._lock = files, key, lock
        self.folder = folder

    def finish(self, written: WrittenPart) -> KeptPart:
        """Return the part, which lies ready from now on; raises Unavailable where it is not there as it was told."""
        made = self.folder / MADE
        with suppress(OSError):
            (self.folder / LOCK).unlink()
            alone = len(list(self.folder.iterdir())) == 1 and made.lstat().st_size == written.size_bytes
            # What writes it decodes a stranger's file, and names a file here.
            if alone and DIGEST.fullmatch(written.sha256):
                made.rename(self.folder / written.sha256)
                os.utime(self.folder)
                self.folder.rename(self._files.folder / self._key)
        found = self._files.find(self._key)
        if found is None:
            raise Unavailable("The part cannot be kept.", retry_after_seconds=5)
        return found

    def close(self) -> None:
        """Remove what is left of the making, and let others try."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self._lock)


class PartFiles:
    """The parts below one folder, in all no more than `limit_bytes`. Every method waits for the disk."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self.folder, self._limit_bytes = folder, limit_bytes

    def find(self, key: str) -> KeptPart | None:
        """Return the part with that key if it lies ready; it is kept for longer then."""
        folder = self.folder / key
        try:
            (file,) = folder.iterdir()
            found = KeptPart(key, file.name, file.lstat().st_size)
            os.utime(folder)
        except (OSError, ValueError):
            return None
        return found

    def open(self, kept: KeptPart) -> FileSource | None:
        """Return the opened file of a part, None where it has been removed meanwhile."""
        try:
            return open_beneath(self.folder, (kept.key, kept.sha256), FileSource)
        except OSError:
            return None

    def begin(self, key: str, decoded_bytes: int) -> Making | None:
        """Return the part to be made by the caller, None where somebody makes it; raises Unavailable without room."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        needed = needed_bytes(decoded_bytes)
        self._make_room(needed)
        fresh = Path(tempfile.mkdtemp(prefix=FRESH, dir=self.folder))
        lock = os.open(fresh / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # One that is made already is not empty, and no folder takes its place.
        folder = self.folder / f"{MAKING}{key}"
        try:
            os.truncate(lock, 0)
            os.write(lock, str(needed).encode())
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh, ignore_errors=True)
            os.close(lock)
            return None
        return Making(self, key, folder, lock)

    def sweep(self) -> None:
        """Remove parts that nobody has asked for in a day, and what processes left that died."""
        self._make_room(0)

    def _make_room(self, needed: int) -> None:
        """Remove what has had its time, and the longest unused parts where there is no room; raises Unavailable."""
        kept: list[tuple[float, int, Path]] = []
        used = needed
        for folder in self._folders():
            with suppress(OSError, ValueError):
                if folder.name.startswith((MAKING, FRESH)):
                    used += 0 if _left(folder) else int((folder / LOCK).read_text() or 0)
                    continue
                at, size = folder.stat().st_mtime, sum(file.lstat().st_size for file in folder.iterdir())
                kept.append((at, size, folder))
                used += size
        for at, size, folder in sorted(kept):
            lacking = used > self._limit_bytes or shutil.disk_usage(self.folder).free < needed
            if lacking or at < time.time() - KEPT_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
                used -= size
        if used > self._limit_bytes or (needed and shutil.disk_usage(self.folder).free < needed):
            raise Unavailable(NO_ROOM, retry_after_seconds=30)

    def _folders(self) -> list[Path]:
        try:
            return list(self.folder.iterdir())
        except OSError:
            return []


def _left(folder: Path) -> bool:
    """Return whether nobody makes a part in the folder any more; then it is gone."""
    if folder.name.startswith(FRESH) and folder.stat().st_mtime > time.time() - FRESH_SECONDS:
        return True
    try:
        lock = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        # On its way to where it lies ready.
        if folder.stat().st_mtime > time.time() - FRESH_SECONDS:
            return False
        shutil.rmtree(folder, ignore_errors=True)
        return True
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    shutil.rmtree(folder, ignore_errors=True)
    return True
