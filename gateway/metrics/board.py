"""Values of several processes in one folder: each process writes files of its own, whoever is asked reads them all.

The files and their merging are those of prometheus_client's multi-process mode; only the way in differs, because the
library takes its folder from the environment once, when it is imported.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, mmap_dict, multiprocess, utils

log = logging.getLogger("gateway")
LOCK = ".lock"
# Somebody who was stopped with the lock in his hands keeps nobody from starting, or from reading.
LOCK_SECONDS, LOCK_PAUSE_SECONDS = 1.0, 0.005
# What processes that are gone have counted; no process has this number.
GONE = "0"
FIRST_BYTES = 1 << 16
# The library has no types for these.
MappedFile: Any = mmap_dict.MmapedDict
Collector: Any = multiprocess.MultiProcessCollector
number: Any = utils.floatToGoString


class ValueFile(MappedFile):  # type: ignore[misc]
    """A file of values whose pages are all there: one that cannot be had kills the process that touches it.

    Where there is no room an OSError says so.
    """

    def __init__(self, path: Path) -> None:
        with ExitStack() as unless_had:
            file = unless_had.enter_context(path.open("ab"))
            if path.stat().st_size == 0:
                # One that is empty cannot be read by the library.
                unless_had.callback(path.unlink)
                os.posix_fallocate(file.fileno(), 0, FIRST_BYTES)
            unless_had.pop_all()
            file.close()
        super().__init__(str(path))

    def _init_value(self, key: str) -> None:
        # The library doubles the file by a hole and fills it later. 28 are a length, padding and two doubles.
        if self._used + len(key.encode()) + 28 > self._capacity:
            os.posix_fallocate(self._f.fileno(), 0, 2 * self._capacity)
        super()._init_value(key)


class Board:
    """The values that this process writes into `folder`. Make it after a fork; any thread may write.

    Counters of processes that are gone stay; their gauges go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gate = threading.Lock()
        self._files: dict[str, Any] = {}
        # What the files hold, because writing alone is quicker than reading and writing.
        self._sums: dict[str, float] = {}
        self._full = False
        _bury(folder)

    def add(self, kind: str, key: str, amount: float) -> None:
        """Raise the value of a key in the file of its kind."""
        with self._gate:
            try:
                file, before = self._file(kind), self._sums.get(key)
                if before is None:
                    before = file.read_value(key)[0]
                file.write_value(key, before + amount, 0.0)
                self._sums[key] = before + amount
            except OSError as error:
                self._lose(error)

    def put(self, kind: str, key: str, value: float) -> None:
        """Set the value of a key in the file of its kind."""
        with self._gate:
            try:
                self._file(kind).write_value(key, value, time.time())
            except OSError as error:
                self._lose(error)

    def close(self) -> None:
        """Close the files; the gauges of this process are gone then."""
        with self._gate:
            for file in self._files.values():
                file.close()
            self._files.clear()
            self._sums.clear()
            for path in self._folder.glob(f"gauge_*_{process_name(os.getpid())}.db"):
                path.unlink(missing_ok=True)

    def _file(self, kind: str) -> Any:
        found = self._files.get(kind)
        if found is None:
            found = self._files[kind] = ValueFile(self._folder / f"{kind}_{process_name(os.getpid())}.db")
        return found

    def _lose(self, error: OSError) -> None:
        """Let what is counted go where there is no room for it: no answer is to fail for that."""
        if not self._full:
            log.warning("some counts are lost: no room in %s (%s)", self._folder, error.strerror)
        self._full = True


class Counter:
    """A number that only rises, for each combination of labels; those that are `known` begin at 0.

    What appears with its first event has not risen: Prometheus' increase() does not see that event.
    """

    kind = "counter"

    def __init__(
        self,
        board: Board,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        known: Iterable[tuple[str, ...]] | None = None,
    ) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._board = board
        self._keys: dict[tuple[str, ...], str] = {}
        self._told: dict[tuple[str, ...], float] = {}
        for values in known if known is not None else () if labels else ((),):
            self.add(*values, amount=0.0)

    def add(self, *values: str, amount: float = 1.0) -> None:
        """Raise the number that belongs to the labels' values."""
        self._board.add(self.kind, self._key(values), amount)

    def follow(self, total: float, *values: str) -> None:
        """Raise the number by what `total`, which this process counts elsewhere, has risen since the last call."""
        self.add(*values, amount=total - self._told.get(values, 0.0))
        self._told[values] = total

    def _key(self, values: tuple[str, ...]) -> str:
        key = self._keys.get(values)
        if key is None:
            key = key_of(self.name, f"{self.name}_total", self.labels, values, self.help)
            self._keys[values] = key
        return key


class Gauge:
    """A number that rises and falls; over the processes the sum, or with `mode` livemax the largest."""

    def __init__(
        self, board: Board, name: str, help: str, labels: Sequence[str] = (), *, mode: str = "livesum"
    ) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self.kind = f"gauge_{mode}"
        self._board = board

    def set(self, value: float, *values: str) -> None:
        """Set the number that belongs to the labels' values."""
        self._board.put(self.kind, key_of(self.name, self.name, self.labels, values, self.help), value)


class Histogram:
    """How often something was how large, for each combination of labels; `bounds` are upper bounds, rising.

    Those combinations that are `known` are there from the beginning.
    """

    kind = "histogram"

    def __init__(
        self,
        board: Board,
        name: str,
        help: str,
        labels: Sequence[str] = (),
        *,
        bounds: Sequence[float],
        known: Iterable[tuple[str, ...]] | None = None,
    ) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._board = board
        self._bounds = (*bounds, float("inf"))
        self._keys: dict[tuple[str, ...], tuple[str, list[str]]] = {}
        for values in known if known is not None else () if labels else ((),):
            self._key(values)

    def observe(self, value: float, *values: str) -> None:
        """Count one value."""
        total, buckets = self._key(values)
        self._board.add(self.kind, total, value)
        self._board.add(self.kind, buckets[bisect_left(self._bounds, value)], 1.0)

    def _key(self, values: tuple[str, ...]) -> tuple[str, list[str]]:
        keys = self._keys.get(values)
        if keys is None:
            names = (*self.labels, "le")
            buckets = [
                key_of(self.name, f"{self.name}_bucket", names, (*values, number(bound)), self.help)
                for bound in self._bounds
            ]
            keys = key_of(self.name, f"{self.name}_sum", self.labels, values, self.help), buckets
            # All of them at once: a bucket that is missing would change what quantiles are read from the others.
            for key in buckets:
                self._board.add(self.kind, key, 0.0)
            self._keys[values] = keys
        return keys


def exposition(folder: Path) -> bytes:
    """Return what all processes have counted, in Prometheus' text format."""
    _bury(folder)
    with _locked(folder):
        registry = CollectorRegistry()
        Collector(registry, path=str(folder))
        return generate_latest(registry)


def key_of(metric: str, name: str, labels: Sequence[str], values: Sequence[str], help: str) -> str:
    """Return the key under which the files hold one sample."""
    return mmap_dict.mmap_key(metric, name, list(labels), list(values), help)


def _bury(folder: Path) -> None:
    """Add what dead processes have counted to one file, so that there are never many; drop their gauges."""
    with _locked(folder) as mine:
        dead = [path for path in folder.glob("*.db") if not _lives(path.stem.rpartition("_")[2])]
        # Where there is no room, or somebody else is at it, they stay as they are and count as before.
        if mine:
            with suppress(OSError):
                _bury_each(dead)


def _bury_each(dead: Sequence[Path]) -> None:
    for path in dead:
        if path.name.startswith(("counter", "histogram")):
            grave = ValueFile(path.with_name(f"{path.name.partition('_')[0]}_{GONE}.db"))
            for key, value, _, _ in MappedFile.read_all_values_from_file(str(path)):
                grave.write_value(key, grave.read_value(key)[0] + value, 0.0)
            grave.close()
        path.unlink()


def process_name(pid: int) -> str:
    """Return a name of the process that none of another time has: its number and, where there is /proc, its start."""
    try:
        # The name of the program stands in brackets and may hold anything (proc(5), stat, field 22).
        started = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return str(pid)
    return f"{pid}-{started}"


def _lives(name: str) -> bool:
    """Return whether the process of that name runs; what is kept of those that are gone counts as alive."""
    if name == GONE:
        return True
    pid = int(name.partition("-")[0])
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return process_name(pid) == name


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Yield whether nobody else does the same now, after a while of waiting."""
    with (folder / LOCK).open("a") as file:
        until = time.monotonic() + LOCK_SECONDS
        while not (mine := _try_lock(file.fileno())) and time.monotonic() < until:
            time.sleep(LOCK_PAUSE_SECONDS)
        yield mine


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
