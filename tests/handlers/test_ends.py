"""Every granted answer has exactly one end on record, counted right, whatever clients, database, store and drain do."""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from gateway.records.sqlite.connection import connect
from gateway.serve import drain
from tests.handlers.test_downloads import big, url
from tests.handlers.test_streaming import port_of
from tests.handlers.test_watching import counted

pytestmark = pytest.mark.gen_test
GRANTS = ("download.cog", "download.part")
RESET = struct.pack("ii", 1, 0)
WAYS = ("whole", "whole", "close", "close", "reset", "half-close", "leave at once")


def visit(port: int, path: str, token: str, chance: random.Random) -> tuple[str, int, str, bool]:
    """Ask once and leave in some way; returns the way, the status, the request id, and whether all was read."""
    way, fields = chance.choice(WAYS), [f"Authorization: Bearer {token}"]
    if chance.random() < 0.8:
        start, length = chance.randrange(1 << 20), chance.choice((1, 5000, 100_000, 131_072, 131_073, 2_000_000))
        fields.append(f"Range: bytes={start}-{start + length - 1}")
    fields.append(f"X-Request-ID: {chance.choice(('same', 'other'))}")
    status, request_id, got, expected = 0, "", 0, -1
    with socket.create_connection(("127.0.0.1", port), timeout=120) as client:
        lines = "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", "Connection: close", *fields, "", ""))
        client.sendall(lines.encode())
        if way == "half-close":
            client.shutdown(socket.SHUT_WR)
        stop = chance.choice((1, 100, 700, 5000, 300_000)) if way in ("close", "reset") else 1 << 40
        data = b""
        try:
            while way != "leave at once" and got + len(data) < stop and (chunk := client.recv(min(stop, 1 << 16))):
                if expected >= 0:
                    got += len(chunk)
                    continue
                data += chunk
                head, end, rest = data.partition(b"\r\n\r\n")
                # A client that has ended its side is asked whether it waits for a slow answer (RFC 9110 15.2).
                if end and head.endswith(b"100 Continue"):
                    data = rest
                    head, end, rest = data.partition(b"\r\n\r\n")
                if end:
                    named = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
                    status, request_id = int(head.split()[1]), named["X-Request-Id"]
                    expected, got, data = int(named.get("Content-Length", 0)), len(rest), b""
        except ConnectionError:
            pass
        if way == "reset":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    return way, status, request_id, got == expected


def many_visits(port: int, paths: list[str], token: str, count: int, seed: int) -> list[tuple[str, int, str, bool]]:
    chance = random.Random(seed)
    return [visit(port, chance.choice(paths), token, chance) for _ in range(count)]


async def visited(port: int, paths: list[str], token: str, clients: int, each: int) -> list:
    """Let clients of other threads come again and again, so that they leave at any moment of an answer."""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(clients) as pool:
        runs = [loop.run_in_executor(pool, many_visits, port, paths, token, each, seed) for seed in range(clients)]
        return [one for run in await asyncio.gather(*runs) for one in run]


async def settled(app) -> None:
    async with asyncio.timeout(120):
        while app.settings["load"].requests:
            await asyncio.sleep(0.02)


async def rows_of(world):
    rows = await asyncio.get_running_loop().run_in_executor(None, world.audit)
    return [r for r in rows if r.action in GRANTS], [r for r in rows if r.action == "download.finished"]


def check(grants, ends, visits) -> None:
    """Assert that each grant which was answered has its end, and that the end is right."""
    # A row that came too late for its answer, which was 503, granted nothing.
    unanswered = {request_id for _, status, request_id, _ in visits if status == 503}
    granted = Counter(row.request_id for row in grants if row.request_id not in unanswered)
    ended = Counter(row.request_id for row in ends)
    assert set(granted.values()) <= {1}
    assert granted == ended
    promised = {row.request_id: row.bytes_expected for row in grants}
    for row in ends:
        whole = row.detail["bytes_sent"] == promised[row.request_id]
        assert row.detail["outcome"] == ("completed" if whole else "aborted"), row
        assert 0 <= row.detail["bytes_sent"] <= promised[row.request_id]
        assert row.detail["client_request_id"] in ("same", "other")
    outcomes = {row.request_id: row.detail["outcome"] for row in ends}
    for _, status, request_id, read in visits:
        if status in (200, 206) and read:
            assert outcomes[request_id] == "completed"


async def check_counts(fetch, ends, backend="local") -> None:
    found = await counted(fetch)
    for outcome, number in Counter(row.detail["outcome"] for row in ends).items():
        assert found[f'cog_gateway_downloads_total{{backend="{backend}",outcome="{outcome}"}}'] == number
    sent = sum(row.detail["bytes_sent"] for row in ends)
    assert found[f'cog_gateway_download_bytes_total{{backend="{backend}"}}'] == sent


async def test_clients_that_leave_at_any_moment(world, app, http_server, fetch, caplog):
    dataset, token = big(world), world.bearer()
    paths = [url(dataset), url(dataset), f"/api/datasets/{dataset.id}/preview.npy?max_size=512"]
    visits = await visited(port_of(http_server), paths, token, 4, 60)
    await settled(app)
    grants, ends = await rows_of(world)
    check(grants, ends, visits)
    assert {row.detail["outcome"] for row in ends} == {"completed", "aborted"}
    assert {row.action for row in grants} == set(GRANTS)
    assert not [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]
    await check_counts(fetch, ends)


@contextmanager
def locked(world):
    """Hold the write lock of the database in a thread until the event that is yielded is set."""
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        database = connect(world.services.settings.state_dir / "gateway.db", "rw")
        database.conn.execute("BEGIN IMMEDIATE")
        held.set()
        over.wait(120)
        database.conn.execute("ROLLBACK")
        database.conn.close()

    with ThreadPoolExecutor(1) as pool:
        holding = pool.submit(hold)
        assert held.wait(120)
        try:
            yield over
        finally:
            over.set()
        holding.result()


@pytest.mark.parametrize("settings", [{"audit_wait_seconds": 0.3}], indirect=True)
async def test_a_database_that_is_locked_meanwhile(world, app, http_server, fetch):
    dataset, token = big(world), world.bearer()
    with locked(world) as over:
        visiting = asyncio.ensure_future(visited(port_of(http_server), [url(dataset)], token, 4, 15))
        async with asyncio.timeout(120):
            while not any("problems" in name and "503" in name for name in await counted(fetch)):
                await asyncio.sleep(0.02)
        over.set()
        visits = await visiting
    visits += await visited(port_of(http_server), [url(dataset)], token, 2, 5)
    await settled(app)
    assert {status for _, status, _, _ in visits} >= {206, 503}
    grants, ends = await rows_of(world)
    # What left before its head was read tells no status: a refusal for it looks like a grant without an end.
    blind = sum(1 for _, status, _, _ in visits if status == 0)
    known = {request_id for _, status, request_id, _ in visits if status in (200, 206)}
    check([g for g in grants if g.request_id in known], [e for e in ends if e.request_id in known], visits)
    assert 0 <= len(grants) - len(ends) <= blind + sum(1 for _, status, _, _ in visits if status == 503)
    await check_counts(fetch, ends)


async def test_a_drain_that_cuts_transfers(world, app, http_server):
    dataset, token = big(world), world.bearer()
    held, loop = [], asyncio.get_running_loop()
    for _ in range(12):
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.setblocking(False)
        await loop.sock_connect(client, ("127.0.0.1", port_of(http_server)))
        lines = (f"GET {url(dataset)} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", "X-Request-ID: same")
        await loop.sock_sendall(client, "\r\n".join((*lines, "", "")).encode())
        held.append(client)
    async with asyncio.timeout(120):
        while len((await rows_of(world))[0]) < len(held):
            await asyncio.sleep(0.05)
    await drain(http_server, 0.2, asyncio.Event())
    assert app.settings["load"].requests == 0
    grants, ends = await rows_of(world)
    check(grants, ends, [])
    assert [row.detail["outcome"] for row in ends] == ["aborted"] * len(held)
    for client in held:
        client.close()
