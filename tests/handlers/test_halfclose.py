import asyncio
import socket

import pytest
from tornado.iostream import IOStream

from gateway.handlers import halfclose
from gateway.handlers.connections import Connections
from gateway.handlers.halfclose import unread_bytes

pytestmark = pytest.mark.gen_test


@pytest.fixture
def ends():
    """A server's stream and its client's socket, over TCP: a socketpair knows no reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        server, _ = listener.accept()
    client.settimeout(20)
    yield server, client
    client.close()
    server.close()


def adopted(server):
    """Return the half-closed connections of a group that a stream belongs to, and that stream."""
    connections, stream = Connections(60, 1 << 20, lambda error: b""), IOStream(server)
    connections.adopt(stream)
    return connections.half_closed, stream


async def gone(group):
    async with asyncio.timeout(120):
        while len(group):
            await asyncio.sleep(0.005)


async def received(client) -> bytes:
    def read():
        got = b""
        while chunk := client.recv(1 << 16):
            got += chunk
        return got

    return await asyncio.get_running_loop().run_in_executor(None, read)


async def test_an_answer_is_whole_though_the_client_has_sent_more(ends):
    server, client = ends
    group, stream = adopted(server)
    client.sendall(b"unread" * 1000)
    await stream.write(b"answer")
    while not unread_bytes(server):
        await asyncio.sleep(0.005)
    stream.close()
    assert stream.closed()
    assert len(group) == 1
    client.sendall(b"and more")
    assert await received(client) == b"answer"
    client.close()
    await gone(group)
    assert server.fileno() == -1


async def test_a_connection_with_nothing_unread_is_closed_at_once(ends):
    server, client = ends
    group, stream = adopted(server)
    stream.close()
    assert len(group) == 0
    assert await received(client) == b""


async def test_a_client_who_goes_on_sending_is_not_waited_for(ends, monkeypatch):
    monkeypatch.setattr(halfclose, "HALF_CLOSED_SECONDS", 0.01)
    server, client = ends
    group, stream = adopted(server)
    client.sendall(b"unread")
    while not unread_bytes(server):
        await asyncio.sleep(0.005)
    stream.close()
    await gone(group)
    assert server.fileno() == -1


async def test_a_client_who_resets_is_gone(ends):
    server, client = ends
    group, stream = adopted(server)
    client.sendall(b"unread")
    while not unread_bytes(server):
        await asyncio.sleep(0.005)
    stream.close()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    await gone(group)
