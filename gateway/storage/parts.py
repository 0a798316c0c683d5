"""Folders for what is being written, beside its target: locked while their process lives, swept by the next one."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

# Files, by their names before such folders: of a copy, and of the overviews and the mask that GDAL makes of one.
OLDER_PART = re.compile(r"\..{1,100}\.[0-9a-f]{16}\.part(\.(ovr|msk)){0,2}(\.tmp)?", re.DOTALL)
# Nobody locked them; after so long nobody writes to one either.
OLDER_SECONDS = 24 * 3600
PART = re.compile(r"\.cog-gateway-[0-9a-f]{16}\.part")
FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


@contextmanager
def part_folder(folder: int) -> Iterator[int]:
    """Yield the descriptor of a new folder in `folder`, a descriptor too; it is removed with all that is in it.

    The lock on it (flock(2)) ends with the process, however that ends. Parts that nobody holds are removed first.
    Raises OSError.
    """
    sweep(folder)
    name, part = _locked(folder)
    try:
        yield part
    finally:
        shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
        os.close(part)


def sweep(folder: int) -> None:
    """Remove the parts that were left in a folder by processes that ended."""
    for name in os.listdir(folder):
        if PART.fullmatch(name) and (part := _lock(name, folder)) is not None:
            shutil.rmtree(name, ignore_errors=True, dir_fd=folder)
            os.close(part)
        elif OLDER_PART.fullmatch(name):
            _sweep_older(name, folder)


def _sweep_older(name: str, folder: int) -> None:
    """Remove a file that was written under a part's older name, when it was not touched for a day."""
    with suppress(OSError):
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode) and facts.st_mtime < time.time() - OLDER_SECONDS:
            os.unlink(name, dir_fd=folder)


def _locked(folder: int) -> tuple[str, int]:
    """Return the name and the descriptor of a new folder that is locked; one that was swept is made anew."""
    while True:
        name = f".cog-gateway-{secrets.token_hex(8)}.part"
        os.mkdir(name, 0o700, dir_fd=folder)
        part = _lock(name, folder)
        if part is not None:
            return name, part


def _lock(name: str, folder: int) -> int | None:
    """Return the descriptor of a folder with a lock on it, or None where another has it, or it is gone."""
    try:
        part = os.open(name, FOLDER_FLAGS, dir_fd=folder)
    except OSError:
        return None
    try:
        fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.stat(name, dir_fd=folder).st_ino == os.fstat(part).st_ino:
            return part
    except OSError:
        # Held by another, or removed between the two looks.
        pass
    os.close(part)
    return None
