"""How bodies travel: the attribute of Tornado's that is leaned on, TLS, full sockets, pipelines, lost clients."""

import asyncio
import errno
import logging
import os
import random
import socket
import ssl
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, HTTPOutputError, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, SSLIOStream

from gateway.app import make_server
from gateway.download import SMALL_BYTES
from gateway.files import open_file
from gateway.handlers import streaming
from gateway.handlers.connections import Connections, queued_bytes
from gateway.handlers.streaming import TAIL_BYTES, Aborted, FileTransfer
from gateway.ranges import ByteRange
from tests.certificates import write_certificate
from tests.handlers.test_downloads import big, finished, url

pytestmark = pytest.mark.gen_test


def pair() -> tuple[socket.socket, socket.socket]:
    """A server's and a client's end of one TCP connection; the client's kernel holds little."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.socket()
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(listening.getsockname())
        server, _ = listening.accept()
    server.setblocking(False)
    return server, client


class Plain:
    """The part of an HTTP1Connection that a transfer needs."""

    def __init__(self, stream):
        self.stream = stream
        self._expected_content_remaining = None

    def write(self, chunk):
        return self.stream.write(chunk)


async def closed_at_the_end(stream, transfer):
    try:
        await transfer.run()
    finally:
        stream.close()


def connection_of(stream):
    connections = Connections(20, 1 << 20, lambda error: b"")
    connections.adopt(stream)
    return connections.of(stream)


@pytest.fixture
def file(tmp_path) -> Path:
    path = tmp_path / "body"
    path.write_bytes(random.Random(1).randbytes(8 << 20))
    return path


async def test_tornado_still_counts_a_body_in_the_attribute_that_sendfile_has_to_correct():
    server, client = pair()
    connection = HTTP1Connection(IOStream(server), False)
    assert connection._expected_content_remaining is None, "Tornado has renamed the count of a body's bytes"
    connection._request_start_line = RequestStartLine("GET", "/", "HTTP/1.1")
    connection._request_headers = HTTPHeaders()
    connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), HTTPHeaders({"Content-Length": "10"}))
    assert connection._expected_content_remaining == 10, "Tornado counts a body's bytes otherwise now"
    await connection.write(b"1234")
    assert connection._expected_content_remaining == 6, "Tornado counts a body's bytes otherwise now"
    with pytest.raises(HTTPOutputError):
        connection.finish()
    client.close()


async def test_a_transfer_waits_until_the_clients_kernel_has_everything_before_it_calls_the_file_unchanged(file):
    server, client = pair()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    stream = IOStream(server)
    span = ByteRange(0, 100_000 + TAIL_BYTES)
    with open_file(file) as source:
        transfer = FileTransfer(connection_of(stream), Plain(stream), source, span)
        running = asyncio.ensure_future(closed_at_the_end(stream, transfer))
        while transfer.sent < 100_000:
            await asyncio.sleep(0)
        # All that sendfile had to do is done, and most of it lies in the server's kernel.
        assert queued_bytes(server.fileno()) > 0
        with file.open("r+b") as edited:
            edited.seek(99_999)
            edited.write(b"!")
        got = await asyncio.get_running_loop().run_in_executor(None, read_all, client)
        with pytest.raises(Aborted, match="the file changed"):
            await running
    assert len(got) <= 100_000
    assert stream.closed()
    client.close()


def read_all(client: socket.socket) -> bytes:
    got = bytearray()
    while chunk := client.recv(1 << 20):
        got += chunk
    return bytes(got)


async def test_two_transfers_take_turns(file, monkeypatch):
    turns, sendfile = [], os.sendfile
    monkeypatch.setattr(streaming, "STEP_BYTES", 1 << 18)

    def noted(out, *arguments):
        length = sendfile(out, *arguments)
        turns.append(out)
        return length

    monkeypatch.setattr(os, "sendfile", noted)
    ends = [pair() for _ in range(2)]
    bodies = [[], []]
    threads = [
        threading.Thread(target=lambda n=n, c=client: bodies[n].append(read_all(c)))
        for n, (_, client) in enumerate(ends)
    ]
    for thread in threads:
        thread.start()
    streams = [IOStream(server) for server, _ in ends]
    with open_file(file) as one, open_file(file) as other:
        whole = ByteRange(0, one.size_bytes)
        await asyncio.gather(
            *(
                FileTransfer(connection_of(stream), Plain(stream), source, whole).run()
                for stream, source in zip(streams, (one, other), strict=True)
            )
        )
    for stream in streams:
        stream.close()
    for thread in threads:
        thread.join()
    assert [bodies[0][0], bodies[1][0]] == [file.read_bytes()] * 2
    first_gone = min(max(n for n, out in enumerate(turns) if out == number) for number in set(turns))
    assert len(set(turns[: first_gone // 2])) == 2
    for _, client in ends:
        client.close()


def request(dataset, token, *fields):
    lines = (f"GET {url(dataset)} HTTP/1.1", "Host: x", f"Authorization: Bearer {token}", *fields, "", "")
    return "\r\n".join(lines).encode()


async def answer(reader):
    """Return status, headers and body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in head[1:] if line)
    return int(head[0].split()[1]), headers, await reader.readexactly(int(headers["Content-Length"]))


def port_of(server) -> int:
    return next(iter(server._sockets.values())).getsockname()[1]


async def test_random_ranges_on_one_connection_are_the_bytes_of_the_file_pipelined_or_not(world, http_server):
    dataset, token, whole = world.add(), world.bearer(), world.cog.read_bytes()
    assert len(whole) > 4 * SMALL_BYTES
    chance = random.Random(7)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server), limit=1 << 21)
    for _ in range(30):
        spans = []
        for _ in range(chance.choice((1, 1, 2, 5))):
            start = chance.randrange(len(whole))
            length = chance.choice((1, 100, SMALL_BYTES - 1, SMALL_BYTES, SMALL_BYTES + 1, SMALL_BYTES * 3))
            spans.append((start, min(len(whole), start + length)))
        writer.write(b"".join(request(dataset, token, f"Range: bytes={a}-{b - 1}") for a, b in spans))
        for start, stop in spans:
            status, headers, body = await answer(reader)
            assert status == 206
            assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(whole)}"
            assert body == whole[start:stop]
    writer.close()


async def test_a_client_that_half_closes_gets_what_the_record_says_and_leaks_nothing(world, http_server):
    dataset, token = big(world), world.bearer()
    counted = []
    for rounds in range(1, 7):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
        writer.write(request(dataset, token))
        await reader.readexactly(12)
        writer.write_eof()
        got = b""
        while chunk := await reader.read(1 << 20):
            got += chunk
        whole = len(got.partition(b"\r\n\r\n")[2]) == dataset.size_bytes
        await finished(world, "completed" if whole else "aborted", count=rounds)
        writer.close()
        counted.append(len(os.listdir("/proc/self/fd")))
    assert counted[-1] <= counted[2] + 2


@pytest.fixture
def tls_server(world, app, settings, tmp_path, io_loop):
    """The gateway's server with a certificate; yields server and what a client needs to trust it."""
    certificate, key = write_certificate(tmp_path)
    secured = settings.model_copy(update={"tls_certificate": certificate, "tls_key": key})
    server = make_server(app, replace(world.services, settings=secured))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    server.add_socket(listening)
    yield server, ssl.create_default_context(cafile=str(certificate))
    server.stop()
    io_loop.run_sync(server.close_all_connections)


async def connect(tls_server, token, dataset):
    server, trust = tls_server
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    raw.setblocking(False)
    await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port_of(server)))
    reader, writer = await asyncio.open_connection(sock=raw, ssl=trust, server_hostname="localhost", limit=1 << 16)
    writer.write(request(dataset, token))
    return reader, writer


async def test_a_body_over_tls_is_the_file_and_little_of_it_is_in_memory(world, tls_server, monkeypatch):
    dataset, lengths, pread = big(world), [], os.pread

    def noted(fd, length, offset):
        lengths.append(length)
        return pread(fd, length, offset)

    monkeypatch.setattr(os, "pread", noted)
    reader, writer = await connect(tls_server, world.bearer(), dataset)
    status, _, body = await answer(reader)
    assert (status, body) == (200, (world.folder / dataset.key).read_bytes())
    assert max(lengths) <= 1 << 18
    (connection,) = tls_server[0]._connections
    assert isinstance(connection.stream, SSLIOStream)
    writer.close()
    await finished(world, "completed")


async def test_the_last_answer_of_a_tls_connection_ends_with_a_closure_alert(world, tls_server):
    server, trust = tls_server
    asked = request(world.add(), world.bearer(), "Connection: close")

    def exchange():
        raw = socket.create_connection(("127.0.0.1", port_of(server)), 10)
        # Without the alert this raises SSLEOFError in the end.
        with trust.wrap_socket(raw, server_hostname="localhost", suppress_ragged_eofs=False) as client:
            client.sendall(asked)
            return read_all(client)

    got = await asyncio.get_running_loop().run_in_executor(None, exchange)
    assert got.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("over_tls", [False, True])
async def test_a_disk_that_fails_under_a_transfer_is_named_on_record_and_in_the_log(
    world, http_server, tls_server, over_tls, monkeypatch, caplog
):
    dataset, token = big(world), world.bearer()

    def failing(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "sendfile", failing)
    monkeypatch.setattr(os, "pread", failing)
    if over_tls:
        reader, writer = await connect(tls_server, token, dataset)
    else:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
        writer.write(request(dataset, token))
    await reader.read()
    writer.close()
    await finished(world, "aborted")
    (end,) = world.audit("download.finished")
    assert end.detail["reason"] == "the file could not be read"
    assert [record.getMessage() for record in caplog.records if record.levelname == "WARNING"] == [
        "a download ends early, because its file cannot be read: Input/output error"
    ]
    caplog.clear()


async def test_a_disk_that_fails_under_a_small_range_is_a_503_and_no_grant(world, fetch, monkeypatch, caplog):
    dataset = world.add()

    def failing(*_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "preadv", failing)
    monkeypatch.setattr(os, "pread", failing)
    response = await fetch(url(dataset), token=world.bearer(), headers={"Range": "bytes=0-9"})
    assert (response.code, response.headers["Retry-After"]) == (503, "2")
    assert b"Input/output" not in response.body
    assert world.audit("download.cog") == []
    assert [record.exc_info for record in caplog.records if record.levelno >= logging.WARNING] == [None]
    caplog.clear()


async def test_a_file_that_changes_under_a_tls_transfer_breaks_the_connection(world, tls_server):
    dataset = big(world)
    reader, writer = await connect(tls_server, world.bearer(), dataset)
    await reader.readuntil(b"\r\n\r\n")
    with (world.folder / dataset.key).open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"!")
    got = 0
    try:
        while chunk := await reader.read(1 << 16):
            got += len(chunk)
    except (ConnectionError, ssl.SSLError):
        pass
    assert got < dataset.size_bytes
    writer.close()
    await finished(world, "aborted")


async def test_tls_clients_that_leave_leak_no_descriptor(world, tls_server):
    dataset, counted = big(world), []
    for rounds in range(1, 7):
        for _ in range(3):
            reader, writer = await connect(tls_server, world.bearer(), dataset)
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        await finished(world, "aborted", count=3 * rounds)
        counted.append(len(os.listdir("/proc/self/fd")))
    assert counted[-1] <= counted[2] + 2


@pytest.mark.parametrize("settings", [{"stall_seconds": 0.3}], indirect=True)
async def test_a_tls_client_that_takes_nothing_is_disconnected(world, tls_server):
    dataset = big(world)
    reader, writer = await connect(tls_server, world.bearer(), dataset)
    reader._transport.pause_reading()
    await finished(world, "aborted")
    writer.transport.abort()


async def test_clients_that_leave_right_after_the_first_bytes_leave_a_whole_record_and_no_error(
    world, http_server, caplog
):
    dataset, token = big(world), world.bearer()
    port, rounds = port_of(http_server), 200
    for _ in range(rounds):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(dataset, token, "Range: bytes=0-2000000"))
        await reader.readexactly(100)
        writer.close()
    await finished(world, "aborted", count=rounds)
    assert len(world.audit("download.cog")) == len(world.audit("download.finished")) == rounds
    assert caplog.records == []


@pytest.mark.parametrize("cut_bytes", [1, 5000, TAIL_BYTES - 1])
async def test_a_file_that_is_cut_in_its_last_bytes_is_never_a_whole_answer(file, monkeypatch, cut_bytes):
    server, client = pair()
    stream, stop = IOStream(server), 8 << 20
    with open_file(file) as source:
        # A clock too coarse to tell: the version alone would not show it.
        monkeypatch.setattr(source, "unchanged", lambda: True)
        transfer = FileTransfer(connection_of(stream), Plain(stream), source, ByteRange(stop - 200_000, stop))
        os.truncate(file, stop - cut_bytes)
        reading = asyncio.get_running_loop().run_in_executor(None, read_all, client)
        with pytest.raises(Aborted, match="cut"):
            await closed_at_the_end(stream, transfer)
    assert transfer.sent == len(await reading) == 200_000 - cut_bytes
    client.close()


@pytest.mark.parametrize("told", [True, False])
async def test_whoever_ends_its_side_of_a_tls_connection_gets_the_whole_file_if_an_alert_says_so(
    world, tls_server, told
):
    server, trust = tls_server
    asked = request(dataset := world.add(), world.bearer())

    def exchange():
        raw = socket.create_connection(("127.0.0.1", port_of(server)), 10)
        with trust.wrap_socket(raw, server_hostname="localhost") as client:
            client.sendall(asked)
            client.setblocking(False)
            if told:
                with suppress(ssl.SSLWantReadError):
                    client.unwrap()
            with socket.socket(fileno=os.dup(client.fileno())) as same:
                same.shutdown(socket.SHUT_WR)
            client.settimeout(10)
            got = bytearray()
            # Of a connection that ends without the alert OpenSSL itself says that it is broken.
            with suppress(ssl.SSLZeroReturnError if told else ssl.SSLError):
                while chunk := client.recv(1 << 16):
                    got += chunk
            return bytes(got)

    body = (await asyncio.to_thread(exchange)).partition(b"\r\n\r\n")[2]
    expected = (world.folder / dataset.key).read_bytes()
    assert body == expected if told else expected.startswith(body)
