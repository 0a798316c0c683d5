#!/usr/bin/env python3
"""Access logs of a million lines: what `audit reconcile` takes, and how much memory.

    python scripts/bench_reconcile.py [--lines 1000000] [--share 0.1]

Makes a log of which a share are downloads by a thousand redirects on record, and reads it twice, in either database:
the second time everything is known. Prints seconds, lines per second and the most memory of the process.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.ids import REQUEST_ID_PARAMETER
from gateway.model import AuditRow
from gateway.records import open_records
from scripts.bench_records import opened

REDIRECTS = 1000
LINE = (
    "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be archive [{at}] 198.51.100.7 "
    'arn:aws:iam::111122223333:user/gateway {number:016X} REST.GET.OBJECT cogs/a.tif "GET /archive/cogs/a.tif?{id}'
    'X-Amz-Expires=3600 HTTP/1.1" 206 - 16384 900000000 41 12 "-" "GDAL/3.9.2" - s9lzHYrFp76ZVxRcpX9+5cj= '
    "SigV4 ECDHE-RSA-AES128-GCM-SHA256 QueryString archive.s3.amazonaws.com TLSv1.2 - - eu-central-1\n"
)


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--share", type=float, default=0.1)
    options = parser.parse_args()
    print("| database | run | s | lines/s | most MiB |\n|---|---|---|---|---|", flush=True)
    for database in ("sqlite", "postgresql"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="logs-")))
            folder.chmod(0o711)
            place = folder / database
            place.mkdir()
            url, _ = opened(stack, database, place)
            log = made(folder, url, options.lines, options.share)
            for run in ("first", "again"):
                seconds, most = taken(folder, url, log)
                cells = (database, run, f"{seconds:.1f}", f"{options.lines / seconds:,.0f}", f"{most:.0f}")
                print(f"| {' | '.join(cells)} |", flush=True)
    return 0


def made(folder: Path, url: str, lines: int, share: float) -> Path:
    """Return a log, and put redirects on record."""
    now, ids = datetime.now(UTC), [f"{number:032x}" for number in range(REDIRECTS)]
    redirect = AuditRow("download.finished", now, backend="s3", status=302, version="v", detail={"bytes_sent": 0})
    with closing(open_records(url)) as records:
        records.append_audit(
            [replace(redirect, request_id=each, row_id=f"{each[:8]}-0000-4000-8000-{each[-12:]}") for each in ids]
        )
    every, at, log = round(1 / share), now.strftime("%d/%b/%Y:%H:%M:%S +0000"), folder / "log"
    with log.open("w") as file:
        for number in range(lines):
            marked = f"{REQUEST_ID_PARAMETER}={ids[number % REDIRECTS]}&" if number % every == 0 else ""
            file.write(LINE.format(at=at, number=number, id=marked))
    return log


def taken(folder: Path, url: str, log: Path) -> tuple[float, float]:
    """Return seconds and the most MiB of one run."""
    keys = {"GATEWAY_DATABASE_URL": url, "GATEWAY_SECRET_KEYS": "k" * 40, "GATEWAY_STATE_DIR": str(folder / "state")}
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "gateway", "audit", "reconcile", str(log)], env={**os.environ, **keys},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"exit code {process.returncode}")
    return time.monotonic() - began, usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
