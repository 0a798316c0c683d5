"""A TCP tunnel to a server that counts requests, and breaks in the ways that networks break."""

import re
import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit

REQUEST_LINE = re.compile(rb"(?:^|\r\n)(GET|HEAD|PUT|POST|DELETE) (\S+) HTTP/1\.1\r\n")


class Tunnel:
    """Passes bytes both ways. `requests` are the (method, target) pairs that went through, `heard` all bytes of them.

    `mute` takes requests and never answers; `answer` are bytes that answer every request in the server's place;
    `cut_after` ends each connection after so many bytes of answers.
    """

    def __init__(self, url: str) -> None:
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._address = self._listening.getsockname()
        # Both ends of all connections, from the moment they are accepted. Only the thread of a connection closes
        # them: a number that was closed under a thread may be another socket's when the thread gets to use it.
        self._open: set[socket.socket] = set()
        self._gate = threading.Lock()
        self._threads: list[threading.Thread] = []
        self.requests: list[tuple[str, str]] = []
        self.heard = bytearray()
        self.mute = False
        self.answer: bytes | None = None
        self.cut_after: int | None = None
        # Called with the target of each request before it goes on.
        self.before = lambda target: None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._address[1]}"

    def __enter__(self):
        self._accepting = self._start(self._accept, self._listening)
        return self

    def __exit__(self, *exc_info):
        self.down()
        for thread in self._threads:
            thread.join(10)

    def down(self) -> None:
        """Refuse connections, and end all that there are."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._accepting.join(10)
        self.drop()

    def drop(self) -> None:
        """End the open connections."""
        with self._gate:
            for opened in self._open:
                with suppress(OSError):
                    opened.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def up(self) -> None:
        """Take connections again, at the same port."""
        self._listening = socket.create_server(self._address)
        self._accepting = self._start(self._accept, self._listening)

    def of(self, method: str) -> list[str]:
        """The targets of the requests of one method."""
        return [target for asked, target in self.requests if asked == method]

    def _start(self, work, *args) -> threading.Thread:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()
        return thread

    def _accept(self, listening) -> None:
        with listening, suppress(OSError):
            while True:
                client, _ = listening.accept()
                with self._gate:
                    self._open.add(client)
                self._start(self._carry, client)

    def _carry(self, client) -> None:
        """Pass the bytes of one connection until both sides have ended it."""
        server = None
        with suppress(OSError):
            server = socket.create_connection(self._target)
            if self._holds(client, server):
                telling = self._start(self._tell, server, client)
                self._ask(client, server)
                telling.join()
        with self._gate:
            for each in filter(None, (client, server)):
                self._open.discard(each)
                each.close()

    def _holds(self, client, server) -> bool:
        """Return whether the connection has not been ended meanwhile; then its other end is known from now on."""
        with self._gate:
            if held := client in self._open:
                self._open.add(server)
            return held

    def _ask(self, client, server) -> None:
        with suppress(OSError):
            while data := client.recv(1 << 16):
                self.heard += data
                for method, target in REQUEST_LINE.findall(data):
                    self.requests.append((method.decode(), target.decode()))
                    self.before(target.decode())
                if self.answer is not None:
                    client.sendall(self.answer)
                elif not self.mute:
                    server.sendall(data)
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _tell(self, server, client) -> None:
        told = 0
        with suppress(OSError):
            while data := server.recv(1 << 14):
                if self.cut_after is not None and told + len(data) > self.cut_after:
                    client.sendall(data[: self.cut_after - told])
                    break
                client.sendall(data)
                told += len(data)
        with suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)
