"""The program of a painter: tasks from a socket, done in threads, answers back; it ends with the other end."""

from __future__ import annotations

import os
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gateway import logs
from gateway.storage import open_storage
from gateway.studio.confinement import confine, die_with, named
from gateway.studio.wire import Kind, Setup, answer_parts, kind_of, kind_of_error, send_all, tasks_from
from gateway.studio.worker import Limits, Worker

PAGE_MB = resource.getpagesize() / (1 << 20)


class Painter:
    """Does what comes from a socket."""

    def __init__(self, sock: socket.socket, setup: Setup) -> None:
        self._sock = sock
        self._gate = threading.Lock()
        # Opened before reading is given up.
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        far = {name: open_storage(name, root) for name, root in setup.far.items()}
        self._worker = Worker(far, Limits(setup.gdal_cache_mb))
        missing = confine(setup.confinement)
        self._lanes = {lane: ThreadPoolExecutor(count, lane) for lane, count in setup.threads.items()}
        # Who waits for a file goes before who waits for a picture, but a start is waited for by all. Threads inherit.
        os.nice(setup.nice)
        # What the first tile would wait for is no part of its time.
        warm = next(iter(self._lanes.values())).submit(self._worker.warm)
        warm.add_done_callback(lambda _: self._send(0, Kind.READY, missing))

    def run(self, arrived: Iterator[tuple[int, Any, list[int]]]) -> None:
        """Work until the other end is closed."""
        for number, task, fds in arrived:
            done = self._lanes[task.lane].submit(self._worker.do, task, fds)
            done.add_done_callback(partial(self._answer, number))

    def _answer(self, number: int, work: Future[Any]) -> None:
        error = work.exception()
        if error is None:
            self._send(number, kind_of(work.result()), work.result())
            return
        kind = kind_of_error(error)
        self._send(number, kind, error if kind is Kind.ERROR else "".join(traceback.format_exception(error)))

    def _send(self, number: int, kind: Kind, value: Any) -> None:
        try:
            parts = answer_parts(number, kind, value, self._resident_mb())
        except (TypeError, ValueError, OverflowError) as error:
            parts = answer_parts(number, Kind.FAILURE, f"it cannot travel: {error}", self._resident_mb())
        # Where nobody is left to be told, `run` ends as well.
        with self._gate, suppress(ConnectionError):
            send_all(self._sock, parts)

    def _resident_mb(self) -> int:
        return round(int(os.pread(self._statm, 100, 0).split()[1]) * PAGE_MB)


def main(descriptor: int) -> None:
    """Run as the child of the process at the other end of a socket."""
    sock = socket.socket(fileno=descriptor)
    arrived = tasks_from(sock)
    # A server that stops as soon as it has begun leaves painters that have not begun.
    with suppress(ConnectionError, EOFError):
        for _, setup, _ in arrived:
            work(sock, setup, arrived)


def work(sock: socket.socket, setup: Setup, arrived: Iterator[tuple[int, Any, list[int]]]) -> None:
    """Be a painter until the other end of the socket is closed; raises ConnectionError or EOFError within a task."""
    die_with(setup.parent, signal.SIGKILL)
    named("cog-painter")
    # What a terminal or a service manager tells a whole group is for the server, which ends its painters itself.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    logs.configure(setup.log_level)
    Painter(sock, setup).run(arrived)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    # Without the clean-up of libraries whose threads may still work on something.
    os._exit(0)
