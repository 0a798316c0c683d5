"""Commits of pgbench, one audit row a transaction: what a PostgreSQL server makes durable without a gateway."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from scripts.bench_servers import TICKS_PER_SECOND, cpu_seconds, measured, tree
from scripts.clustering.postgres import Postgres
from scripts.clustering.program import HOST

# A row as that of a granted range: values of its lengths, keys of its own.
ONE_ROW = """
INSERT INTO audit (at, action, dataset_id, user_id, request_id, version, backend, range, status, bytes_expected, ip,
    user_agent, token_id, detail, row_id)
VALUES (now(), 'download.cog', gen_random_uuid(), 'bench', gen_random_uuid()::text,
    '200000-18a0b1c2d3e4f506-a1b2c3', 'file', 'bytes=1048576-1064959', 206, 16384, '127.0.0.1',
    NULL, gen_random_uuid()::text, NULL, gen_random_uuid());
"""


def pgbench(server: Postgres, database: str, folder: Path, clients: int, *words: object) -> dict[str, float]:
    """Return commits per second, how long one takes, and the processor time of the server for one.

    Rows go into the table `audit` of a database whose tables are the gateway's; `words` are more options of pgbench,
    which say how long it runs.
    """
    script = folder / "row.sql"
    script.write_text(ONE_ROW)
    how = ("-n", "-M", "prepared", "-f", script, "-c", clients, "-j", min(2, clients), *words)
    line = [server.bin / "pgbench", *how, "-h", HOST, "-p", server.port, "-U", server.superuser, database]
    before = spent_seconds(server.pid)
    with measured({}) as spent:
        told = subprocess.run([str(word) for word in line], check=True, capture_output=True, text=True).stdout
    found = [re.search(rf"{name}[=:] ?([\d.]+)", told) for name in ("tps ", "latency average ", "actually processed")]
    if None in found:
        raise RuntimeError(told)
    rate, mean_ms, count = (float(each[1]) for each in found if each is not None)
    return {
        "commits/s": rate, "mean ms": mean_ms,
        "PostgreSQL CPU ms": 1e3 * (spent_seconds(server.pid) - before) / count,
        "cores busy": spent["cores busy"],
    }  # fmt: skip


def spent_seconds(pid: int) -> float:
    """Return the processor time of a process, its children, and those that have ended, as pgbench's backends do."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    # A backend that has ended is among the children until the postmaster waits for it.
    return cpu_seconds(tree(pid)) + (int(fields[13]) + int(fields[14])) / TICKS_PER_SECOND
