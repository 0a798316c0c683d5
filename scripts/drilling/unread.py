"""Clients that ask for answers of every kind and read none of them, with TLS and without."""

from __future__ import annotations

import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from itertools import cycle, islice
from pathlib import Path
from threading import Event

from scripts.drilling.server import Outcome, Server, until_true, write_cog
from scripts.drilling.threads import Threads

# Above what the limit of the server lets wait: pictures that are drawn just then, and what an allocator keeps.
GROWTH_MIB = 350
UNREAD_MB = 64
SIDE = 2048
# Beyond the stall: what was asked for is drawn before it can wait, and whoever has all in the kernel's buffers is an
# idle client, for whom there is a limit of its own.
GRACE_SECONDS = 120.0
SLOW_ANSWER_SECONDS = 1.5
POLL_SECONDS = 0.05
# The state of a connection in /proc/net/tcp.
ESTABLISHED = "01"


@dataclass
class Seen:
    """What was seen of the server while clients did not read: memory in MiB, and its answers to /livez."""

    peak_mib: float = 0.0
    slowest_seconds: float = 0.0
    polls: Counter[int] = field(default_factory=Counter)


def unread(
    folder: Path,
    seconds: float = 3,
    *,
    readers: int = 200,
    tls: bool = False,
    slowest_seconds: float = SLOW_ANSWER_SECONDS,
    patch: str = "",
) -> Outcome:
    """Let `readers` clients read nothing of JSON, pictures, values, TileJSON and a file; `seconds` is the stall.

    Promised: memory stays bounded, all are cut, and who asks for /livez meanwhile gets it at once.
    """
    _write_file(folder)
    settings = {"stall_seconds": str(seconds), "unread_mb": str(UNREAD_MB)} | (_certificate(folder) if tls else {})
    outcome, limit_seconds = Outcome(), seconds + GRACE_SECONDS
    with Server(folder, patch=patch, **settings) as server, ExitStack() as stack:
        paths, bearer = _paths(server.ingest("rasters/drill.tif")), server.bearer()["Authorization"]
        for path, _ in paths.values():
            _status(server.port, path, bearer, tls)
        rss = server.rss_mib()
        seen = stack.enter_context(_watched(server, tls))
        held: dict[int, str] = {}
        for kind in islice(cycle(paths), readers):
            client = stack.enter_context(_asked(server.port, *paths[kind], bearer, tls))
            held[client.getsockname()[1]] = kind
        cut = _cut(held, server.port, limit_seconds)
        left = Counter(held[client] for client in kept(server.port) & held.keys())
    outcome.figures |= {
        f"{readers} clients that read nothing, TLS": tls,
        "MiB of the server before / at most": f"{rss:.0f} / {seen.peak_mib:.0f}",
        "s until all of a kind were cut": {kind: round(at, 1) for kind, at in sorted(cut.items())},
        "still held, by kind": dict(left),
        "/livez meanwhile, by status": dict(seen.polls),
        "s of the slowest /livez": round(seen.slowest_seconds, 3),
    }
    _judge(outcome, seen, not left, seen.peak_mib - rss, slowest_seconds)
    return outcome


def _write_file(folder: Path) -> None:
    """Write a raster whose pictures are large, and make its file long."""
    (folder / "rasters").mkdir()
    with write_cog(folder / "rasters" / "drill.tif", side=SIDE).open("r+b") as slack:
        slack.truncate(1 << 28)


def _judge(outcome: Outcome, seen: Seen, all_cut: bool, growth_mib: float, slowest_seconds: float) -> None:
    outcome.promise(all_cut, "who reads nothing is cut, whatever the answer is")
    outcome.promise(growth_mib < GROWTH_MIB, "what waits for its readers is bounded")
    outcome.promise(set(seen.polls) <= {200}, "the server answers meanwhile")
    outcome.promise(seen.slowest_seconds < slowest_seconds, "it answers at once")


def _paths(dataset: str) -> dict[str, tuple[str, int]]:
    """Return for each kind of answer a path, and how often it is asked for on one connection."""
    under = f"/api/datasets/{dataset}"
    return {
        "JSON": ("/api/openapi.json", 60),
        "pictures": (f"{under}/preview.png?max_size={SIDE}", 4),
        "values": (f"{under}/preview.npy?max_size={SIDE}", 4),
        "TileJSON": (f"{under}/tilejson.json", 4000),
        "downloads": (f"{under}/download/cog", 1),
    }


@contextmanager
def _watched(server: Server, tls: bool) -> Iterator[Seen]:
    """Look at the server again and again until the `with` block ends."""
    seen = Seen()

    def look(done: Event) -> None:
        while not done.wait(POLL_SECONDS):
            began = time.monotonic()
            seen.polls[_status(server.port, "/livez", None, tls)] += 1
            seen.slowest_seconds = max(seen.slowest_seconds, time.monotonic() - began)
            seen.peak_mib = max(seen.peak_mib, server.rss_mib())

    with Threads(look):
        yield seen


def _status(port: int, path: str, bearer: str | None, tls: bool) -> int:
    connection = (
        HTTPSConnection("127.0.0.1", port, timeout=30, context=_trusting())
        if tls
        else HTTPConnection("127.0.0.1", port, timeout=30)
    )
    try:
        connection.request("GET", path, headers={"Authorization": bearer} if bearer else {})
        response = connection.getresponse()
        response.read()
        return response.status
    except (OSError, HTTPException):
        return 0
    finally:
        connection.close()


def _asked(port: int, path: str, count: int, bearer: str, tls: bool) -> socket.socket:
    """Return a connection that has asked `count` times and will read nothing; what does not fit is not sent."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(30)
    client.connect(("127.0.0.1", port))
    if tls:
        client = _trusting().wrap_socket(client)
    client.setblocking(False)
    request = f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {bearer}\r\n\r\n".encode()
    # The server reads no more than its buffer takes.
    with suppress(OSError):
        client.sendall(request * min(count, 60_000 // len(request)))
    return client


def _cut(held: dict[int, str], port: int, limit_seconds: float) -> dict[str, float]:
    """Return after how many seconds the server has let go of the last client of each kind."""
    began, cut = time.monotonic(), dict[str, float]()

    def all_cut() -> bool:
        still = {held[client] for client in kept(port) & held.keys()}
        for kind in set(held.values()) - still - cut.keys():
            cut[kind] = time.monotonic() - began
        return not still

    with suppress(TimeoutError):
        until_true(all_cut, limit_seconds)
    return cut


def kept(port: int) -> set[int]:
    """Return the clients' ports of the connections that a process holds or has yet to accept (proc_net_tcp).

    What only the kernel has has no inode; it is established until somebody accepts it, and closing afterwards.
    """
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(fields[2].rpartition(":")[2], 16)
        for fields in lines
        if int(fields[1].rpartition(":")[2], 16) == port and (fields[3] == ESTABLISHED or fields[9] != "0")
    }


def _trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _certificate(folder: Path) -> dict[str, str]:
    """Return the settings of a certificate that is made for the drill."""
    certificate, key = folder / "drill.pem", folder / "drill.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
         "-keyout", str(key), "-out", str(certificate)],
        check=True, capture_output=True,
    )  # fmt: skip
    return {"tls_certificate": str(certificate), "tls_key": str(key)}


def unread_tls(folder: Path, seconds: float = 3, *, readers: int = 200) -> Outcome:
    """Let clients read nothing over TLS."""
    return unread(folder, seconds, readers=readers, tls=True)
