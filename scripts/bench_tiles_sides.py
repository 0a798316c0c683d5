"""The gateway and TiTiler over the same rasters, and what is asked of them."""

from __future__ import annotations

import http.client
import json
import math
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench_servers import KEY, ROOT, Server, cpu_seconds, free_port, running, tree
from bench_tiles_rasters import Place
from bench_wrk import run_wrk

MATRIX = "WebMercatorQuad"
# The settings that TiTiler's page on performance tuning recommends.
TITILER_SETTINGS = {
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": ".tif,.TIF,.tiff",
    "GDAL_CACHEMAX": "200",
    "GDAL_BAND_BLOCK_CACHE": "HASHSET",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "GDAL_HTTP_MERGE_CONSECUTIVE_RANGES": "YES",
    "GDAL_HTTP_MULTIPLEX": "YES",
    "GDAL_HTTP_VERSION": "2",
    "PYTHONWARNINGS": "ignore",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
}

WALK = """
local paths, at = {{}}, {offset}
for line in io.lines("{file}") do paths[#paths + 1] = line end
request = function()
  at = at + 1
  return wrk.format("GET", paths[(at - 1) % #paths + 1])
end
"""


@dataclass(frozen=True)
class Side:
    """One server under test: its processes, its port, and the path of a tile of a raster by its letter.

    `downloads` is how it is asked for the bytes of raster c, of which there are `size_bytes`; none for TiTiler.
    """

    name: str
    pids: Callable[[], list[int]]
    port: int
    path: Callable[[str, Place, str, str], str]
    downloads: tuple[Server, ...] = ()
    size_bytes: int = 0

    def cpu_seconds(self) -> float:
        """Return user and system time of all processes so far."""
        return cpu_seconds(self.pids())

    def memory_mb(self) -> dict[str, float]:
        """Return RSS and PSS of all processes."""
        found = {"RSS": 0.0, "PSS": 0.0}
        for pid in self.pids():
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text()
            for name in found:
                found[name] += int(re.search(rf"^{name.capitalize()}:\s+(\d+)", lines, re.M)[1]) / 1024  # type: ignore[index]
        return found


def gateway(stack: ExitStack, folder: Path, files: dict[str, Path], cache_mb: int) -> Side:
    """Return two processes of the gateway, the rasters private, a tile token in each path."""
    environment = {
        **os.environ, "GATEWAY_STATE_DIR": str(folder / "state"), "GATEWAY_SECRET_KEYS": KEY, "PYTHONPATH": str(ROOT),
        "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{files['a'].parent}"}}), "GATEWAY_LOG_LEVEL": "WARNING",
        "GATEWAY_TILE_TOKEN_SECONDS": "86400", "GATEWAY_TILE_CACHE_MB": str(cache_mb),
    }  # fmt: skip

    def command(*arguments: str) -> str:
        line = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(line, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    ids = {
        letter: json.loads(command("ingest", str(file), "--visibility", "private", "--owner", "bench", "--json"))[
            "id"
        ]
        for letter, file in files.items()
    }
    bearer = command("token", "--sub", "bench", "--seconds", "86400").strip()
    port = free_port()
    line = [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--processes", "2"]
    process = stack.enter_context(running(line, port, env=environment))
    tokens = {letter: _tile_token(port, identity, bearer) for letter, identity in ids.items()}

    def path(letter: str, place: Place, extension: str, style: str) -> str:
        tile = "/".join(map(str, place))
        return f"/api/datasets/{ids[letter]}/tiles/{MATRIX}/{tile}.{extension}?{style}token={tokens[letter]}"

    header = (f"Authorization: Bearer {bearer}",)
    whole = Server("COG Gateway", lambda: tree(process.pid), port, f"/api/datasets/{ids['c']}/download/cog", header)
    return Side("COG Gateway", whole.pids, port, path, (whole,), files["c"].stat().st_size)


def _tile_token(port: int, dataset: str, bearer: str) -> str:
    url = f"http://127.0.0.1:{port}/api/auth/tile-token/{dataset}"
    asked = urllib.request.Request(url, method="POST", headers={"Authorization": f"Bearer {bearer}"})
    with urllib.request.urlopen(asked) as answer:  # noqa: S310 - on loopback
        return str(json.load(answer)["token"])


def titiler(stack: ExitStack, python: str, files: dict[str, Path]) -> Side:
    """Return two workers of TiTiler with the settings that it recommends."""
    port = free_port()
    line = [python, "-m", "uvicorn", "titiler.application.main:app", "--port", str(port), "--workers", "2"]
    options = ["--log-level", "warning", "--no-access-log"]
    process = stack.enter_context(running([*line, *options], port, env={**os.environ, **TITILER_SETTINGS}))

    def path(letter: str, place: Place, extension: str, style: str) -> str:
        tile = "/".join(map(str, place))
        return f"/cog/tiles/{MATRIX}/{tile}.{extension}?{style}url={files[letter]}"

    return Side("TiTiler", lambda: tree(process.pid), port, path)


def load(
    side: Side, paths: list[str], offset: int, options: tuple[int, int], folder: Path, timeout_seconds: int = 30
) -> dict[str, float]:
    """Return what wrk saw of a walk over the paths, begun at `offset`; `options` are connections and seconds.

    Where no answer came in that time, the processor time is that of none, and the latencies have no end.
    """
    connections, seconds = options
    script, listed = folder / "walk.lua", folder / "paths.txt"
    listed.write_text("\n".join(paths) + "\n")
    script.write_text(WALK.format(offset=offset, file=listed))
    before = side.cpu_seconds()
    url = f"http://127.0.0.1:{side.port}"
    seen = run_wrk(url, connections, seconds, "-t1", "--timeout", f"{timeout_seconds}s", "-s", script)
    cpu = side.cpu_seconds() - before
    return {
        "req/s": seen.per_second,
        "p50 ms": seen.p50_ms if seen.answers else math.inf,
        "p99 ms": seen.p99_ms if seen.answers else math.inf,
        "CPU ms": 1e3 * cpu / max(1, seen.answers),
    }


def body(side: Side, path: str) -> bytes:
    """Return one answer; raises HTTPError for a refusal."""
    with urllib.request.urlopen(f"http://127.0.0.1:{side.port}{path}") as answer:
        return bytes(answer.read())


def ask_all(side: Side, paths: list[str], connections: int) -> None:
    """Ask for every path once; raises RuntimeError when one is refused."""
    waiting, refused = iter(paths), []
    gate = threading.Lock()

    def work() -> None:
        client = http.client.HTTPConnection("127.0.0.1", side.port)
        while True:
            with gate:
                path = next(waiting, None)
            if path is None:
                return
            client.request("GET", path)
            answer = client.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                refused.append(path)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused:
        raise RuntimeError(f"{side.name} refused {refused[0]}")


def wait_ready(side: Side, path: str) -> None:
    """Return when the first tile is there: workers that are still importing refuse at first."""
    until = time.monotonic() + 60
    while True:
        try:
            body(side, path)
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
