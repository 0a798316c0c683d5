"""A proxy before a database that can be cut, silenced, or lose an answer."""

import socket
from contextlib import suppress

from tests.tunnel import Tunnel


class Proxy(Tunnel):
    """Passes bytes on between a port of its own and a server's; `down`, `up` and `drop` are those of a Tunnel.

    While it is `mute` nothing comes through, and nothing is closed.
    """

    def __init__(self, port: int) -> None:
        super().__init__(f"http://127.0.0.1:{port}")
        self._to_lose = 0
        self.lost = 0

    @property
    def port(self) -> int:
        return self._address[1]

    def lose(self) -> None:
        """Let the server's next answer to a statement be lost, with the connection that it came over."""
        self._to_lose += 1

    def _ask(self, client, server) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                if not self.mute:
                    server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _tell(self, server, client) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 14):
                # "C" tells that a statement is complete: here, that a transaction is committed.
                if self._to_lose and b"C" in data:
                    self._to_lose, self.lost = self._to_lose - 1, self.lost + 1
                    break
                if not self.mute:
                    client.sendall(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
