"""The server under fire: a process of its own on loopback, its log, its database, and what it uses."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import from_origin

# The driver of the server: two SQLite libraries of different age should not meet in one file.
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]

from scripts.clustering.gateway import ROOT, Gateway

KEY = "drill-key-0123456789-abcdefghijklmnop"
# On a machine with other work, whose processors all of it waits for.
START_SECONDS = 120.0
# How long is waited for what has to come and of which no promise says how soon.
PATIENCE_SECONDS = 120.0
REQUESTS = "SELECT request_id FROM audit WHERE action = ?"


@dataclass
class Outcome:
    """What a drill measured, and which promises it saw broken."""

    figures: dict[str, object] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)

    def promise(self, kept: bool, sentence: str) -> None:
        """Note `sentence` unless it is kept."""
        if not kept:
            self.broken.append(sentence)


def write_cog(path: Path, *, side: int = 800, seed: int = 1) -> Path:
    """Write a valid DEFLATE COG of one uint16 band with `side` rows and columns of noise."""
    plain = path.with_name(f"{path.name}.plain")
    profile = {
        "driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint16", "crs": CRS.from_epsg(32633),
        "transform": from_origin(500_000, 5_300_000, 10, 10),
    }  # fmt: skip
    with rasterio.open(plain, "w", **profile) as raster:
        raster.write(np.random.default_rng(seed).integers(0, 60_000, (1, side, side), dtype="uint16"))
    copy(plain, path, driver="COG", compress="DEFLATE", blocksize=256, overview_resampling="nearest")
    plain.unlink()
    return path


class Server(Gateway):
    """One `cog-gateway serve` over `folder/rasters`; stopped at the end of the `with` block.

    `patch` is Python that runs in the server before it starts. Settings are named as in the documentation.
    """

    def __init__(self, folder: Path, *arguments: str, patch: str = "", **settings: str) -> None:
        self.state = folder / "state"
        environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_STATE_DIR": str(self.state),
            "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{folder / 'rasters'}"}}), "GATEWAY_SECRET_KEYS": KEY,
            **{f"GATEWAY_{name.upper()}": value for name, value in settings.items()},
        }  # fmt: skip
        super().__init__(folder, environment)
        code = f"{patch}\nfrom gateway.__main__ import main\nmain()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", "0", *arguments], env=self.environment, cwd=folder,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Server:
        try:
            until_true(lambda: self._port() is not None or self.process.poll() is not None, START_SECONDS)
            if self.process.poll() is not None:
                self._reader.join()
                raise RuntimeError(f"the server has ended: {''.join(self.lines[-3:])}")
        except (RuntimeError, TimeoutError):
            # Nobody else would end it.
            self.__exit__()
            raise
        self.port = self._port() or 0
        return self

    def _port(self) -> int | None:
        """Return where the server accepts, None as long as it does not."""
        found = re.search(r"accepting on \S+ port (\d+)", "".join(self.lines))
        return int(found[1]) if found else None

    def __exit__(self, *exc_info: object) -> None:
        if self.process.poll() is None:
            self.stop()
        self._reader.join()

    def _read(self) -> None:
        with self.process.stderr as log:  # type: ignore[union-attr]
            self.lines.extend(log)

    def stop(self) -> int:
        """Return the exit code after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def log_lines(self) -> list[str]:
        """Return the lines that were logged so far."""
        return list(self.lines)

    @property
    def database(self) -> Path:
        """Return the file of the catalogue and the audit."""
        return self.state / "gateway.db"

    def rows_by_request(self, action: str = "download.cog") -> Counter[str]:
        """Return how many rows of an action each request id has, asked of the database itself."""
        connection = sqlite3.connect(self.database, timeout=10)
        try:
            return Counter(row[0] for row in connection.execute(REQUESTS, [action]))
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """Return the processes that serve: the children, or the process itself when it has none."""
        return self.children("cog-worker") or [self.process.pid]

    def writers(self) -> list[int]:
        """Return the processes that write the audit."""
        return self.children("cog-recorder") or self.workers()

    def children(self, name: str) -> list[int]:
        """Return the children that are called so (proc(5), comm)."""
        pid, found = self.process.pid, []
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            # One that has ended meanwhile has no name.
            with suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text().strip() == name:
                    found.append(int(child))
        return found

    def rss_mib(self) -> float:
        """Return the resident memory of all workers, the pages of files left out."""
        fields = ("RssAnon", "RssShmem")
        lines = [line for pid in self.workers() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
        return sum(int(line.split()[1]) for line in lines if line.split(":")[0] in fields) / 1024

    def descriptors(self) -> int:
        """Return how many descriptors all workers hold open."""
        return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in self.workers())  # noqa: PTH208


def until_true(condition: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> float:
    """Return after how many seconds the condition holds; raises TimeoutError after `seconds`."""
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError(f"not within {seconds} s")
        time.sleep(0.02)
    return time.monotonic() - began


def alive(pid: int) -> bool:
    """Return whether a process runs and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
