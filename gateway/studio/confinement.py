"""What a process gives up before it touches a stranger's file: writing, reading beside its libraries, the network.

Landlock (kernel 5.13 and newer, landlock(7)) and a seccomp filter (seccomp(2)) hold for this thread and those that it
starts: `confine` is for a process that has only one.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.studio import seccomp

PR_SET_PDEATHSIG, PR_SET_NAME, PR_SET_NO_NEW_PRIVS = 1, 15, 38
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446
LANDLOCK_VERSION_FLAG, LANDLOCK_PATH_BENEATH = 1, 1
READ_FILE, READ_DIR = 1 << 2, 1 << 3
# Reading, and to make, fill, cut and remove regular files: no folder, link, pipe or device.
WRITE = READ_FILE | READ_DIR | 1 << 1 | 1 << 5 | 1 << 8 | 1 << 14
# How many rights over files, over TCP and over other processes each version of Landlock knows.
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
TCP_FROM, TCP_RIGHTS = 4, 3
SCOPES_FROM, SCOPES = 6, 3
O_PATH = 0o10000000
# Settings that name folders of GDAL's and PROJ's own data.
DATA_FOLDERS = ("GDAL_DATA", "PROJ_DATA", "PROJ_LIB")


@dataclass(frozen=True, slots=True)
class Confinement:
    """What a process may still do: read beneath these folders, see the names beneath others, speak to the network.

    Beneath `writable` it may read and write files, none of more than `file_mb`.
    """

    readable: tuple[str, ...] = ()
    listable: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    network: bool = False
    memory_mb: int = 0
    file_mb: int = 0


def library_folders() -> Iterator[str]:
    """Yield the folders that Python, its packages and the data of GDAL and PROJ lie in."""
    for prefix in {sys.prefix, sys.base_prefix, "/usr", "/"}:
        yield from (f"{prefix}/{name}" for name in ("lib", "lib64", "share/proj", "share/gdal"))
    yield from (path for path in sys.path if path.endswith(("site-packages", "dist-packages", ".zip")))
    yield str(Path(__file__).parent.parent)
    yield from ("/usr/share/zoneinfo", "/etc/ld.so.cache")
    named = (path for name in DATA_FOLDERS for path in os.environ.get(name, "").split(os.pathsep))
    yield from (path for path in named if os.path.isabs(path))  # noqa: PTH117 - a text, which may be empty


def die_with(parent: int, signal_number: int) -> None:
    """Ask the kernel for a signal when the parent ends (prctl(2), PR_SET_PDEATHSIG; Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal_number)
    # It may have ended before the call.
    if os.getppid() != parent:
        os._exit(1)


def named(name: str) -> None:
    """Give the process a name that the system's tools show (prctl(2), PR_SET_NAME; Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def confine(what: Confinement) -> tuple[str, ...]:
    """Give up what is not needed; returns what could not be had on this system, in words."""
    missing = []
    if sum(1 for _ in Path("/proc/self/task").iterdir()) > 1:
        missing.append("threads that run already")
    _limit(what.memory_mb)
    if what.file_mb:
        # Python ignores SIGXFSZ: a longer file is an error of writing.
        resource.setrlimit(resource.RLIMIT_FSIZE, (what.file_mb << 20, what.file_mb << 20))
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        missing.append("no_new_privs")
    if not _landlock(replace(what, readable=(*library_folders(), *what.readable))):
        missing.append("Landlock")
    if not seccomp.install(network=what.network):
        missing.append("seccomp")
    return tuple(missing)


def _limit(memory_mb: int) -> None:
    """Bound the address space by what is in use now and so much more, and write no core."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if memory_mb:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        most = used + (memory_mb << 20)
        resource.setrlimit(
            resource.RLIMIT_AS, (most, most) if hard == resource.RLIM_INFINITY else (min(most, hard), hard)
        )


def _landlock(what: Confinement) -> bool:
    """Return whether this thread may from now on only read and write beneath these folders and files."""
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(LANDLOCK_CREATE, None, 0, LANDLOCK_VERSION_FLAG)
    if version < 1:
        return False
    files = (1 << FILE_RIGHTS.get(version, 16)) - 1
    tcp = TCP_RIGHTS if version >= TCP_FROM and not what.network else 0
    scopes = SCOPES if version >= SCOPES_FROM else 0
    # struct landlock_ruleset_attr; older kernels take fewer members.
    members = [files, *([tcp] if version >= TCP_FROM else []), *([scopes] if version >= SCOPES_FROM else [])]
    attributes = struct.pack(f"<{len(members)}Q", *members)
    rules = libc.syscall(LANDLOCK_CREATE, attributes, len(attributes), 0)
    if rules < 0:
        return False
    try:
        for path in set(what.readable):
            _allow(libc, rules, path, READ_FILE | (READ_DIR if Path(path).is_dir() else 0))
        for path in set(what.listable):
            _allow(libc, rules, path, READ_DIR)
        for path in set(what.writable):
            _allow(libc, rules, path, WRITE & files)
        return bool(libc.syscall(LANDLOCK_RESTRICT, rules, 0) == 0)
    finally:
        os.close(rules)


def _allow(libc: ctypes.CDLL, rules: int, path: str, rights: int) -> None:
    with suppress(OSError):
        fd = os.open(path, O_PATH | os.O_CLOEXEC)
        try:
            # struct landlock_path_beneath_attr, packed.
            libc.syscall(LANDLOCK_ADD, rules, LANDLOCK_PATH_BENEATH, struct.pack("<Qi", rights, fd), 0)
        finally:
            os.close(fd)
