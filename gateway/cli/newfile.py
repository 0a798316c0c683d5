"""A new file for the operator alone: whole and on the disk, or not there at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path` to write to; it takes its name when the block ends well.

    What was not written is not kept: without a file at the temporary path nothing is made. Raises FileExistsError
    when `path` is there already, and other OSErrors.
    """
    if path.exists() or path.is_symlink():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield temporary
        if temporary.exists():
            _sync(temporary, os.O_RDONLY)
            # A link and no rename: what another process has put there meanwhile is not overwritten.
            os.link(temporary, path)
            _sync(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
