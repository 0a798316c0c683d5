"""Clients that end their side and wait for an answer get it whole; those that have left are noticed."""

import asyncio
import socket
from concurrent.futures import Future

import pytest
from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from gateway.handlers.connections import DROP
from gateway.handlers.inputend import INTERIM
from gateway.studio.pictures import Pictures
from tests.handlers.test_connections import until
from tests.handlers.test_streaming import pair, port_of

pytestmark = pytest.mark.gen_test
PATHS = ("/livez", "/api/openapi.json", "download", "preview.png?max_size=64", "preview.npy?max_size=64", "nothing")


async def opened(server, request: bytes):
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    writer.write(request)
    return reader, writer


def asking(path: str, token: str, *, version: str = "1.1") -> bytes:
    return f"GET {path} HTTP/{version}\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


def reset(writer) -> None:
    """Close a connection as the kernel does for a process that left bytes unread."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, DROP)
    writer.transport.abort()


@pytest.mark.parametrize("path", PATHS)
async def test_whoever_ends_its_side_gets_the_whole_answer(world, http_server, fetch, path):
    dataset, token = world.add(), world.bearer()
    if not path.startswith("/"):
        path = f"/api/datasets/{dataset.id}/{'download/cog' if path == 'download' else path}"
    expected = await fetch(path, token=token)
    reader, writer = await opened(http_server, asking(path, token) * 2)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    *_, head, body = answer.removeprefix(INTERIM).split(b"\r\n\r\n", 1)
    assert int(head.split()[1]) == expected.code
    if path != "/livez" and expected.code == 200:
        assert body.startswith(expected.body)
    assert answer.count(b"HTTP/1.1 %d" % expected.code) == 2, "both requests that were sent before"
    await until(lambda: not http_server._connections)


async def test_who_waits_for_a_picture_is_asked_and_who_has_left_is_noticed(world, http_server, monkeypatch):
    dataset, token, made = world.add(), world.bearer(), []
    monkeypatch.setattr(Pictures, "submit", lambda *_: made.append(Future()) or made[-1])
    path = f"/api/datasets/{dataset.id}/preview.png"
    reader, there = await opened(http_server, asking(path, token))
    _, gone = await opened(http_server, asking(path, token))
    _, old = await opened(http_server, asking(path, token, version="1.0"))
    await until(lambda: len(made) == 3)
    there.write_eof()
    old.write_eof()
    gone.close()
    assert await reader.readexactly(len(INTERIM)) == INTERIM
    await until(lambda: sum(work.cancelled() for work in made) == 1)
    await asyncio.sleep(0.1)
    assert len(http_server._connections) == 2
    reset(there)
    await until(lambda: sum(work.cancelled() for work in made) == 2)
    reset(old)
    await until(lambda: not http_server._connections)


async def test_what_is_used_of_tornados_inside_to_read_is_still_there():
    server, client = pair()
    stream = IOStream(server)
    stream.set_close_callback(lambda: None)
    assert (stream.reading(), stream._state & IOLoop.READ) == (False, IOLoop.READ)
    client.shutdown(socket.SHUT_WR)
    assert stream.read_from_fd(bytearray(10)) == 0
    assert callable(stream._handle_events)
    stream.close()
    client.close()
