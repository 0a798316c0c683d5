"""A server on a large archive: how soon it is ready, what its documents take, and how much memory it has then."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from scripts.bench_servers import free_port, running, tree
from scripts.sizing.asking import timed

KEYS = "of-no-secret-because-it-ends-with-this-run"
ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_SECONDS = 60.0


def served(url: str, folder: Path) -> Iterator[str]:
    """Yield the table of a server with one process on the database at `url`."""
    (folder / "data").mkdir(exist_ok=True)
    own = {"DATABASE_URL": url, "STATE_DIR": str(folder), "SECRET_KEYS": KEYS}
    options = {
        "env": os.environ | {f"GATEWAY_{name}": value for name, value in own.items()} | {"PYTHONPATH": str(ROOT)},
        "cwd": folder,
    }
    command, port = [sys.executable, "-m", "gateway"], free_port()
    token = subprocess.check_output(
        [*command, "token", "--sub", "chief", "--role", "admin"], text=True, **options
    ).strip()
    with ExitStack() as stack, (folder / "server.log").open("ab") as log:
        began = time.monotonic()
        words = [*command, "serve", "--port", str(port)]
        process = stack.enter_context(running(words, port, stdout=log, stderr=log, **options))

        def ask(path: str, *, signed_in: bool = True) -> str:
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}")
            if signed_in:
                request.add_header("Authorization", f"Bearer {token}")
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310
                return f"{len(answer.read()) >> 10} KiB"

        ask("/readyz", signed_in=False)
        yield "| question | times | p50 ms | p99 ms | answer |\n|---|---|---|---|---|"
        yield f"| start until ready | 1 | {(time.monotonic() - began) * 1000:.0f} | | {memory_of(process.pid)} |"
        for path in ("/readyz", "/metrics", "/api/datasets", "/api/datasets?limit=1000", "/api/WMTSCapabilities.xml"):
            yield timed(f"GET {path}, admin", lambda path=path: ask(path))
        yield timed("GET /api/datasets, anonymous", lambda: ask("/api/datasets", signed_in=False))
        yield f"| after all of these | | | | {memory_of(process.pid)} |"


def memory_of(pid: int) -> str:
    """Return the resident memory of a process and its children, shared pages once for each."""
    sizes = []
    for each in tree(pid):
        fields = Path(f"/proc/{each}/statm").read_text().split()
        sizes.append(int(fields[1]) * os.sysconf("SC_PAGE_SIZE") >> 20)
    return " + ".join(map(str, sizes)) + " MiB"
