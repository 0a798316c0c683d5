"""How a server has painters forked, and what it knows of each from then on."""

from __future__ import annotations

import os
import select
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from gateway.studio.confinement import DATA_FOLDERS

PROGRAM = "gateway.studio.forkserver"
# A request has two descriptors with this byte: the socket of the painter's tasks, and the one where its fate is told.
REQUEST = b"f"
# What is told of a painter: its number, and in the end its exit code as subprocess has it.
TOLD = struct.Struct("<i")
# Signals that are for the server alone; blocked until the program ignores them, or one at its start would end it.
SERVERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# What of the environment painters may have, by name: further settings of GDAL and its network may be secrets. Those
# of a store in a network only where they read from one.
KEPT = ("PATH", "LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH", "VIRTUAL_ENV", "CPL_DEBUG", "PROJ_DEBUG", *DATA_FOLDERS)
KEPT_FAR = ("HOME", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "SSL_CERT_FILE")
# One thread for each task is what there is to be, and arenas of malloc are memory that is never given back.
OWN = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1", "PYTHONDONTWRITEBYTECODE": "1"}


class Forked:
    """A painter's process, as who asked for it sees it."""

    def __init__(self, fate: socket.socket) -> None:
        fate.setblocking(False)
        self._fate = fate
        self._told = b""
        self._over = False

    @property
    def pid(self) -> int:
        """Return the number of the process, 0 as long as it has not begun."""
        self._listen()
        return int(TOLD.unpack_from(self._told)[0]) if len(self._told) >= TOLD.size else 0

    def poll(self) -> int | None:
        """Return the exit code as subprocess has it, None as long as the process runs or is to begin.

        -SIGKILL of one that ended with the process it was forked from, or never began.
        """
        self._listen()
        if len(self._told) >= 2 * TOLD.size:
            return int(TOLD.unpack_from(self._told, TOLD.size)[0])
        return -signal.SIGKILL if self._over else None

    def wait(self, seconds: float) -> bool:
        """Return whether the process has ended within that time."""
        until = time.monotonic() + seconds
        # Not select(2), which takes no descriptor beyond the first 1024.
        told = select.poll()
        if self.poll() is None:
            told.register(self._fate, select.POLLIN)
        # The number first, then the end: the first may be all that comes.
        while self.poll() is None and (left := until - time.monotonic()) > 0:
            told.poll(left * 1000)
        return self.poll() is not None

    def kill(self) -> None:
        """End the process at once."""
        with suppress(OSError):
            self._fate.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hear no more of the process; it is killed where it still runs."""
        self._over = True
        self._fate.close()

    def _listen(self) -> None:
        if self._over:
            return
        try:
            while found := self._fate.recv(2 * TOLD.size):
                self._told += found
            self.close()
        except BlockingIOError:
            return
        except OSError:
            self.close()


class Forks:
    """The way to the process that painters are forked from: `asking`, or one of one's own that begins when needed.

    The painters of one's own share `blocks_mb` for decoded blocks.
    """

    def __init__(self, asking: socket.socket | None = None, blocks_mb: int = 0) -> None:
        self._asking = asking
        self._blocks_mb = blocks_mb
        self._shared = asking is not None
        self._process: subprocess.Popen[bytes] | None = None

    def fork(self, tasks: socket.socket) -> Forked:
        """Return a painter that takes its tasks from a socket; one that cannot begin has ended."""
        ours, theirs = socket.socketpair()
        with theirs:
            if not self._ask(tasks, theirs) and not self._shared:
                self._ask(tasks, theirs)
        return Forked(ours)

    def close(self) -> None:
        """End the process, if it is one's own."""
        if not self._shared and self._asking is not None:
            self._asking.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _ask(self, *sockets: socket.socket) -> bool:
        """Return whether a request is on its way; without one both sockets are closed, and that is seen."""
        if self._asking is None:
            self._start()
        asking = self._asking
        try:
            if asking is not None:
                socket.send_fds(asking, [REQUEST], [each.fileno() for each in sockets], socket.MSG_DONTWAIT)
            return True
        except OSError:
            # It has ended, or so many wait already that nobody may wait for it.
            if not self._shared and asking is not None:
                asking.close()
                self._asking = None
            return False

    def _start(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._asking, theirs = asking_pair()
        with theirs:
            before = signal.pthread_sigmask(signal.SIG_BLOCK, SERVERS)
            try:
                self._process = subprocess.Popen(
                    line(theirs, self._blocks_mb),
                    stdin=subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env=environment(),
                    cwd="/",
                )
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)


def asking_pair() -> tuple[socket.socket, socket.socket]:
    """Return both ends of the way on which painters are asked for: who asks, and who forks."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def run_program(requests: socket.socket, blocks_mb: int = 0) -> None:
    """Become the process that forks painters, a child of this one's parent; never returns.

    They share `blocks_mb` for decoded blocks.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, SERVERS)
    os.set_inheritable(requests.fileno(), True)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    # What the server was started with, such as the lock of a script, is not for painters.
    for fd in {int(each.name) for each in Path("/proc/self/fd").iterdir()} - {0, 1, 2, requests.fileno()}:
        # One is that of the list itself, which is closed by now.
        with suppress(OSError):
            os.set_inheritable(fd, False)
    os.chdir("/")
    os.execve(sys.executable, line(requests, blocks_mb, os.getppid()), environment())  # noqa: S606 - our own program


def line(requests: socket.socket, blocks_mb: int, parent: int | None = None) -> list[str]:
    """Return the command line of the program, which ends with that parent."""
    return [sys.executable, "-m", PROGRAM, str(requests.fileno()), str(parent or os.getpid()), str(blocks_mb)]


def environment() -> dict[str, str]:
    """Return what all painters get of the environment: no secret of the gateway, and none of a store."""
    return {**_kept(KEPT), **OWN, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}


def far_environment() -> dict[str, str]:
    """Return what painters that read from a store get beside that."""
    return _kept(KEPT_FAR, ("AWS_",))


def _kept(names: tuple[str, ...], prefixes: tuple[str, ...] = ()) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in names or name.startswith(prefixes)}
