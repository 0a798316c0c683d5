"""What two workers count together, while one of them is killed and started again."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, closing
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.descriptors import opened_by
from tests.e2e.test_serve import bearer, ingest, until
from tests.metrics.test_board import values

ROUTE = "/datasets/{id}/download/cog"
ANSWERED = f'http_requests_total{{method="GET",route="{ROUTE}",status="206"}}'
ENDED = 'cog_gateway_downloads_total{backend="local",outcome="completed"}'
SENT = 'cog_gateway_download_bytes_total{backend="local"}'


@pytest.fixture
def server(start):
    server = start("--processes", "2")
    server.logged("accepting", 2)
    return server


def metrics(server) -> dict[str, float]:
    status, _, body = server.ask("/metrics")
    assert status == 200
    return values(body)


def owners(port: int, workers: set[int]) -> Iterator[int]:
    """Yield each worker that holds a connection of the port (proc(5), net/tcp: state 01 is ESTABLISHED)."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    inodes = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    for pid in workers:
        if opened_by(pid) & inodes:
            yield pid


def ask_both(server, path: str, headers: dict[str, str], each: int) -> int:
    """Return how many requests were answered, after every worker has answered some."""
    workers, count = server.children(), 0
    with ExitStack() as stack:
        connections = []
        while set(owners(server.port, workers)) != workers:
            assert len(connections) < 200
            connection = stack.enter_context(closing(HTTPConnection("127.0.0.1", server.port, timeout=120)))
            for _ in range(each):
                connection.request("GET", path, headers=headers)
                response = connection.getresponse()
                response.read()
                assert response.status == 206
                count += 1
            connections.append(connection)
    return count


def test_sums_over_workers_are_exact_and_no_counter_falls_when_one_is_killed(server):
    path = f"/api/datasets/{ingest(server)}/download/cog"
    headers = {**bearer(server), "Range": "bytes=0-99"}
    count = ask_both(server, path, headers, each=20)
    # The last answer may have reached its client before it was counted.
    until(lambda: metrics(server).get(ANSWERED) == count)
    before = metrics(server)
    assert (before[ANSWERED], before[ENDED], before[SENT]) == (count, count, 100 * count)
    assert before[f'http_request_duration_seconds_count{{route="{ROUTE}"}}'] == count
    assert before["cog_gateway_workers"] == 2
    victim = min(server.children())
    os.kill(victim, signal.SIGKILL)
    server.logged("accepting", 3)
    until(lambda: metrics(server)["cog_gateway_workers"] == 2)
    after = metrics(server)
    totals = [name for name in before if name.partition("{")[0].endswith(("_total", "_count", "_sum", "_bucket"))]
    assert len(totals) > 30
    assert [name for name in totals if after.get(name, 0) < before[name]] == []
    assert (after[ANSWERED], after[ENDED], after[SENT]) == (count, count, 100 * count)
    count += ask_both(server, path, headers, each=20)
    until(lambda: metrics(server)[ANSWERED] >= count)
    assert metrics(server)[ANSWERED] == count
    assert server.stop() == 0
