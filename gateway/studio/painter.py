"""A painter: tasks from a socket, done in threads, answers back; it ends with the other end."""

from __future__ import annotations

import ctypes
import os
import resource
import socket
import threading
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Any

from gateway import logs
from gateway.files import raise_most_files
from gateway.reading.blockmemory import BlockMemory
from gateway.storage import open_storage
from gateway.studio.confinement import confine, named
from gateway.studio.wire import Kind, Setup, answer_parts, kind_of, kind_of_error, send_all, tasks_from
from gateway.studio.worker import Limits, Worker

# Those of a layer of many files for each thread, and the rasters that are kept open.
OPEN_FILES = 4096
PAGE_MB = resource.getpagesize() / (1 << 20)
# A painter that has grown by so much gives free memory back. Blocks and pictures of all sizes leave gaps, which
# malloc keeps for itself: a hundred megabytes and more.
GROWN_MB = 16


# malloc_trim(3), which glibc has.
TRIM: Callable[[int], int] | None = getattr(ctypes.CDLL(None), "malloc_trim", None)


class Painter:
    """Does what comes from a socket."""

    def __init__(self, sock: socket.socket, setup: Setup, memory: BlockMemory | None = None) -> None:
        self._sock = sock
        raise_most_files(OPEN_FILES)
        self._gate = threading.Lock()
        # Opened before reading is given up.
        self._statm = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
        self._trimmed_mb = self._measured_mb()
        far = {name: open_storage(name, root) for name, root in setup.far.items()}
        self._worker = Worker(far, Limits(setup.gdal_cache_mb), shared_of(setup, memory))
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
        except (TypeError, ValueError, OverflowError, MemoryError, RecursionError) as error:
            parts = answer_parts(number, Kind.FAILURE, f"it cannot travel: {error}", self._resident_mb())
        # Where nobody is left to be told, `run` ends as well.
        with self._gate, suppress(ConnectionError):
            send_all(self._sock, parts)

    def _resident_mb(self) -> int:
        """Return how much memory is in use, what is free given back to the system now and then."""
        found = self._measured_mb()
        if found < self._trimmed_mb + GROWN_MB or TRIM is None:
            return found
        TRIM(0)
        self._trimmed_mb = self._measured_mb()
        return self._trimmed_mb

    def _measured_mb(self) -> int:
        return round(int(os.pread(self._statm, 100, 0).split()[1]) * PAGE_MB)


def shared_of(setup: Setup, memory: BlockMemory | None) -> BlockMemory | None:
    """Return the memory that a painter shares with others: none where it may connect to somebody.

    What painters of local files have read would else have a way out.
    """
    if memory is None or not setup.far:
        return memory
    memory.close()
    return None


def paint(sock: socket.socket, memory: BlockMemory | None = None) -> None:
    """Be a painter: told first what one is to be, then task after task, until the other end is closed.

    `memory` is what it has for decoded blocks together with others.
    """
    arrived = tasks_from(sock)
    # A server that stops as soon as it has begun leaves painters that have not begun.
    with suppress(ConnectionError, EOFError):
        for _, setup, _ in arrived:
            work(sock, setup, arrived, memory)


def work(
    sock: socket.socket, setup: Setup, arrived: Iterator[tuple[int, Any, list[int]]], memory: BlockMemory | None
) -> None:
    """Do the tasks; raises ConnectionError or EOFError where the other end is closed within one."""
    named("cog-painter")
    os.environ.update(setup.environment)
    logs.configure(setup.log_level)
    Painter(sock, setup, memory).run(arrived)
