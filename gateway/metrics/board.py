"""Values of several processes in one folder: each process writes files of its own, whoever is asked reads them all.

The files and their merging are those of prometheus_client's multi-process mode; only the way in differs, because the
library takes its folder from the environment once, when it is imported.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest, mmap_dict, multiprocess, utils

LOCK = ".lock"
# What processes that are gone have counted; no process has this number.
GONE = 0
# The library has no types for these.
ValueFile: Any = mmap_dict.MmapedDict
Collector: Any = multiprocess.MultiProcessCollector
number: Any = utils.floatToGoString


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
        with _locked(folder, fcntl.LOCK_EX):
            _bury(folder)

    def add(self, kind: str, key: str, amount: float) -> None:
        """Raise the value of a key in the file of its kind."""
        with self._gate:
            file, before = self._file(kind), self._sums.get(key)
            if before is None:
                before = file.read_value(key)[0]
            file.write_value(key, before + amount, 0.0)
            self._sums[key] = before + amount

    def put(self, kind: str, key: str, value: float) -> None:
        """Set the value of a key in the file of its kind."""
        with self._gate:
            self._file(kind).write_value(key, value, time.time())

    def close(self) -> None:
        """Close the files; the gauges of this process are gone then."""
        with self._gate:
            for file in self._files.values():
                file.close()
            self._files.clear()
            self._sums.clear()
            for path in self._folder.glob(f"gauge_*_{os.getpid()}.db"):
                path.unlink(missing_ok=True)

    def _file(self, kind: str) -> Any:
        found = self._files.get(kind)
        if found is None:
            found = self._files[kind] = ValueFile(str(self._folder / f"{kind}_{os.getpid()}.db"))
        return found


class Counter:
    """A number that only rises, for each combination of labels."""

    kind = "counter"

    def __init__(self, board: Board, name: str, help: str, labels: Sequence[str] = ()) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._board = board
        self._keys: dict[tuple[str, ...], str] = {}
        self._told: dict[tuple[str, ...], float] = {}

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
    """How often something was how large, for each combination of labels; `bounds` are upper bounds, rising."""

    kind = "histogram"

    def __init__(
        self, board: Board, name: str, help: str, labels: Sequence[str] = (), *, bounds: Sequence[float]
    ) -> None:
        self.name, self.help, self.labels = name, help, tuple(labels)
        self._board = board
        self._bounds = (*bounds, float("inf"))
        self._keys: dict[tuple[str, ...], tuple[str, list[str]]] = {}

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
    with _locked(folder, fcntl.LOCK_EX):
        _bury(folder)
        registry = CollectorRegistry()
        Collector(registry, path=str(folder))
        return generate_latest(registry)


def key_of(metric: str, name: str, labels: Sequence[str], values: Sequence[str], help: str) -> str:
    """Return the key under which the files hold one sample."""
    return mmap_dict.mmap_key(metric, name, list(labels), list(values), help)


def _bury(folder: Path) -> None:
    """Add what dead processes have counted to one file, so that there are never many; drop their gauges."""
    for path in folder.glob("*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if pid == GONE or _lives(pid):
            continue
        if path.name.startswith(("counter", "histogram")):
            grave = ValueFile(str(path.with_name(f"{path.name.partition('_')[0]}_{GONE}.db")))
            for key, value, _, _ in ValueFile.read_all_values_from_file(str(path)):
                grave.write_value(key, grave.read_value(key)[0] + value, 0.0)
            grave.close()
        path.unlink()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    with (folder / LOCK).open("a") as file:
        fcntl.flock(file, how)
        yield
