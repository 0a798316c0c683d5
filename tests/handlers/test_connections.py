"""What a client owes us: the watch over answers of every kind, the bound on what waits, refusals of what is no HTTP."""

import asyncio
import json
import socket
import time
from contextlib import suppress

import pytest
from tornado.iostream import IOStream, UnsatisfiableReadError

from gateway.errors import Unavailable
from gateway.handlers.base import LONG_BODY_BYTES
from gateway.handlers.connections import BARE_REFUSAL, STALL_IN_NEED_SECONDS, Connections, acknowledged
from gateway.handlers.room import SMALL_ANSWER_BYTES
from gateway.settings import Settings
from gateway.studio.pictures import Pictures
from tests.handlers.test_streaming import answer, pair, port_of
from tests.patience import SECONDS

pytestmark = pytest.mark.gen_test
STALL = {"stall_seconds": 0.4}


def group(limit_bytes: int = 1 << 20) -> Connections:
    return Connections(0.2, limit_bytes, lambda error: str(error.status).encode())


async def unreading(server, path: str, count: int = 1, *fields: str) -> socket.socket:
    """Return a client that has asked `count` times and reads nothing."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", port_of(server)))
    lines = "\r\n".join((f"GET {path} HTTP/1.1", "Host: x", *fields, "", ""))
    await loop.sock_sendall(client, lines.encode() * count)
    return client


async def until(condition, seconds: float = SECONDS) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def test_the_kernel_is_asked_once_to_let_every_answer_leave_at_once():
    server, client = pair()
    stream, asked = IOStream(server), []
    stream.set_nodelay = asked.append
    group().adopt(stream)
    # As Tornado does after every answer.
    stream.set_nodelay(True)
    stream.set_nodelay(False)
    assert asked == [True]
    stream.close()
    client.close()


async def test_what_is_used_of_tornados_inside_is_still_there():
    server, client = pair()
    stream = IOStream(server)
    assert (stream._total_write_index, stream._total_write_done_index, len(stream._write_buffer)) == (0, 0, 0)
    writing = stream.write(b"x" * (8 << 20))
    assert stream._total_write_index == 8 << 20
    assert stream._total_write_done_index + len(stream._write_buffer) == 8 << 20
    assert [len(part) for _, part in stream._write_buffer._buffers] == [8 << 20]
    assert 0 < acknowledged(server) < 8 << 20 or acknowledged(server) == 0
    group_ = group()
    group_.adopt(stream)
    stream.close()
    assert writing.done()
    assert stream._total_write_index == 8 << 20, "the counts outlive the connection"
    assert stream._total_write_done_index < 8 << 20
    assert stream._write_buffer is None
    client.close()
    reading, other = pair()
    stream = IOStream(reading)
    head = stream.read_until_regex(b"end", max_bytes=10)
    assert stream._read_regex is not None
    other.sendall(b"a" * 20)
    with pytest.raises(OSError):
        await head
    assert isinstance(stream.error, UnsatisfiableReadError)
    other.close()


@pytest.mark.parametrize("settings", [STALL], indirect=True)
@pytest.mark.parametrize("what", ["json", "picture", "asset"])
async def test_a_client_that_reads_nothing_of_any_answer_is_disconnected(world, http_server, what):
    dataset = world.add()
    path, count = {
        "json": ("/api/openapi.json", 300),
        "picture": (f"/api/datasets/{dataset.id}/preview.png?max_size=1024", 60),
        "asset": ("/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js", 20),
    }[what]
    client = await unreading(http_server, path, count)
    await until(lambda: len(http_server._connections) == 1 and http_server.clients.held_bytes)
    await until(lambda: not http_server._connections)
    assert http_server.clients.held_bytes == 0
    client.close()


@pytest.mark.parametrize("settings", [{"stall_seconds": 3600}], indirect=True)
async def test_a_slow_client_that_takes_bytes_is_not_cut_though_its_window_is_mostly_full(world, http_server):
    client = await unreading(http_server, "/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js", 3)
    await until(lambda: http_server.clients.held_bytes)
    loop, (connection,) = asyncio.get_running_loop(), http_server.clients._open.values()
    for number in range(50):
        assert await loop.sock_recv(client, 4096)
        await asyncio.sleep(0.005)
        # Ten times within the time after which it would be cut.
        connection.look(360.0 * (number + 1), 3600.0)
        assert not connection.stalled
    number = 50
    while not connection.stalled and number < 70:
        number += 1
        connection.look(360.0 * number, 3600.0)
    assert connection.stalled, "and who takes nothing more is"
    client.close()


@pytest.mark.parametrize("settings", [{"unread_mb": 1}], indirect=True)
async def test_large_answers_that_nobody_reads_become_503_and_small_ones_are_given(
    world, http_server, fetch, monkeypatch
):
    adopt = http_server.clients.adopt

    def with_little_in_the_kernel(stream):
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
        adopt(stream)

    monkeypatch.setattr(http_server.clients, "adopt", with_little_in_the_kernel)
    dataset = world.add()
    clients = [
        await unreading(http_server, "/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js") for _ in range(8)
    ]
    await until(lambda: http_server.clients.held_bytes > 700_000)
    refused = await fetch("/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js")
    assert (refused.code, json.loads(refused.body)["detail"]) == (503, "Too many answers wait for their readers.")
    assert refused.headers["Retry-After"] == "1"
    assert (await fetch("/livez")).code == 200
    path, token = f"/api/datasets/{dataset.id}/download/cog", world.bearer()
    # A second time, when a thread has looked at the file.
    for _ in range(2):
        small = await fetch(path, token=token, headers={"Range": "bytes=0-99999"})
        assert small.code == 503
    assert world.audit() == []
    assert http_server.clients.held_bytes < 2 << 20
    for client in clients:
        client.close()
    await until(lambda: len(http_server._connections) <= 1)
    assert (await fetch(path, token=token, headers={"Range": "bytes=0-99999"})).code == 206


async def test_the_bound_counts_what_waits_and_not_what_was_ever_sent():
    connections = group(100_000)
    for _ in range(50):
        connections.room.make(60_000)
    server, client = pair()
    stream = IOStream(server)
    connections.adopt(stream)
    stream.write(b"x" * (8 << 20))
    assert connections.held_bytes == 8 << 20, "a body stays whole until the last of it has left"
    connections.room.make(SMALL_ANSWER_BYTES)
    with pytest.raises(Unavailable):
        connections.room.make(60_000)
    stream.close()
    connections.room.make(200_000)
    client.close()


async def test_who_has_taken_nothing_for_a_while_makes_room_for_others(monkeypatch):
    connections = Connections(60, 1 << 20, lambda error: b"")
    ends = [pair() for _ in range(2)]
    streams = [IOStream(server) for server, _ in ends]
    for stream, (_, client) in zip(streams, ends, strict=True):
        connections.adopt(stream)
        client.setblocking(False)
        stream.write(b"x" * (8 << 20))
    clock, later_seconds = time.monotonic, [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock() + later_seconds[0])
    # What the kernels take by themselves.
    taken, before = [len(stream._write_buffer) for stream in streams], None
    while taken != before:
        await asyncio.sleep(0.1)
        taken, before = [len(stream._write_buffer) for stream in streams], taken
    for _ in range(3):
        later_seconds[0] += STALL_IN_NEED_SECONDS + 1
        with suppress(Unavailable):
            connections.room.make(4 << 20)
        # The first one reads, the second one does not.
        await asyncio.get_running_loop().sock_recv(ends[0][1], 4 << 20)
        await asyncio.sleep(0.05)
    assert [stream.closed() for stream in streams] == [False, True]
    for stream, (_, client) in zip(streams, ends, strict=True):
        stream.close()
        client.close()


@pytest.mark.parametrize("settings", [STALL], indirect=True)
async def test_a_client_whose_answers_all_lie_in_the_kernel_is_disconnected_too(http_server):
    client = await unreading(http_server, "/api/openapi.json", 3)
    await until(lambda: len(http_server._connections) == 1)
    await until(lambda: not http_server._connections, 5)
    client.close()


@pytest.mark.parametrize("settings", [{"unread_mb": 1}], indirect=True)
async def test_a_picture_for_which_there_is_no_room_is_not_drawn(world, http_server, fetch, monkeypatch):
    dataset = world.add()
    monkeypatch.setattr(Pictures, "submit", lambda *_: pytest.fail("drawn in vain"))
    with http_server.clients.room.keep(1 << 20):
        refused = await fetch(f"/api/datasets/{dataset.id}/preview.png", token=world.bearer())
    assert refused.code == 503


async def test_a_long_body_is_not_copied_and_its_head_leaves_first(world, http_server, fetch):
    body = await fetch("/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js")
    assert int(body.headers["Content-Length"]) == len(body.body) > LONG_BODY_BYTES
    client = await unreading(http_server, "/static/vendor/swagger-ui-5.35.0/swagger-ui-bundle.js", 20)
    await until(lambda: http_server.clients.held_bytes)
    assert http_server.clients.held_bytes == len(body.body)
    client.close()


def test_a_body_that_waits_for_its_row_keeps_its_room():
    connections = group(100_000)
    with connections.room.keep(60_000), pytest.raises(Unavailable), connections.room.keep(60_000):
        pass
    with connections.room.keep(60_000):
        pass


REFUSED = {
    "no Host": (400, b"GET /livez HTTP/1.1\r\n\r\n"),
    "HTTP/2.0": (400, b"GET /livez HTTP/2.0\r\nHost: x\r\n\r\n"),
    "a login in the target": (400, b"GET http://ana@x/livez HTTP/1.1\r\nHost: ana@x\r\n\r\n"),
    "a body that is too large": (400, b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n" + b"x" * 99_999),
    "a head that is too large": (431, b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 99_999 + b"\r\n\r\n"),
    "a target that is too large": (431, b"GET /" + b"a" * 99_999 + b" HTTP/1.1\r\nHost: x\r\n\r\n"),
    "a chunk without a length": (400, b"POST /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 99_999),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
async def test_what_is_no_http_or_too_large_is_answered_with_a_problem_and_the_end(world, http_server, what):
    status, sent = REFUSED[what]
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
    writer.write(sent)
    code, headers, body = await answer(reader)
    problem = json.loads(body)
    assert code == problem["status"] == status
    assert (headers["Content-Type"], headers["Connection"]) == ("application/problem+json", "close")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Request-Id"] == problem["instance"]
    assert await reader.read() == b""
    writer.close()
    found = world.services.metrics.text().decode()
    assert f'cog_gateway_problems_total{{problem="{problem["title"]}",status="{status}"}} 1.0' in found


async def test_tornado_still_refuses_with_the_bytes_that_are_replaced(monkeypatch, world, http_server):
    written = []
    monkeypatch.setattr(http_server.clients, "refusal", lambda error: written.append(error.status) or BARE_REFUSAL)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
    writer.write(b"no http\r\n\r\n")
    assert (await reader.read()).startswith(b"HTTP/1.1 400")
    assert written == [400]
    writer.close()


def test_the_settings_say_what_holds():
    told = Settings.model_fields
    assert told["stall_seconds"].default == 60
    assert told["unread_mb"].default == 128


async def test_a_connection_that_is_over_needs_no_collection():
    import weakref

    connections = group()
    server, client = pair()
    stream = IOStream(server)
    connections.adopt(stream)
    held = weakref.ref(connections.of(stream))
    stream.close()
    assert held() is None
    client.close()
