"""The server's process: started, found again, and ended; never any other process."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from .program import NoServer

HOST = "127.0.0.1"
PARTS = ("s3", "s3.grpc", "master", "master.grpc", "volume", "volume.grpc", "filer", "filer.grpc")
# No CORS headers but by a bucket's own rules, nothing sent to anybody, and none of the parts that S3 does not need.
QUIET = (
    "-s3.autoCreateBucket=false", "-s3.allowedOrigins=", "-s3.localSocket=s3.sock", "-s3.port.iceberg=0",
    "-s3.port.lance=0", "-filer.localSocket=filer.sock", "-master.telemetry=false",
    "-master.volumeSizeLimitMB=1024", "-volume.max=1000", "-volume.preStopSeconds=0", "-webdav=false",
    "-admin.ui=false",
)  # fmt: skip
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "GOMEMLIMIT": "1GiB",
    # One volume for a bucket, and not seven.
    "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1",
}


@dataclass(frozen=True)
class Server:
    """A server that was started: its process, told from a later one of the same id by `born`, and its keys."""

    pid: int
    born: int
    ports: dict[str, int]
    access_key_id: str
    secret_access_key: str

    @property
    def endpoint_url(self) -> str:
        """Return the URL of the S3 API."""
        return f"http://{HOST}:{self.ports['s3']}"

    @property
    def runs(self) -> bool:
        """Return whether this very process still runs."""
        return _born(self.pid) == self.born


def find(folder: Path) -> Server | None:
    """Return the server that was started in `folder`, while it runs."""
    try:
        server = Server(**json.loads((folder / "server.json").read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
    return server if server.runs else None


def launch(weed: Path, folder: Path) -> Server:
    """Start an empty server with new keys in `folder`; it does not answer yet."""
    (folder / "data").mkdir(parents=True)
    key, secret = f"LOCALTEST{secrets.token_hex(6).upper()}", secrets.token_urlsafe(30)
    _write_closed(folder / "identities.json", _identities(key, secret))
    return _run(weed, folder, Server(0, 0, _free_ports(), key, secret))


def relaunch(weed: Path, folder: Path, server: Server) -> Server:
    """Start a server that was stopped again, with its ports, its keys and what it has stored."""
    return _run(weed, folder, server)


def _run(weed: Path, folder: Path, server: Server) -> Server:
    data = folder / "data"
    flags = [f"-{_flag(name)}={port}" for name, port in server.ports.items()]
    line = [
        str(weed), "-logtostderr=true", "mini", f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}",
        f"-s3.config={folder / 'identities.json'}", *QUIET, *flags,
    ]  # fmt: skip
    environment = {**ENVIRONMENT, "HOME": str(data), "TMPDIR": str(data)}
    with (folder / "server.log").open("ab") as log:
        child = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=data, env=environment, start_new_session=True
        )
    server = replace(server, pid=child.pid, born=_born(child.pid) or 0)
    _write_closed(folder / "server.json", json.dumps(asdict(server)))
    return server


def stop(server: Server) -> None:
    """End the process of `server` and wait until it is gone; what it has stored stays. Raises NoServer."""
    for number, seconds in ((signal.SIGTERM, 5.0), (signal.SIGKILL, 5.0)):
        if server.runs:
            with suppress(ProcessLookupError):
                os.kill(server.pid, number)
            until(lambda: not server.runs, seconds)
    if server.runs:
        raise NoServer(f"process {server.pid} does not end")


def end(server: Server, folder: Path) -> None:
    """End the process of `server`, wait until it is gone, and delete what it stored."""
    stop(server)
    for port in server.ports.values():
        for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where the server puts them
            left.unlink(missing_ok=True)
    clear(folder)


def clear(folder: Path) -> None:
    """Delete what a server that runs no more has left in `folder`."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    for name in ("server.json", "identities.json", "server.log"):
        (folder / name).unlink(missing_ok=True)


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Return whether the condition came true within that time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _born(pid: int) -> int | None:
    """Return when a process began, in clock ticks since boot, or None when it is gone (proc(5), stat)."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _free_ports() -> dict[str, int]:
    """Return ports that nobody listens on; the admin part takes a second one, 10000 above its first."""
    with ExitStack() as held:

        def free(port: int = 0) -> int:
            opened = held.enter_context(socket.socket())
            opened.bind((HOST, port))
            return int(opened.getsockname()[1])

        ports = {name: free() for name in PARTS}
        for _ in range(200):
            with suppress(OSError):
                admin = free(20_000 + secrets.randbelow(12_000))
                free(admin + 10_000)
                return {**ports, "admin": admin}
    raise NoServer("there are no free ports")


def _flag(name: str) -> str:
    part, _, grpc = name.partition(".")
    return f"{part}.port.grpc" if grpc else f"{part}.port"


def _identities(key: str, secret: str) -> str:
    credentials = [{"accessKey": key, "secretKey": secret}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    return json.dumps({"identities": [{"name": "test", "credentials": credentials, "actions": actions}]})


def _write_closed(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
