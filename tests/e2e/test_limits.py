"""What no well-behaved client sends, over raw sockets: the right answer, never a 500, and a server that lives on."""

import json
import resource
import socket
from pathlib import Path

import pytest

from tests.e2e.conftest import Server
from tests.e2e.test_serve import bearer, ingest, until
from tests.rasters import write_cog

CLOSE = "Connection: close"
PUBLIC_TOKEN = "POST /api/auth/download-token/{id} HTTP/1.1"
FILE = "GET /api/datasets/{id}/download/cog HTTP/1.1"
CLOSED = 0
GROWTH_KIB = 48 * 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("limits")
    (folder / "rasters").mkdir()
    write_cog(folder / "rasters" / "elevation.tif")
    started = Server(folder)
    started.dataset, started.bearer = ingest(started), bearer(started)["Authorization"]
    started.ask("/readyz")
    started.rss = rss_kib(started)
    yield started
    if started.process.poll() is None:
        started.stop()


def rss_kib(server) -> int:
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.fixture(autouse=True)
def server_lives_on(server):
    yield
    assert server.ask("/livez")[0] == 200
    assert server.ask("/readyz")[0] == 200
    assert rss_kib(server) - server.rss < GROWTH_KIB
    # Whatever a request held, each line of the log is one JSON object, and none tells of an error of ours.
    for line in list(server.lines):
        told = json.loads(line)
        assert told["level"] != "ERROR", line
        assert not 500 <= told.get("status", 0) <= 502, line


def message(server, start, *fields, body=b"", host="Host: x"):
    lines = (start, *([host] if host else []), *fields, "", "")
    text = "\r\n".join(lines).replace("{id}", server.dataset).replace("{bearer}", f"Authorization: {server.bearer}")
    return text.encode("latin-1") + body


def exchange(server, data: bytes) -> bytes:
    """Send `data` and return everything until the server closes; a reset ends it like a close does."""
    got = b""
    with socket.create_connection(("127.0.0.1", server.port), timeout=120) as client:
        try:
            client.sendall(data)
            while chunk := client.recv(1 << 16):
                got += chunk
        except ConnectionError:
            pass
    return got


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else CLOSED


CASES = {
    "a header over 32 KB": (431, ["GET /livez HTTP/1.1", "X: " + "a" * 33_000]),
    "a target over 32 KB": (431, ["GET /livez?" + "a" * 33_000 + " HTTP/1.1"]),
    "a thousand headers": (200, ["GET /livez HTTP/1.1", CLOSE, *(f"X-{n}: 1" for n in range(1000))]),
    "more than a thousand query fields": (400, ["GET /api/datasets?" + "&".join(["a=1"] * 1100) + " HTTP/1.1"]),
    "a POST that declares 10 GB": (400, [PUBLIC_TOKEN, "Content-Length: 10000000000"]),
    "a Content-Length of 5000 digits": (400, [PUBLIC_TOKEN, "Content-Length: " + "9" * 5000]),
    "a signed Content-Length": (400, [PUBLIC_TOKEN, "Content-Length: +5"]),
    "an underscore in Content-Length": (400, [PUBLIC_TOKEN, "Content-Length: 1_0"]),
    "two Hosts": (400, ["GET /livez HTTP/1.1", "Host: y"]),
    "two unequal lengths": (400, [PUBLIC_TOKEN, "Content-Length: 1", "Content-Length: 2"]),
    "length and chunks": (400, [PUBLIC_TOKEN, "Content-Length: 5", "Transfer-Encoding: chunked"]),
    "gzip and chunks": (400, [PUBLIC_TOKEN, "Transfer-Encoding: gzip, chunked"]),
    "a folded header": (400, ["GET /livez HTTP/1.1", "X: a\r\n b"]),
    "NUL in a header": (400, ["GET /livez HTTP/1.1", "X: a\0b"]),
    "CR in a header": (400, ["GET /livez HTTP/1.1", "X: a\rb"]),
    "NUL in the target": (400, ["GET /li\0vez HTTP/1.1"]),
    "a bare CR in the target": (400, ["GET /li\rvez HTTP/1.1"]),
    "HTTP/2.0": (400, ["GET /livez HTTP/2.0"]),
    "HTTP/0.9": (400, ["GET /livez"]),
    "100 ranges": (200, [FILE, "{bearer}", CLOSE, "Range: bytes=" + ",".join(f"{n}-{n}" for n in range(100))]),
    "an end of 5000 digits": (206, [FILE, "{bearer}", CLOSE, "Range: bytes=0-" + "9" * 5000]),
    "a start of 5000 digits": (416, [FILE, "{bearer}", CLOSE, "Range: bytes=" + "9" * 5000 + "-"]),
    "a suffix of 5000 digits": (206, [FILE, "{bearer}", CLOSE, "Range: bytes=-" + "9" * 5000]),
    "an impossible If-Range date": (200, [FILE, "{bearer}", CLOSE, "Range: bytes=0-9",
                                          "If-Range: Sun, 99 Nov 99999999999 00:00:00 GMT"]),
    "an If-Unmodified-Since of 6000 digits": (206, [FILE, "{bearer}", CLOSE, "Range: bytes=0-9",
                                                    "If-Unmodified-Since: " + "9" * 6000]),
    "a user agent that is no UTF-8": (206, [FILE, "{bearer}", CLOSE, "Range: bytes=0-9", "User-Agent: \xff\xfe\x85"]),
    "two bearers": (401, [FILE, "{bearer}", "{bearer}", CLOSE]),
    "a NUL as token": (401, ["GET /api/datasets/{id}/download/cog?token=%00 HTTP/1.1", CLOSE]),
    "%00 in a path": (404, ["GET /livez%00 HTTP/1.1", CLOSE]),
    "a line end in a path": (404, ["GET /livez%0d%0aSet-Cookie:x=y HTTP/1.1", CLOSE]),
    "a line end behind an id": (422, ["GET /api/datasets/{id}%0a/download/cog HTTP/1.1", "{bearer}", CLOSE]),
    "%00 as id": (422, ["GET /api/datasets/%00/download/cog HTTP/1.1", "{bearer}", CLOSE]),
    "%2e%2e as id": (422, ["GET /api/datasets/%2e%2e/download/cog HTTP/1.1", "{bearer}", CLOSE]),
    "%2e%2e to a system file": (404, ["GET /api/datasets/%2e%2e/%2e%2e/etc/passwd HTTP/1.1", "{bearer}", CLOSE]),
    ".. to a system file": (404, ["GET /../../etc/passwd HTTP/1.1", CLOSE]),
    "TRACE": (405, ["TRACE /livez HTTP/1.1", CLOSE]),
    "a method of no standard": (405, ["FROB /livez HTTP/1.1", CLOSE]),
    "CONNECT to an authority": (404, ["CONNECT example.org:443 HTTP/1.1", CLOSE]),
    "CONNECT to a route": (405, ["CONNECT /livez HTTP/1.1", CLOSE]),
    "an absolute target": (200, ["GET http://maps.example/livez HTTP/1.1", CLOSE]),
    "an absolute target in capitals and with a query": (200, ["GET HTTP://maps.example/livez?a=b HTTP/1.1", CLOSE]),
    "an absolute target without a path": (200, ["GET http://maps.example HTTP/1.1", CLOSE]),
    "an absolute target with a login": (400, ["GET http://ana@maps.example/livez HTTP/1.1", CLOSE]),
    "an absolute target and two Hosts": (400, ["GET http://maps.example/livez HTTP/1.1", "Host: y"]),
    "an absolute target of another scheme": (404, ["GET ftp://maps.example/livez HTTP/1.1", CLOSE]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_it_is_answered_with_the_right_status(server, case):
    status, lines = CASES[case]
    answer = exchange(server, message(server, *lines))
    assert status_of(answer) == status, answer[:300]


def test_http_1_0_needs_no_host_and_is_closed_after_its_answer(server):
    for fields in ([], ["Connection: close"]):
        assert status_of(exchange(server, message(server, "GET /livez HTTP/1.0", *fields, host=None))) == 200
    assert status_of(exchange(server, message(server, "GET /livez HTTP/1.1", host=None))) == 400


def test_a_body_on_a_get_is_ignored_up_to_256_kib(server):
    fields = ["GET /livez HTTP/1.1", CLOSE]
    small = message(server, *fields, "Content-Length: 262144", body=b"x" * 262144)
    assert status_of(exchange(server, small)) == 200
    # Of a longer one not a byte is waited for.
    assert status_of(exchange(server, message(server, *fields, "Content-Length: 262145"))) == 400


@pytest.mark.parametrize("sizes", [[0x50000], [0x1000] * 70])
def test_a_chunked_body_beyond_256_kib_is_refused(server, sizes):
    chunks = b"".join(b"%x\r\n" % size + b"x" * size + b"\r\n" for size in sizes)
    answer = exchange(server, message(server, PUBLIC_TOKEN, "Transfer-Encoding: chunked", body=chunks + b"0\r\n\r\n"))
    assert status_of(answer) in (400, CLOSED)


def test_a_negative_chunk_is_refused(server):
    answer = exchange(server, message(server, PUBLIC_TOKEN, "Transfer-Encoding: chunked", body=b"-5\r\nhello\r\n"))
    assert status_of(answer) == 400


def test_pipelined_requests_are_answered_in_their_order(server):
    ranges = b"".join(message(server, FILE, "{bearer}", f"Range: bytes={n}-{n + 9}") for n in range(50))
    whole = (server.folder / "rasters" / "elevation.tif").read_bytes()
    answer = exchange(server, ranges + message(server, "GET /livez HTTP/1.1", CLOSE))
    for n in range(50):
        head, _, answer = answer.partition(b"\r\n\r\n")
        assert b"bytes %d-%d/" % (n, n + 9) in head
        assert answer[:10] == whole[n : n + 10]
        answer = answer[10:]
    assert status_of(answer) == 200


def test_an_absolute_target_names_the_host_of_the_links(server):
    answer = exchange(server, message(server, "POST http://maps.example/api/auth/download-token/{id} HTTP/1.1",
                                      "{bearer}", CLOSE, "Content-Length: 0"))  # fmt: skip
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["url"].startswith("http://maps.example/api/")


def test_nothing_of_a_request_forges_a_line_of_the_log(server):
    forged = '{"level": "ERROR", "message": "forged"}'
    exchange(server, message(server, f"GET /a%0a{forged.replace(' ', '')}%0d%0a HTTP/1.1", CLOSE,
                             f"User-Agent: a\x85{forged}", f"X-Request-ID: a\u00a0{forged}"))  # fmt: skip
    server.logged("forged")
    assert not any(json.loads(line)["message"] == "forged" for line in server.lines)


def test_without_descriptors_connections_are_turned_away_in_quiet_and_taken_again_later(start):
    server = start()
    assert server.ask("/livez")[0] == 200
    pid, path = server.process.pid, Path(f"/proc/{server.process.pid}/fd")
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (max(int(fd.name) for fd in path.iterdir()) + 6, hard))
    held = [socket.create_connection(("127.0.0.1", server.port), timeout=120) for _ in range(30)]
    turned_away = 0
    for client in held[10:]:
        try:
            turned_away += client.recv(1) == b""
        except ConnectionError:
            turned_away += 1
        client.close()
    assert turned_away == 20
    # One that was taken is served all the same.
    held[0].sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
    assert held[0].recv(12) == b"HTTP/1.1 200"
    for client in held[:10]:
        client.close()
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    until(lambda: server.ask("/livez")[0] == 200)
    assert len([line for line in server.lines if '"ERROR"' in line]) == 1
    assert not any("Traceback" in line for line in server.lines)
