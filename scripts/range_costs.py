#!/usr/bin/env python3
"""Where the time of a small audited range goes: processor time of the loop by step, of one worker under wrk.

    python scripts/range_costs.py [--seconds 4] [--kib 16]

Each step is timed by the processor time of the loop's thread, steps within it left out, and divided by the requests.
What the clock itself costs is taken off. What no step holds is Tornado's and asyncio's: connections, futures, the
selector. Needs wrk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench_downloads import RANDOM_RANGES, make_cog
from bench_servers import ROOT
from tornado.http1connection import HTTP1Connection
from tornado.iostream import IOStream
from tornado.netutil import bind_sockets

from gateway import download, recording
from gateway.app import make_app, make_server
from gateway.audit import LoopAuditLog, link, written_here
from gateway.audit.log import Rows
from gateway.files import FileSource
from gateway.handlers import smallranges
from gateway.handlers.smallranges import SmallRangeRequest, SmallRanges
from gateway.handlers.trace import Trace
from gateway.metrics import Metrics
from gateway.services import open_services
from gateway.settings import RootSettings, Settings

# What is timed: the step, and the function that is it.
STEPS: tuple[tuple[str, Any, str], ...] = (
    ("parsing the head", HTTP1Connection, "_parse_headers"),
    ("choosing the way", SmallRanges, "dataset_id"),
    ("who asks", smallranges, "principal_of"),
    ("admission, version, conditions, range", smallranges, "prepare"),
    ("reading the file", FileSource, "read_cached"),
    ("opening and checking the file", download, "_found"),
    ("what is told of the request", Trace, "of"),
    ("making a row", Trace, "row"),
    ("handing the row over", LoopAuditLog, "durable"),
    ("noting the end", Rows, "note"),
    ("rows into one frame", link, "request_of"),
    ("making the head", SmallRangeRequest, "_head"),
    ("writing head and body", SmallRangeRequest, "_write"),
    ("of that the kernel", IOStream, "write_to_fd"),
    ("counting the request", Metrics, "answered"),
)


class Clock:
    """Adds up the processor time of steps, each without those within it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._inner = [0.0]

    def timed(self, step: str, work: Callable[..., Any]) -> Callable[..., Any]:
        """Return `work`, timed."""

        def run(*args: Any, **kwargs: Any) -> Any:
            began = time.thread_time()
            self._inner.append(0.0)
            try:
                return work(*args, **kwargs)
            finally:
                took = time.thread_time() - began
                self.seconds[step] += took - self._inner.pop()
                self._inner[-1] += took
                self.calls[step] += 1

        return run

    def cost_seconds(self) -> float:
        """Return what timing an empty step costs."""
        empty, before = self.timed("nothing", lambda: None), time.thread_time()
        for _ in range(20_000):
            empty()
        return (time.thread_time() - before) / 20_000


def instrument(clock: Clock) -> None:
    """Put the clock around every step."""
    for step, owner, name in STEPS:
        found = owner.__dict__[name]
        if isinstance(found, classmethod):
            setattr(owner, name, classmethod(clock.timed(step, found.__func__)))
        else:
            setattr(owner, name, clock.timed(step, found))


@contextmanager
def recorder(settings: Settings, folder: Path) -> Iterator[Path]:
    """Yield where a recorder of its own process listens; it is killed at the end."""
    with recording.listen(folder) as listener:
        process = os.fork()
        if process == 0:
            recording.record_for_workers(settings, folder, listener)
        try:
            yield recording.recorder_socket(folder)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)


async def serve(
    settings: Settings, socket: Path, path: str, token: str, script: Path, seconds: int
) -> tuple[int, float]:
    """Return how many requests were answered, and the processor time of the loop's thread meanwhile."""
    with open_services(settings, recorder=socket) as services:
        async with written_here(services.audit):
            server = make_server(make_app(services), services)
            sockets = bind_sockets(0, "127.0.0.1")
            url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}{path}"
            server.add_sockets(sockets)
            before = time.thread_time()
            process = await asyncio.create_subprocess_exec(
                "wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script), "-H", f"Authorization: Bearer {token}", url,
                stdout=subprocess.PIPE,
            )  # fmt: skip
            printed, _ = await process.communicate()
            took = time.thread_time() - before
            server.stop()
            await server.close_all_connections()
        if b"Non-2xx" in printed:
            raise RuntimeError(printed.decode())
        return int(printed.split(b" requests in")[0].split()[-1]), took


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--kib", type=int, default=16)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "rasters").mkdir()
        make_cog(folder / "rasters" / "a.tif", 0.05)
        settings = Settings(
            state_dir=folder / "state", roots={"data": RootSettings(uri=f"file:{folder / 'rasters'}")},
            secret_keys=("range-costs-key-0123456789-abcdef",), log_level="WARNING", _env_file=None,
        )  # type: ignore[call-arg]  # fmt: skip
        dataset, token = registered(settings, folder / "rasters" / "a.tif")
        size = (folder / "rasters" / "a.tif").stat().st_size
        script = folder / "ranges.lua"
        script.write_text(RANDOM_RANGES.format(size=size, length=options.kib * 1024))
        clock = Clock()
        overhead = clock.cost_seconds()
        instrument(clock)
        path = f"/api/datasets/{dataset}/download/cog"
        with recorder(settings, folder) as socket:
            requests, total = asyncio.run(serve(settings, socket, path, token, script, options.seconds))
    report(clock, overhead, requests, total)


def registered(settings: Settings, file: Path) -> tuple[str, str]:
    """Return the id of the file, registered as internal, and a bearer token."""
    roots = {"data": {"uri": f"file:{file.parent}"}}
    environment = {
        **os.environ, "GATEWAY_STATE_DIR": str(settings.state_dir), "GATEWAY_SECRET_KEYS": settings.secret_keys[0],
        "GATEWAY_ROOTS": json.dumps(roots), "PYTHONPATH": str(ROOT),
    }  # fmt: skip

    def command(*arguments: str) -> str:
        line = [sys.executable, "-m", "gateway", *arguments]
        return subprocess.run(line, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout

    dataset = str(json.loads(command("ingest", str(file), "--visibility", "internal", "--json"))["id"])
    return dataset, command("token", "--sub", "bench", "--seconds", "3600").strip()


def report(clock: Clock, overhead: float, requests: int, total: float) -> None:
    """Print the steps in microseconds of a request."""
    timed = sum(clock.calls[step] for step, _, _ in STEPS) * overhead
    whole = 1e6 * (total - timed) / requests
    print("| step | us | % |\n|---|---|---|")
    known = 0.0
    for step, _, _ in STEPS:
        each = 1e6 * (clock.seconds[step] - clock.calls[step] * overhead / 2) / requests
        known += each
        print(f"| {step} | {each:.1f} | {100 * each / whole:.0f} |")
    print(f"| Tornado, asyncio, the selector | {whole - known:.1f} | {100 * (whole - known) / whole:.0f} |")
    print(f"| all | {whole:.0f} | 100 |")


if __name__ == "__main__":
    main()
