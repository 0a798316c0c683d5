"""A folder or a file that is there whole or not at all, also where an older one is replaced."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from gateway.errors import SettingsError

# renameat2(2).
AT_FDCWD, NO_REPLACE, EXCHANGE = -100, 1, 2
# Of file systems and kernels that do not know it.
UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)
PART = ".part"


@contextmanager
def written_whole(path: Path, make: Callable[[Path], None], is_older: Callable[[Path], bool]) -> Iterator[Path]:
    """Yield a temporary path beside `path`, just made by `make`; it takes its place when the block ends well.

    What is there already is replaced at one moment where `is_older` says that it may be, and an empty folder is;
    else SettingsError is raised. What a killed process left of the same is removed first. Raises OSError.
    """
    path = path.absolute()
    _require_place(path, is_older)
    _sweep(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{PART}")
    make(temporary)
    lock = os.open(temporary, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield temporary
        # Or the name could outlive what it names.
        os.sync()
        _put(temporary, path)
    finally:
        _remove(temporary)
        os.close(lock)


def _require_place(path: Path, is_older: Callable[[Path], bool]) -> None:
    if not path.parent.is_dir():
        raise SettingsError(f"there is no folder {path.parent}")
    if (path.exists() or path.is_symlink()) and not (_is_empty(path) or is_older(path)):
        raise SettingsError(f"{path} is there already, and no older export of this collection: name another place")


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink() and not any(path.iterdir())


def _put(temporary: Path, path: Path) -> None:
    """Give what is at a temporary path its name; what had that name is at the temporary path then."""
    if not path.exists():
        _rename(temporary, path, NO_REPLACE)
        return
    try:
        _rename(temporary, path, EXCHANGE)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise
        older = temporary.with_name(f"{temporary.name}-older{PART}")
        path.rename(older)
        temporary.rename(path)
        older.rename(temporary)


def _rename(source: Path, target: Path, flag: int) -> None:
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS)) from None
    if renameat2(AT_FDCWD, os.fsencode(source), AT_FDCWD, os.fsencode(target), flag) == 0:
        return
    number = ctypes.get_errno()
    if flag == NO_REPLACE and number in UNKNOWN:
        source.rename(target)
        return
    raise OSError(number, os.strerror(number), str(target))


def _sweep(path: Path) -> None:
    """Remove what processes that are no more have left of this place."""
    for left in path.parent.iterdir():
        if not (left.name.startswith(f".{path.name}.") and left.name.endswith(PART)):
            continue
        with suppress(OSError):
            lock = os.open(left, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(left)
            finally:
                os.close(lock)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
