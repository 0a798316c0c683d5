"""The server as operators start it: a process of its own, asked over real sockets."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.patience import SECONDS
from tests.rasters import write_cog

ROOT = Path(__file__).parent.parent.parent
KEY = "k" * 31 + "ey-of-the-tests"


class Server:
    """One `cog-gateway serve`; its log lines are kept."""

    def __init__(self, folder: Path, *arguments: str, group: bool = False, **settings: str) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "GATEWAY_STATE_DIR": str(folder / "state"),
            "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{folder / 'rasters'}"}}), "GATEWAY_SECRET_KEYS": KEY,
            # What is written large is a variable, not a setting.
            **{name if name.isupper() else f"GATEWAY_{name.upper()}": value for name, value in settings.items()},
        }  # fmt: skip
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gateway", "serve", "--port", "0", *arguments], env=self.environment, cwd=folder,
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=group,
        )  # fmt: skip
        self.lines: list[str] = []
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr))
        self.reader.start()

    def logged(self, pattern: str, count: int = 1, seconds: float = SECONDS) -> list[re.Match[str]]:
        """Return the first `count` matches in the log, as soon as they are there."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = [match for line in list(self.lines) if (match := re.search(pattern, line))]
            if len(found) >= count:
                return found
            time.sleep(0.02)
        raise AssertionError(f"{pattern} not in {self.lines}")

    @property
    def port(self) -> int:
        return int(self.logged(r"accepting on \S+ port (\d+)")[0].group(1))

    def ask(self, path: str, method: str = "GET", headers=None):
        """Return status, headers and body of one request on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        try:
            connection.request(method, path, headers=headers or {})
            response = connection.getresponse()
            return response.status, dict(response.headers), response.read()
        finally:
            connection.close()

    def command(self, *arguments: str) -> str:
        """Return what a command over the same state prints; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments], env=self.environment, cwd=self.folder, capture_output=True,
            text=True, check=False, timeout=SECONDS,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def stop(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        code = self.process.wait(SECONDS)
        self.reader.join()
        self.process.stderr.close()
        return code

    def children(self, name: str = "cog-worker") -> set[int]:
        """Return the workers, or the recorder, that the server has now."""
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        found = set()
        for pid in listed:
            # One that has ended meanwhile has no name.
            with suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                    found.add(int(pid))
        return found


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "rasters").mkdir()
    write_cog(tmp_path / "rasters" / "elevation.tif")
    return tmp_path


@pytest.fixture
def start(folder):
    """Return a function that starts a server; those that still run at the end are stopped."""
    started: list[Server] = []

    def begin(*arguments: str, group: bool = False, **settings: str) -> Server:
        started.append(Server(folder, *arguments, group=group, **settings))
        return started[-1]

    yield begin
    for server in started:
        if server.process.poll() is None:
            server.stop()
        elif server.reader.is_alive() or not server.process.stderr.closed:
            server.wait()
