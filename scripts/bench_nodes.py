#!/usr/bin/env python3
"""Audited small ranges of one node on SQLite, one on PostgreSQL and two on it, beside the commits of pgbench.

    python scripts/bench_nodes.py [--rounds 2] [--seconds 3] [--connections 16 64] [--clients 1 8 64]

All sides serve the same files over loopback with as many worker processes in all: one node has two, two nodes have
one each. Each answer waits for its audit row; at the end the rows are counted. Two nodes are asked by turns, and by
way of nginx. pgbench commits one row of the audit's shape a transaction, into a table as the gateway's own in the
same server. Rounds are interleaved, medians are printed. CPU is user and system time, "cores busy" that of the whole
machine, the client's included. Needs wrk and nginx (Debian: wrk nginx-light) and the extra `test`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sqlite3
import statistics
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gateway.records import migrate_records
from scripts.bench_pgbench import pgbench
from scripts.bench_servers import measured, tree
from scripts.bench_wrk import run_wrk
from scripts.clustering.cluster import DATABASE, Cluster, Node, Plan
from scripts.clustering.gateway import Gateway
from scripts.clustering.program import HOST
from scripts.drilling.server import write_cog

# So many that nginx, which sends each dataset to one node, gives both about as many.
FILES, SIDE_PIXELS, RANGE_BYTES = 32, 1024, 16 * 1024
GRANTED = "SELECT count(*) FROM audit WHERE action = 'download.cog'"
QUIET = {"log_level": "WARNING"}

T = TypeVar("T")

# Both threads of wrk make half of the connections, each to the port whose turn it is.
RANGES = """
local ports, paths, turn = {{{ports}}}, {{{paths}}}, 0
function setup(thread)
  thread.addr = wrk.lookup("{host}", ports[turn % #ports + 1])[1]
  thread:set("seed", 7 + turn)
  turn = turn + 1
end
function init() math.randomseed(seed) end
function request()
  local start = math.random(0, {size} - {length})
  wrk.headers["Range"] = "bytes=" .. start .. "-" .. (start + {length} - 1)
  return wrk.format("GET", paths[math.random(#paths)])
end
"""


@dataclass(frozen=True)
class Documents:
    """What is asked for: paths of files, how many bytes each has at least, and a bearer token good for all."""

    paths: tuple[str, ...]
    bytes: int
    authorization: str


@dataclass(frozen=True)
class Side:
    """A way to be served: where it is asked, for what, which processes serve, and which database has the rows."""

    name: str
    ports: tuple[int, ...]
    documents: Documents
    parts: Callable[[], dict[str, list[int]]]
    database: str

    def __str__(self) -> str:
        return self.name


def main() -> None:
    """Start all, run the interleaved rounds, print the tables, and compare rows with answers."""
    options = arguments()
    for program in ("wrk", "nginx"):
        if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin") is None:
            sys.exit(f"{program} is not installed")
    with tempfile.TemporaryDirectory(prefix="cgbn-", dir="/tmp") as scratch:
        folder = Path(scratch)
        folder.chmod(0o711)
        plan = Plan(2, options.processes, delivery=None, settings=QUIET)
        with Cluster(folder, plan) as cluster, ExitStack() as stack:
            compare(cluster, stack, folder, options)


def compare(cluster: Cluster, stack: ExitStack, folder: Path, options: argparse.Namespace) -> None:
    """Print a table for each number of connections, that of pgbench, and how many answers and rows there are."""
    rounds, seconds, answers = options.rounds, options.seconds, Counter[str]()
    sides = started(stack, cluster, options.processes)
    for connections in options.connections:
        print_table(
            f"{RANGE_BYTES // 1024} KiB, {connections} connections, {rounds} × {seconds} s",
            rounds_of(lambda side: asked(side, connections, seconds, folder, answers), sides, rounds),  # noqa: B023
        )
    server = cluster.postgres
    server.execute("CREATE DATABASE commits")
    migrate_records(server.tcp_url("commits"))
    print_table(
        "pgbench, clients, one row a commit",
        rounds_of(
            lambda clients: pgbench(server, "commits", folder, clients, "-T", seconds), options.clients, rounds
        ),
    )
    # A run ends with requests under way, which have rows, and wrk counts no answer.
    cut_off = 2 * rounds * sum(options.connections)
    for line in compared(answers, rows_in(cluster, stack), cut_off):
        print(line)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=3, help="length of a run")
    parser.add_argument("--connections", type=int, nargs="+", default=[16, 64], help="of wrk, one table for each")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 8, 64], help="of pgbench")
    parser.add_argument("--processes", type=int, default=1, help="workers of each of two nodes, half those of one")
    return parser.parse_args()


def started(stack: ExitStack, cluster: Cluster, processes: int) -> list[Side]:
    """Return all sides; the single nodes end with `stack`."""
    for number in range(FILES):
        write_cog(cluster.rasters / f"{number}.tif", side=SIDE_PIXELS, seed=number)
    cluster.postgres.execute("CREATE DATABASE one OWNER gateway_owner TEMPLATE template0")
    urls = {
        "GATEWAY_DATABASE_URL": cluster.postgres.tcp_url("one", user="gateway"),
        "GATEWAY_DATABASE_OWNER_URL": cluster.postgres.tcp_url("one", user="gateway_owner"),
    }
    file, gateway_of_file = alone(stack, cluster, 3, {}, 2 * processes)
    one, gateway_of_one = alone(stack, cluster, 4, urls, 2 * processes)
    both, ports = documents(cluster, cluster), tuple(node.port for node in cluster.nodes)
    return [
        Side(
            "1 node, SQLite", (file.port,), documents(gateway_of_file, cluster), parts_of([file], cluster), "SQLite"
        ),
        Side("1 node, PostgreSQL", (one.port,), documents(gateway_of_one, cluster), parts_of([one], cluster), "one"),
        Side("2 nodes, PostgreSQL", ports, both, parts_of(cluster.nodes, cluster), DATABASE),
        Side("these behind nginx", (cluster.port,), both, parts_of(cluster.nodes, cluster, nginx=True), DATABASE),
    ]


def alone(
    stack: ExitStack, cluster: Cluster, number: int, settings: Mapping[str, str], processes: int
) -> tuple[Node, Gateway]:
    """Return a started node that shares nothing with others, and what commands over its records need."""
    shared = ("GATEWAY_DATABASE_URL", "GATEWAY_DATABASE_OWNER_URL", "GATEWAY_VALKEY_URL")
    own = {name: value for name, value in cluster.environment.items() if name not in shared} | dict(settings)
    gateway = Gateway(cluster.folder, {**own, "GATEWAY_STATE_DIR": str(cluster.folder / f"state-{number}")})
    gateway.command("migrate")
    serving = {name: value for name, value in own.items() if "OWNER" not in name}
    node = Node(number, cluster.folder, serving, processes)
    stack.callback(node.stop)
    node.start()
    node.wait_until(lambda: gateway.status("/readyz", node.port) == 200)
    return node, gateway


def documents(gateway: Gateway, cluster: Cluster) -> Documents:
    """Return where the files are found of which a node's records know now."""
    ids = gateway.ingest_all(*map(str, sorted(cluster.rasters.iterdir())), visibility="internal")
    size = min(file.stat().st_size for file in cluster.rasters.iterdir())
    paths = tuple(f"/api/datasets/{dataset}/download/cog" for dataset in ids)
    return Documents(paths, size, gateway.bearer("bench")["Authorization"])


def parts_of(nodes: Sequence[Node], cluster: Cluster, *, nginx: bool = False) -> Callable[[], dict[str, list[int]]]:
    """Return what tells the processes of each part now."""

    def parts() -> dict[str, list[int]]:
        pids = [pid for node in nodes for pid in tree(node.pid)]
        recorders = [pid for pid in pids if Path(f"/proc/{pid}/comm").read_text().startswith("cog-recorder")]
        return {
            "workers": [pid for pid in pids if pid not in recorders], "recorder": recorders,
            "PostgreSQL": tree(cluster.postgres.pid), "nginx": tree(cluster.balancer.pid) if nginx else [],
        }  # fmt: skip

    return parts


def asked(side: Side, connections: int, seconds: int, folder: Path, answers: Counter[str]) -> dict[str, float]:
    """Return what one run over random ranges of random files has measured; its answers are added to `answers`."""
    script, files = folder / "nodes.lua", side.documents
    ports, paths = (", ".join(f'"{each}"' for each in several) for several in (side.ports, files.paths))
    script.write_text(RANGES.format(ports=ports, paths=paths, host=HOST, size=files.bytes, length=RANGE_BYTES))
    headers = [f"Authorization: {files.authorization}"]
    with measured(side.parts()) as spent:
        load = run_wrk(f"http://{HOST}:{side.ports[0]}", connections, seconds, "-t2", "-s", script, headers=headers)
    answers[side.database] += load.answers
    cores_busy = spent.pop("cores busy")
    each = {name: 1e3 * cpu / load.answers for name, cpu in spent.items()}
    return {
        "req/s": load.per_second, "p50 ms": load.p50_ms, "p99 ms": load.p99_ms,
        **{f"{name} CPU ms": cpu for name, cpu in each.items()}, "together": sum(each.values()),
        "wrk": 1e3 * load.client_cpu_seconds / load.answers, "cores busy": cores_busy,
    }  # fmt: skip


def rounds_of(run: Callable[[T], dict[str, float]], sides: Sequence[T], rounds: int) -> dict[T, dict[str, float]]:
    """Return the medians of interleaved rounds for each side."""
    found: dict[T, list[dict[str, float]]] = {side: [] for side in sides}
    for _ in range(rounds):
        for side, runs in found.items():
            runs.append(run(side))
    return {side: {of: statistics.median(run[of] for run in runs) for of in runs[0]} for side, runs in found.items()}


def print_table(title: str, rows: Mapping[T, Mapping[str, float]]) -> None:
    """Print medians as a table."""
    measures = list(next(iter(rows.values())))
    print(f"| {title} | {' | '.join(measures)} |")
    print("|---" * (1 + len(measures)) + "|")
    for name, values in rows.items():
        cells = [f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in values.values()]
        print(f"| {name} | {' | '.join(cells)} |")
    print(flush=True)


def rows_in(cluster: Cluster, stack: ExitStack) -> dict[str, int]:
    """Return how many grants are on record in each database, when every node has ended."""
    stack.close()
    for node in cluster.nodes:
        node.stop()
    with closing(sqlite3.connect(cluster.folder / "state-3" / "gateway.db")) as connection:
        rows = {"SQLite": int(connection.execute(GRANTED).fetchone()[0])}
    for name in ("one", DATABASE):
        rows[name] = int(str(cluster.postgres.execute(GRANTED, name=name)[0][0]))
    return rows


def compared(answers: Mapping[str, int], rows: Mapping[str, int], cut_off: int) -> Iterator[str]:
    """Yield a line for each database; ends the program where rows are fewer, or more than `cut_off` too many."""
    for database, count in answers.items():
        more = rows[database] - count
        if not 0 <= more <= cut_off:
            sys.exit(f"{database}: {count} answers and {rows[database]} rows")
        yield f"{database}: {count} answers, {rows[database]} rows, {more} of these for requests that were cut off"


if __name__ == "__main__":
    main()
