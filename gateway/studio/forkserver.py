"""The program that painters are forked from: it loads once what all of them need, and does nothing itself.

A forked painter shares that memory with the others, and begins at once. What this process has is what a painter may
have: its environment holds no secret, and it has opened nothing.
"""

from __future__ import annotations

import gc
import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module

from gateway.allocator import give_large_blocks_back
from gateway.reading.blockmemory import BlockMemory
from gateway.studio import painter
from gateway.studio.confinement import die_with, named
from gateway.studio.forks import REQUEST, SERVERS, TOLD
from gateway.tiles.loading import load_rio_tiler

# All that some task needs, besides rio-tiler.
LOADED = (
    "gateway.studio.works", "gateway.tiles.facts", "gateway.colour.legends", "gateway.tiles.resampled",
    "gateway.colour.values", "gateway.tiles.wmts",
)  # fmt: skip
# The descriptors of a request.
EACH = 2


class ForkServer:
    """Forks a painter for each request, tells its number and its exit code, and kills it for who wants that.

    Who asked wants a painter killed when the socket of its fate is shut, as also happens when who asked ends.
    """

    def __init__(self, requests: socket.socket, paint: Callable[[socket.socket], None]) -> None:
        self._requests, self._paint = requests, paint
        self._selector = selectors.DefaultSelector()
        self._selector.register(requests, selectors.EVENT_READ)
        self._fates: dict[int, socket.socket] = {}
        self._woken, waker = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._waker = waker
        self._selector.register(self._woken, selectors.EVENT_READ)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker)

    def run(self) -> None:
        """Fork until nobody can ask any more."""
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._requests:
                    if not self._take():
                        return
                elif key.fileobj == self._woken:
                    self._reap()
                else:
                    self._shut(key.data, key.fileobj)

    def _take(self) -> bool:
        """Return whether there was a request."""
        try:
            found, fds, _, _ = socket.recv_fds(self._requests, len(REQUEST), EACH)
        except ConnectionError:
            return False
        if not found:
            return False
        # Without descriptors, or memory for another process, who asked sees both sockets closed.
        if len(fds) < EACH:
            for fd in fds:
                os.close(fd)
            return True
        tasks, fate = (socket.socket(fileno=fd) for fd in fds)
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            fate.close()
        else:
            if pid == 0:
                self._become_painter(tasks, fate, parent)
            self._fates[pid] = fate
            self._selector.register(fate, selectors.EVENT_READ, pid)
            self._tell(pid, pid)
        tasks.close()
        return True

    def _become_painter(self, tasks: socket.socket, fate: socket.socket, parent: int) -> None:
        """Be a painter until its tasks end, with nothing of the other ones."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._selector.close()
            for left in (self._requests, fate, *self._fates.values()):
                left.close()
            os.close(self._woken)
            os.close(self._waker)
            die_with(parent, signal.SIGKILL)
            self._paint(tasks)
            code = 0
        finally:
            if code:
                sys.excepthook(*sys.exc_info())
            # Without the clean-up of libraries whose threads may still work on something.
            os._exit(code)

    def _shut(self, pid: int, fate: object) -> None:
        """Kill a painter that nobody wants any more; it is told when it has ended."""
        # Its end may have been met a moment before, and its number be another one's by now.
        if self._fates.get(pid) is fate:
            self._selector.unregister(self._fates[pid])
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Tell of each painter that has ended how it did."""
        with suppress(BlockingIOError):
            os.read(self._woken, 4096)
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = ended
                self._tell(pid, os.waitstatus_to_exitcode(status))
                fate = self._fates.pop(pid)
                with suppress(KeyError, ValueError):
                    self._selector.unregister(fate)
                fate.close()

    def _tell(self, pid: int, what: int) -> None:
        with suppress(OSError):
            self._fates[pid].send(TOLD.pack(what), socket.MSG_DONTWAIT)


def main(descriptor: int, parent: int, blocks_mb: int = 0) -> None:
    """Fork painters for who holds the other end of a socket, a child of that process.

    What was loaded stays in this process; one forked from it does the work, so that another one does it at once
    where that is killed. The painters share `blocks_mb` for decoded blocks; with 0 each has its own.
    """
    die_with(parent, signal.SIGKILL)
    # What a terminal or a service manager tells a whole group is for the server, which ends its painters itself.
    for number in SERVERS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    named("cog-loaded")
    give_large_blocks_back()
    load_rio_tiler()
    for name in LOADED:
        import_module(name)
    gc.collect()
    # A collection in a painter would write to every object, and have it for itself then.
    gc.freeze()
    requests = socket.socket(fileno=descriptor)
    memory = BlockMemory(blocks_mb << 20, shared=True) if blocks_mb else None
    while _killed(lambda: ForkServer(requests, partial(painter.paint, memory=memory)).run()):
        pass


def _killed(work: Callable[[], None]) -> bool:
    """Return whether a process that did some work was ended by a signal."""
    parent = os.getpid()
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) < 0
    code = 1
    try:
        die_with(parent, signal.SIGKILL)
        named("cog-forkserver")
        work()
        code = 0
    finally:
        if code:
            sys.excepthook(*sys.exc_info())
        os._exit(code)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
