"""A Valkey server for the tests that share limits, on loopback and on a socket; it keeps nothing on disk."""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.clustering.program import HOST, NotStarted
from scripts.clustering.valkey import Valkey, program

PASSWORD = "hidden-word"


def available() -> bool:
    """Return whether limits can be counted in Valkey here; where changes are judged they must be."""
    if os.environ.get("CI") == "true":
        return True
    with contextlib.suppress(NotStarted):
        return importlib.util.find_spec("redis") is not None and program().exists()
    return False


COUNTED_IN = ("table", "valkey") if available() else ("table",)


class Server(Valkey):
    """A server with a password, on a port of loopback and on a socket."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.line += ["--requirepass", PASSWORD, "--unixsocket", str(folder / "socket")]

    @property
    def url(self) -> str:
        return f"valkey://:{PASSWORD}@{HOST}:{self.port}/0"

    @property
    def socket_url(self) -> str:
        return f"unix://:{PASSWORD}@{self.folder}/socket"

    def start(self) -> None:
        super().start()
        self.wait_until(self.answers)

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((HOST, self.port), 1) as client:
            client.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
            return client.recv(100) == b"+OK\r\n+PONG\r\n"
        return False

    @contextlib.contextmanager
    def hung(self) -> Iterator[None]:
        """Let the server neither answer nor close anything."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """Let the server be gone, and come back empty."""
        self.kill()
        try:
            yield
        finally:
            self.start()

    @contextlib.contextmanager
    def client(self):
        import redis

        with redis.Redis(host=HOST, port=self.port, password=PASSWORD) as client:
            yield client


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="cgvk-", dir="/tmp"))
    server = Server(folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)


@pytest.fixture
def valkey(valkey_server, monkeypatch) -> Server:
    """A Valkey server that holds nothing and has its usual settings, however long a busy machine lets it take."""
    for name in ("valkey.ANSWER_SECONDS", "valkey.PATIENCE_SECONDS", "counted.PATIENCE_SECONDS"):
        monkeypatch.setattr(f"gateway.rates.{name}", 20)
    monkeypatch.setattr("gateway.handlers.base.PATIENCE_SECONDS", 20)
    with valkey_server.client() as client:
        client.flushall()
        client.config_set("maxmemory", 0)
    return valkey_server
