#!/usr/bin/env python3
"""Downloads of the gateway beside nginx and Tornado's StaticFileHandler, in one run on one machine.

    python scripts/bench_downloads.py [--gib 1] [--rounds 3] [--seconds 4]

All three serve the same file with two processes each; ours asks for a bearer token and writes an audit row per
request, the others do neither. Rounds are interleaved and medians are printed with ratios. CPU is user + system
time of all processes of a server. Needs nginx and wrk (Debian: nginx-light wrk).
"""

from __future__ import annotations

import argparse
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from bench_servers import Server, servers
from bench_wrk import run_wrk
from rasterio.crs import CRS
from rasterio.shutil import copy
from rasterio.transform import from_origin
from rasterio.windows import Window

SMALL_RANGES = (16 * 1024, 64 * 1024)

RANDOM_RANGES = """
local size, length, count = {size}, {length}, 0
math.randomseed(7)
request = function()
  local start = math.random(0, size - length)
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + length - 1)
  return wrk.format("GET", nil)
end
"""


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
    before = server.cpu_seconds()
    url = f"http://127.0.0.1:{server.port}{server.path}"
    load = run_wrk(url, 16, seconds, "-t1", "-s", script, headers=server.headers)
    cpu = server.cpu_seconds() - before
    return {"req/s": load.per_second, "p99 ms": load.p99_ms, "CPU ms/req": 1e3 * cpu / load.answers}


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
