"""Clients that ask for answers of every kind and read none of them, with TLS and without."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from contextlib import ExitStack, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path

from .server import Outcome, Server, until_true, write_cog

# Above what the limit of the server lets wait: pictures that are drawn just then, and what an allocator keeps.
GROWTH_MIB = 350
UNREAD_MB = 64
SIDE = 2048
# Beyond the stall: what was asked for is drawn before it can wait, and whoever has all in the kernel's buffers is an
# idle client, for whom there is a limit of its own.
GRACE_SECONDS = 60.0
SLOW_ANSWER_SECONDS = 1.5
POLL_SECONDS = 0.05


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
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "drill.tif", side=SIDE)
    with file.open("r+b") as slack:
        slack.truncate(1 << 28)
    settings = {"stall_seconds": str(seconds), "unread_mb": str(UNREAD_MB)} | (_certificate(folder) if tls else {})
    outcome = Outcome()
    with Server(folder, patch=patch, **settings) as server, ExitStack() as stack:
        paths, bearer = _paths(server.ingest("drill.tif")), server.bearer()["Authorization"]
        for path, _ in paths.values():
            _status(server.port, path, bearer, tls)
        rss, peak, done, polls = server.rss_mib(), [0.0], threading.Event(), Counter[int]()
        slowest = [0.0]
        watching = threading.Thread(target=_watch, args=(server, tls, done, peak, polls, slowest))
        watching.start()
        held: dict[int, str] = {}
        for number in range(readers):
            kind = list(paths)[number % len(paths)]
            client = stack.enter_context(_asked(server.port, *paths[kind], bearer, tls))
            held[client.getsockname()[1]] = kind
        began, cut = time.monotonic(), dict[str, float]()
        try:
            until_true(lambda: _note_cut(held, server.port, began, cut), seconds + GRACE_SECONDS)
            all_cut = True
        except TimeoutError:
            all_cut = False
        done.set()
        watching.join()
        left = Counter(held[client] for client in _kept(server.port) & held.keys())
    outcome.figures |= {
        f"{readers} clients that read nothing, TLS": tls,
        "MiB of the server before / at most": f"{rss:.0f} / {peak[0]:.0f}",
        "s until all of a kind were cut": {kind: round(at, 1) for kind, at in sorted(cut.items())},
        "still held, by kind": dict(left),
        "/livez meanwhile, by status": dict(polls),
        "s of the slowest /livez": round(slowest[0], 3),
    }
    outcome.promise(all_cut, "who reads nothing is cut, whatever the answer is")
    outcome.promise(peak[0] - rss < GROWTH_MIB, "what waits for its readers is bounded")
    outcome.promise(set(polls) <= {200}, "the server answers meanwhile")
    outcome.promise(slowest[0] < slowest_seconds, "it answers at once")
    return outcome


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


def _watch(
    server: Server, tls: bool, done: threading.Event, peak: list[float], polls: Counter[int], slowest: list[float]
) -> None:
    while not done.wait(POLL_SECONDS):
        began = time.monotonic()
        polls[_status(server.port, "/livez", None, tls)] += 1
        slowest[0] = max(slowest[0], time.monotonic() - began)
        peak[0] = max(peak[0], server.rss_mib())


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


def _note_cut(held: dict[int, str], port: int, began: float, cut: dict[str, float]) -> bool:
    """Note when the server let go of the last client of each kind; returns whether of all."""
    still = {held[client] for client in _kept(port) & held.keys()}
    for kind in set(held.values()) - still - cut.keys():
        cut[kind] = time.monotonic() - began
    return not still


def _kept(port: int) -> set[int]:
    """Return the clients' ports of the connections that a process holds; what only the kernel has has no inode."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(fields[2].rpartition(":")[2], 16)
        for fields in lines
        if int(fields[1].rpartition(":")[2], 16) == port and fields[9] != "0"
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
