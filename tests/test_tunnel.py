"""The tunnel of the tests: what was down at a moment stays down, also what was about to be connected."""

import socket
import threading

import pytest

from tests.tunnel import Tunnel


@pytest.fixture
def server():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def test_a_connection_that_is_on_its_way_when_the_tunnel_goes_down_ends_as_well(server, monkeypatch):
    begun, goes_on, connect = threading.Event(), threading.Event(), socket.create_connection

    def slowly(address, *args):
        begun.set()
        goes_on.wait(120)
        return connect(address, *args)

    with Tunnel(f"http://127.0.0.1:{server.getsockname()[1]}") as tunnel:
        monkeypatch.setattr(socket, "create_connection", slowly)
        with connect(tunnel._address, timeout=120) as client:
            assert begun.wait(120)
            tunnel.down()
            goes_on.set()
            assert ended(client)
        with pytest.raises(ConnectionRefusedError):
            connect(tunnel._address, timeout=120)
        tunnel.up()
        with connect(tunnel._address, timeout=120) as client:
            client.sendall(b"GET /again HTTP/1.1\r\n\r\n")
            with server.accept()[0] as first:
                # The one that was dropped may have reached the server, and nothing went through it.
                got = first.recv(100)
            if not got:
                with server.accept()[0] as second:
                    got = second.recv(100)
            assert got.startswith(b"GET /again ")
    assert tunnel.requests == [("GET", "/again")]


def ended(client) -> bool:
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
