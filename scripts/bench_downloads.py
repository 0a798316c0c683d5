#!/usr/bin/env python3
"""Downloads of the gateway beside nginx and Tornado's StaticFileHandler, in one run on one machine.

    python scripts/bench_downloads.py [--gib 1] [--rounds 3] [--seconds 4]

All three serve the same file with two processes each; ours asks for a bearer token and writes an audit row per
request, the others do neither. Rounds are interleaved and medians are printed with ratios. CPU is user + system
time of all processes of a server. Needs nginx and wrk (Debian: nginx-light wrk).
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import from_origin
from rasterio.windows import Window

ROOT = Path(__file__).resolve().parent.parent
KEY = "benchmark-key-0123456789-abcdefghij"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
SMALL_RANGES = (16 * 1024, 64 * 1024)

STATIC = """
import sys
from tornado.ioloop import IOLoop
from tornado.netutil import bind_sockets
from tornado.httpserver import HTTPServer
from tornado.web import Application, StaticFileHandler
routes = [("/(.*)", StaticFileHandler, {"path": sys.argv[1]})]
server = HTTPServer(Application(routes, log_function=lambda handler: None))
server.add_sockets(bind_sockets(int(sys.argv[2]), "127.0.0.1", reuse_port=True))
IOLoop.current().start()
"""

NGINX = """
worker_processes 2; pid {folder}/nginx.pid; error_log {folder}/error.log; daemon off;
events {{ worker_connections 512; }}
http {{
    access_log off; sendfile on; tcp_nopush off; keepalive_requests 1000000;
    client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
    uwsgi_temp_path {folder}; scgi_temp_path {folder};
    server {{ listen 127.0.0.1:{port} reuseport; root {root}; }}
}}
"""

RANDOM_RANGES = """
local size, length, count = {size}, {length}, 0
math.randomseed(7)
request = function()
  local start = math.random(0, size - length)
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + length - 1)
  return wrk.format("GET", nil)
end
"""


@dataclass(frozen=True)
class Server:
    """One server under test: its processes, and how it is asked."""

    name: str
    pids: Callable[[], list[int]]
    port: int
    path: str
    headers: tuple[str, ...]

    def cpu_seconds(self) -> float:
        """Return user and system time of all processes so far."""
        total = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICKS_PER_SECOND


def tree(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(int(child) for child in children)]


def free_port() -> int:
    """Return a port that nobody uses just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@contextmanager
def running(arguments: list[str], port: int, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a started server once its port answers; it is stopped at the end."""
    process = subprocess.Popen(arguments, **options)  # type: ignore[call-overload]
    try:
        until = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > until or process.poll() is not None:
                    raise
                time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def make_cog(path: Path, gib: float) -> None:
    """Write an uncompressed uint16 COG of about `gib` GiB."""
    side = int((gib * 0.75 * 2**30 / 2) ** 0.5) // 512 * 512
    plain = path.with_suffix(".plain")
    profile = {
        "driver": "GTiff", "count": 1, "height": side, "width": side, "dtype": "uint16", "crs": CRS.from_epsg(32633),
        "transform": from_origin(500_000, 5_300_000, 10, 10), "tiled": True, "blockxsize": 512, "blockysize": 512,
    }  # fmt: skip
    random = np.random.default_rng(1)
    with rasterio.open(plain, "w", **profile) as raster:
        for row in range(0, side, 512):
            strip = random.integers(0, 60_000, (1, 512, side), dtype="uint16")
            raster.write(strip, window=Window(0, row, side, 512))
    copy(plain, path, driver="COG", compress="NONE", overview_resampling="nearest", bigtiff="IF_SAFER")
    plain.unlink()


@contextmanager
def servers(folder: Path, file: Path) -> Iterator[list[Server]]:
    """Yield the three servers, started over the same file."""
    with ExitStack() as stack:
        yield [gateway(stack, folder, file), nginx(stack, folder, file), static(stack, file)]


def gateway(stack: ExitStack, folder: Path, file: Path) -> Server:
    """Return the gateway with the file ingested, an audit that is written, and a bearer token."""
    environment = {
        **os.environ, "GATEWAY_STATE_DIR": str(folder / "state"), "GATEWAY_SECRET_KEYS": KEY, "PYTHONPATH": str(ROOT),
        "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{file.parent}"}}), "GATEWAY_LOG_LEVEL": "WARNING",
    }  # fmt: skip

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
        return done.stdout

    dataset = json.loads(command("ingest", str(file), "--visibility", "internal", "--json"))["id"]
    token = command("token", "--sub", "bench", "--seconds", "86400").strip()
    port = free_port()
    process = stack.enter_context(
        running(
            [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--processes", "2"], port, env=environment
        )
    )
    path = f"/api/datasets/{dataset}/download/cog"
    return Server("COG Gateway", lambda: tree(process.pid), port, path, (f"Authorization: Bearer {token}",))


def nginx(stack: ExitStack, folder: Path, file: Path) -> Server:
    """Return nginx with sendfile."""
    port, config = free_port(), folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, root=file.parent, port=port))
    process = stack.enter_context(running(["nginx", "-c", str(config)], port, stderr=subprocess.DEVNULL))
    return Server("nginx", lambda: tree(process.pid), port, f"/{file.name}", ())


def static(stack: ExitStack, file: Path) -> Server:
    """Return two processes of Tornado's StaticFileHandler on one port."""
    port = free_port()
    arguments = [sys.executable, "-c", STATIC, str(file.parent), str(port)]
    processes = [stack.enter_context(running(arguments, port)) for _ in range(2)]
    return Server("StaticFileHandler", lambda: [p.pid for p in processes], port, f"/{file.name}", ())


def download(server: Server) -> int:
    """Return how many body bytes one connection got; the body is read into one buffer of 1 MiB."""
    lines = (f"GET {server.path} HTTP/1.1", "Host: bench", "Connection: close", *server.headers, "", "")
    buffer, got = bytearray(1 << 20), 0
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall("\r\n".join(lines).encode())
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        if b" 200 " not in head.partition(b"\r\n")[0]:
            raise RuntimeError(f"{server.name}: {head[:200]!r}")
        got = len(head.partition(b"\r\n\r\n")[2])
        while length := client.recv_into(buffer):
            got += length
    return got


def whole(server: Server, connections: int) -> dict[str, float]:
    """Return MB/s and server CPU seconds per GiB of downloads by `connections` clients at once."""
    got: list[int] = []
    before, began = server.cpu_seconds(), time.monotonic()
    threads = [threading.Thread(target=lambda: got.append(download(server))) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds, cpu = time.monotonic() - began, server.cpu_seconds() - before
    return {"MB/s": sum(got) / seconds / 1e6, "CPU s/GiB": cpu / (sum(got) / 2**30)}


def ranges(server: Server, length: int, size: int, seconds: int, folder: Path) -> dict[str, float]:
    """Return requests/s, p99 in ms and CPU ms per request of random ranges over 16 connections."""
    script = folder / "ranges.lua"
    script.write_text(RANDOM_RANGES.format(size=size, length=length))
    arguments = ["wrk", "-t1", "-c16", f"-d{seconds}s", "--latency", "-s", str(script)]
    for header in server.headers:
        arguments += ["-H", header]
    before = server.cpu_seconds()
    done = subprocess.run(
        [*arguments, f"http://127.0.0.1:{server.port}{server.path}"], check=True, stdout=subprocess.PIPE, text=True
    )
    cpu = server.cpu_seconds() - before
    if "Non-2xx" in done.stdout:
        raise RuntimeError(f"{server.name}: {done.stdout}")
    requests = float(re.search(r"(\d+) requests in", done.stdout)[1])  # type: ignore[index]
    p99, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", done.stdout).groups()  # type: ignore[union-attr]
    milliseconds = float(p99) * {"us": 1e-3, "ms": 1, "s": 1e3}[unit]
    return {"req/s": requests / seconds, "p99 ms": milliseconds, "CPU ms/req": 1e3 * cpu / requests}


def main() -> None:
    """Run all rounds and print one table per case, with ratios to nginx and StaticFileHandler."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the file")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4, help="length of a run of small ranges")
    options = parser.parse_args()
    for program in ("nginx", "wrk"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        # nginx drops its rights and must still be able to read.
        folder.chmod(0o755)
        (folder / "rasters").mkdir()
        file = folder / "rasters" / "large.tif"
        make_cog(file, options.gib)
        size = file.stat().st_size
        cases: dict[str, Callable[[Server], dict[str, float]]] = {
            "1 connection, whole file": lambda s: whole(s, 1),
            "8 connections, whole file": lambda s: whole(s, 8),
            **{
                f"{length // 1024} KiB random ranges, 16 connections": (
                    lambda s, length=length: ranges(s, length, size, options.seconds, folder)
                )
                for length in SMALL_RANGES
            },
        }
        with servers(folder, file) as started:
            report(cases, started, options.rounds, size)


def report(
    cases: dict[str, Callable[[Server], dict[str, float]]], started: list[Server], rounds: int, size: int
) -> None:
    """Print medians over interleaved rounds, after one uncounted download that warms every server."""
    for server in started:
        download(server)
    print(f"{size / 2**30:.2f} GiB file, {rounds} interleaved rounds, medians; ours with auth and audit\n")
    for name, case in cases.items():
        results: dict[str, list[dict[str, float]]] = {server.name: [] for server in started}
        for _ in range(rounds):
            for server in started:
                results[server.name].append(case(server))
        middle = {
            name: {measure: statistics.median(r[measure] for r in runs) for measure in runs[0]}
            for name, runs in results.items()
        }
        measures = list(next(iter(middle.values())))
        print(f"| {name} | " + " | ".join(measures) + " | " + " | ".join(f"ours ÷ {m}" for m in measures) + " |")
        print("|---" * (1 + 2 * len(measures)) + "|")
        ours = middle[started[0].name]
        for server, values in middle.items():
            cells = [f"{values[m]:.3g}" if values[m] < 1000 else f"{values[m]:.0f}" for m in measures]
            ratios = [f"{ours[m] / values[m]:.2f}" if values[m] else "-" for m in measures]
            print(f"| {server} | " + " | ".join(cells) + " | " + " | ".join(ratios) + " |")
        print(flush=True)


if __name__ == "__main__":
    main()
