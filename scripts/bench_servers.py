"""The servers that the benchmarks compare, each started over the same file on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KEY = "benchmark-key-0123456789-abcdefghij"
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

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
        return cpu_seconds(self.pids())


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return user and system time so far of those of these processes that still run."""
    return sum(_ticks(pid) for pid in pids) / TICKS_PER_SECOND


def _ticks(pid: int) -> int:
    # A process may end between the listing and the reading: its /proc file is then gone, or cannot be read (ESRCH).
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(fields[11]) + int(fields[12])


@contextmanager
def measured(parts: Mapping[str, list[int]]) -> Iterator[dict[str, float]]:
    """Yield what has, after the block, the processor seconds of each part in it, and the cores that were busy."""
    spent: dict[str, float] = {}
    before, busy, began = {name: cpu_seconds(pids) for name, pids in parts.items()}, busy_seconds(), time.monotonic()
    yield spent
    spent |= {name: cpu_seconds(pids) - before[name] for name, pids in parts.items()}
    spent["cores busy"] = (busy_seconds() - busy) / (time.monotonic() - began)


def busy_seconds() -> float:
    """Return the processor time of the whole machine so far: all of proc_stat(5) but idle and iowait."""
    ticks = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(ticks) - ticks[3] - ticks[4]) / TICKS_PER_SECOND


def tree(pid: int) -> list[int]:
    """Return a process and all that it and its children have started."""
    children = [child for path in Path(f"/proc/{pid}/task").glob("*/children") for child in _children(path)]
    return [pid, *(each for child in children for each in tree(child))]


def _children(path: Path) -> list[int]:
    try:
        return [int(child) for child in path.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


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


@contextmanager
def servers(folder: Path, file: Path) -> Iterator[list[Server]]:
    """Yield the three servers, started over the same file."""
    with ExitStack() as stack:
        yield [gateway(stack, folder, file), nginx(stack, folder, file), static(stack, file)]


def gateway(
    stack: ExitStack, folder: Path, file: Path, root: Path = ROOT, settings: Mapping[str, str] | None = None
) -> Server:
    """Return the gateway of the checkout at `root` with the file ingested, an audit, and a bearer token.

    `settings` are more variables of its environment.
    """
    environment = {
        **os.environ, "GATEWAY_STATE_DIR": str(folder / "state"), "GATEWAY_SECRET_KEYS": KEY, "PYTHONPATH": str(root),
        "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{file.parent}"}}), "GATEWAY_LOG_LEVEL": "WARNING",
        **(settings or {}),
    }  # fmt: skip

    def command(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "gateway", *arguments],
            env=environment,
            cwd=root,
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
            [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--processes", "2"],
            port,
            env=environment,
            cwd=root,
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
