"""The benchmark of nodes: what it counts and what it asks, not how long anything takes."""

import contextlib
import os
import sys
from types import SimpleNamespace

import pytest

from gateway.records import open_records
from gateway.records.base import AuditQuery
from scripts.bench_nodes import RANGE_BYTES, compared, parts_of, print_table, rounds_of
from scripts.bench_pgbench import pgbench
from scripts.bench_wrk import load_of
from scripts.clustering.program import Program
from tests.patience import until
from tests.postgres import DATABASES

TOLD = """Running 2s test @ http://127.0.0.1:18000
  2 threads and 16 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     4.77ms    2.06ms  21.36ms   79.28%
    Req/Sec     1.71k   181.49     2.07k    67.50%
  Latency Distribution
     50%    4.32ms
     75%    5.56ms
     90%    7.24ms
     99%    1.30s
  6797 requests in 2.00s, 108.60MB read
Requests/sec:   3392.66
Transfer/sec:     54.21MB
"""


def test_what_wrk_tells_is_read_in_milliseconds_and_a_refused_request_ends_the_run():
    load = load_of(TOLD)
    assert (load.answers, load.per_second, load.p50_ms, load.p99_ms) == (6797, 3392.66, 4.32, 1300.0)
    for told in ("  Non-2xx or 3xx responses: 3\n", "  Socket errors: connect 0, read 0, write 0, timeout 7\n"):
        with pytest.raises(RuntimeError, match=told.strip()):
            load_of(TOLD + told)


def test_an_answer_without_a_row_ends_the_benchmark_and_so_do_rows_without_a_request():
    assert list(compared({"one": 100}, {"one": 116}, 16)) == [
        "one: 100 answers, 116 rows, 16 of these for requests that were cut off"
    ]
    for rows in (99, 117):
        with pytest.raises(SystemExit, match=f"one: 100 answers and {rows} rows"):
            list(compared({"one": 100}, {"one": rows}, 16))


def test_rounds_are_interleaved_and_medians_printed(capsys):
    asked = []
    rows = rounds_of(lambda side: asked.append(side) or {"req/s": 1000.0 * len(asked)}, ["a", "b"], 3)
    assert asked == ["a", "b"] * 3
    print_table("title", rows)
    assert capsys.readouterr().out.splitlines() == [
        "| title | req/s |",
        "|---|---|",
        "| a | 3000 |",
        "| b | 4000 |",
        "",
    ]


@pytest.mark.skipif("postgresql" not in DATABASES, reason="there is no PostgreSQL")
def test_pgbench_commits_rows_that_are_grants_of_the_audit(postgres, tmp_path):
    with postgres.new() as name:
        figures = pgbench(postgres.server, name, tmp_path, 2, "-t", 3)
        with contextlib.closing(open_records(postgres.server.url(name))) as records:
            rows = list(records.audit_rows(AuditQuery()))
    assert min(figures["commits/s"], figures["mean ms"]) > 0
    assert len({stored.row.row_id for stored in rows}) == len(rows) == 6
    assert {(stored.row.action, stored.row.status, stored.row.bytes_expected) for stored in rows} == {
        ("download.cog", 206, RANGE_BYTES)
    }


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_recorder_of_a_node_is_told_from_its_workers(tmp_path):
    named = "echo cog-recorder >/proc/self/comm; read -r waits"
    node = Program("node", ["bash", "-c", f"mkfifo waits; bash -c '{named}' <>waits; :"], tmp_path)
    parts = parts_of([node], SimpleNamespace(postgres=SimpleNamespace(pid=os.getpid())))
    node.start()
    try:
        until(lambda: len(parts()["recorder"]) == 1)
        found = parts()
    finally:
        node.kill()
    assert found["workers"] == [node.pid]
    assert (os.getpid() in found["PostgreSQL"], found["nginx"]) == (True, [])
