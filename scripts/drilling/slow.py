"""Clients that stop reading, and clients that never finish asking."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack
from pathlib import Path

from scripts.drilling.server import Outcome, Server, until_true, write_cog

GROWTH_MIB = 64
# Beyond the stall or the header timeout: the watchdog looks now and then, and the loop is busy.
GRACE_SECONDS = 5.0
SLOW_ANSWER_SECONDS = 1.0


def stall(folder: Path, seconds: float = 5, *, readers: int = 200, size_bytes: int = 1 << 30) -> Outcome:
    """Let readers of a large file stop reading; `seconds` is the server's stall_seconds.

    Promised: the server grows by less than 64 MiB, cuts all of them, and has its descriptors back.
    """
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "drill.tif")
    with file.open("r+b") as slack:
        slack.truncate(size_bytes)
    outcome = Outcome()
    with Server(folder, stall_seconds=str(seconds)) as server, ExitStack() as stack:
        path = f"/api/datasets/{server.ingest('rasters/drill.tif')}/download/cog"
        headers = server.bearer()
        _download_some(server, path, headers)
        rss, descriptors = server.rss_mib(), server.descriptors()
        held = [stack.enter_context(_asked(server, path, headers)) for _ in range(readers)]
        peak = [0.0]

        def back() -> bool:
            peak[0] = max(peak[0], server.rss_mib() - rss)
            return server.descriptors() <= descriptors

        most = server.descriptors() - descriptors
        took = until_true(back)
        cut = sum(_is_cut(client) for client in held)
        outcome.figures |= {
            "readers": readers, "growth in MiB": round(peak[0], 1), "cut": cut,
            "descriptors: most / left over": f"{most} / {server.descriptors() - descriptors}",
            "s until all were cut": round(took, 1), "tokens in the log": server.leaked(),
            "readyz afterwards": server.status("/readyz"),
        }  # fmt: skip
        outcome.promise(most >= readers, "the readers were served at once")
        outcome.promise(peak[0] < GROWTH_MIB, f"the server grows by less than {GROWTH_MIB} MiB")
        outcome.promise(cut == readers, "every reader is cut")
        outcome.promise(not server.leaked(), "no token is in the log")
    return outcome


def _download_some(server: Server, path: str, headers: dict[str, str]) -> None:
    """Ask for a few long ranges, so that threads, connections and caches are there before memory is measured."""
    for _ in range(20):
        with _asked(server, path, {**headers, "Range": "bytes=0-3000000"}) as client:
            got = 0
            while got < 3_000_001:
                got += len(client.recv(1 << 20))
    time.sleep(0.5)


def _asked(server: Server, path: str, headers: dict[str, str]) -> socket.socket:
    """Return a connection on which a GET was sent and its answer has begun to come."""
    client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
    fields = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: drill\r\n{fields}\r\n".encode())
    client.recv(1, socket.MSG_PEEK)
    return client


def _is_cut(client: socket.socket) -> bool:
    """Return whether the connection ends before a whole GiB has come."""
    client.settimeout(5)
    try:
        while client.recv(1 << 20):
            pass
    except TimeoutError:
        return False
    except OSError:
        pass
    return True


def slowloris(
    folder: Path,
    seconds: float = 30,
    *,
    clients: int = 50,
    grace_seconds: float = GRACE_SECONDS,
    slowest_seconds: float = SLOW_ANSWER_SECONDS,
    patch: str = "",
) -> Outcome:
    """Let clients send a byte of a header a second; `seconds` is after how long the server cuts them.

    Promised: all of them are cut by then, and others are answered in under `slowest_seconds` meanwhile.
    """
    (folder / "rasters").mkdir()
    outcome = Outcome()
    with Server(folder, patch=patch) as server, ExitStack() as stack:
        held = {stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(clients)}
        for client in held:
            client.sendall(b"GET /livez HTTP/1.1\r\nHost: drill\r\nX-Slow: ")
            client.setblocking(False)
        began, slowest = time.monotonic(), 0.0
        while held and time.monotonic() - began < seconds + grace_seconds:
            asked = time.monotonic()
            outcome.promise(server.status("/readyz") == 200, "others are answered with 200")
            slowest = max(slowest, time.monotonic() - asked)
            time.sleep(min(1.0, seconds / 4))
            held = {client for client in held if _takes_a_byte(client)}
        outcome.figures |= {
            "clients": clients, "left": len(held), "s until all were cut": round(time.monotonic() - began, 1),
            "slowest other answer in s": round(slowest, 3),
        }  # fmt: skip
        outcome.promise(not held, "all are cut in time")
        outcome.promise(slowest < slowest_seconds, f"others are answered in under {slowest_seconds:g} s")
    return outcome


def _takes_a_byte(client: socket.socket) -> bool:
    try:
        if client.recv(100) == b"":
            return False
    except BlockingIOError:
        pass
    except OSError:
        return False
    try:
        client.send(b"x")
    except OSError:
        return False
    return True
