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
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import from_origin

# The driver of the server: two SQLite libraries of different age should not meet in one file.
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]

ROOT = Path(__file__).resolve().parent.parent.parent
KEY = "drill-key-0123456789-abcdefghijklmnop"
GRANTED = "SELECT request_id FROM audit WHERE action = 'download.cog'"


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


class Server:
    """One `cog-gateway serve` over `folder/rasters`; stopped at the end of the `with` block.

    `patch` is Python that runs in the server before it starts. Settings are named as in the documentation.
    """

    def __init__(self, folder: Path, *arguments: str, patch: str = "", **settings: str) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_STATE_DIR": str(self.state),
            "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{folder / 'rasters'}"}}), "GATEWAY_SECRET_KEYS": KEY,
            **{f"GATEWAY_{name.upper()}": value for name, value in settings.items()},
        }  # fmt: skip
        code = f"{patch}\nfrom gateway.__main__ import main\nmain()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", "--port", "0", *arguments], env=self.environment, cwd=folder,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        self.lines: list[str] = []
        self.secrets: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.port = 0

    def __enter__(self) -> Server:
        until_true(lambda: any("accepting on" in line for line in self.lines), 30)
        self.port = int(re.search(r"accepting on \S+ port (\d+)", "".join(self.lines))[1])  # type: ignore[index]
        return self

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
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def command(self, *arguments: str) -> str:
        """Return what a command over the same state prints."""
        line = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(
            line, env=self.environment, cwd=self.folder, check=True, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout

    def ingest(self, name: str, visibility: str = "public") -> str:
        """Return the id of the dataset that a file of the root becomes."""
        printed = self.command("ingest", f"rasters/{name}", "--visibility", visibility, "--json")
        return str(json.loads(printed)["id"])

    def bearer(self, name: str = "drill") -> dict[str, str]:
        """Return the Authorization field of a fresh bearer token, to be looked for in the log."""
        token = self.command("token", "--sub", name, "--seconds", "3600").strip()
        self.secrets.append(token)
        return {"Authorization": f"Bearer {token}"}

    def download_token(self, dataset: str, headers: dict[str, str]) -> str:
        """Return a fresh download token, to be looked for in the log; a busy server is asked again for 30 s."""
        end = time.monotonic() + 30
        while True:
            with closing(HTTPConnection("127.0.0.1", self.port, timeout=20)) as connection:
                connection.request("POST", f"/api/auth/download-token/{dataset}", headers=headers)
                answer = connection.getresponse()
                told = json.load(answer)
            if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or time.monotonic() > end:
                break
            time.sleep(0.1)
        token = str(told["token"])
        self.secrets.append(token)
        return token

    def status(self, path: str) -> int:
        """Return the status of one GET, 0 when there is no answer."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()

    def leaked(self) -> int:
        """Return how many log lines hold a token that was used, or its signature."""
        parts = [part for token in self.secrets for part in (token, token.rpartition(".")[2])]
        return sum(any(part in line for part in parts) for line in list(self.lines))

    @property
    def database(self) -> Path:
        """Return the file of the catalogue and the audit."""
        return self.state / "gateway.db"

    def granted(self) -> Counter[str]:
        """Return how many `download.cog` rows each request id has."""
        connection = sqlite3.connect(self.database, timeout=10)
        try:
            return Counter(row[0] for row in connection.execute(GRANTED))
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


def until_true(condition: Callable[[], bool], seconds: float) -> float:
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
