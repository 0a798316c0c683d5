"""The folder in memory that the processes of one server share: counts, limits, and the recorder's socket."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "cog-gateway-serve-"
# Until its maker holds the lock a folder has another name.
FRESH = "cog-gateway-fresh-"
FRESH_SECONDS = 60.0
# Less than this, and the folder lies on a disk: a page that cannot be had there kills who writes it.
LEAST_BYTES = 32 << 20


@contextmanager
def shared_folder() -> Iterator[Path]:
    """Yield a new folder that no other user may enter, removed at the end.

    It is locked by this process and all that are forked from it. Those that servers left behind are removed first.
    """
    parent = Path(memory_folder() or tempfile.gettempdir())
    sweep(parent)
    fresh = Path(tempfile.mkdtemp(prefix=FRESH, dir=parent))
    lock = os.open(fresh, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        folder = fresh.rename(parent / fresh.name.replace(FRESH, PREFIX))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def memory_folder() -> str | None:
    """Return a folder whose files lie in memory, where there is one with room in it, else None."""
    shared = "/dev/shm"  # noqa: S108 - a folder of a random name, closed to others, is made in it
    if not os.access(shared, os.W_OK):
        return None
    facts = os.statvfs(shared)
    return shared if facts.f_bavail * facts.f_frsize >= LEAST_BYTES else None


def sweep(parent: Path) -> None:
    """Remove the folders of this user's servers that have ended without a chance to do it themselves."""
    for folder in (*parent.glob(f"{PREFIX}*"), *parent.glob(f"{FRESH}*")):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            fresh = folder.name.startswith(FRESH) and time.time() - folder.stat().st_mtime < FRESH_SECONDS
            if not fresh and _is_free(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _is_free(folder: Path) -> bool:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(lock)
    return True
