"""Small ranges are answered at once as a handler answers them, and all else is left to the handlers."""

import asyncio
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from tornado.simple_httpclient import HTTPStreamClosedError

from gateway import remembered
from gateway.errors import RecordsUnavailable
from gateway.model import Scale
from gateway.records import Change
from tests.handlers.conftest import act, problem
from tests.handlers.test_streaming import answer, port_of
from tests.handlers.test_streaming import request as raw_request
from tests.postgres import DATABASES

pytestmark = pytest.mark.gen_test
BOTH = pytest.mark.parametrize("database_url", DATABASES, indirect=True)
# Where the database is in a network, a thread looks up the rights of whoever asks for the first time.
IN_A_FILE = pytest.mark.one_node("records in a file tell at once what whoever asks for the first time may have")
RANGE = {"Range": "bytes=100-199", "User-Agent": "reader/1"}


@pytest.fixture(autouse=True)
def now(monkeypatch):
    """The moment in which everything here happens, however long it takes: what was decided is known for a second."""
    moment = SimpleNamespace(seconds=time.monotonic())
    monkeypatch.setattr(remembered, "time", SimpleNamespace(monotonic=lambda: moment.seconds))
    return moment


@pytest.fixture
def database_url(request, nodes):
    """Records in a file, or where a test is about both kinds in PostgreSQL, whose revisions are waited for."""
    if getattr(request, "param", "sqlite") == "sqlite" and nodes == 1:
        return None
    postgres = request.getfixturevalue("postgres")
    return postgres.server.url(postgres.emptied())


@pytest.fixture
def rides(monkeypatch):
    """The paths of requests that were answered without a handler."""
    from gateway.handlers.smallranges import SmallRangeRequest

    seen, write = [], SmallRangeRequest._write

    def counted(self, *arguments):
        seen.append(self._start.path)
        return write(self, *arguments)

    monkeypatch.setattr(SmallRangeRequest, "_write", counted)
    return seen


def path_of(dataset):
    return f"/api/datasets/{dataset.id}/download/cog"


@BOTH
async def test_the_second_range_takes_the_short_way_and_looks_like_the_first(world, fetch, rides):
    dataset, token = world.add(sha256="ab" * 32), world.bearer("ana")
    first = await fetch(path_of(dataset), token=token, headers=RANGE)
    assert rides == []
    second = await fetch(path_of(dataset), token=token, headers=RANGE)
    assert rides == [path_of(dataset)]
    assert (second.code, second.reason, second.body) == (206, "Partial Content", first.body)
    differing = {"Date", "X-Request-Id"}
    assert {k: v for k, v in second.headers.items() if k not in differing} == {
        k: v for k, v in first.headers.items() if k not in differing
    }
    assert second.headers["X-Request-Id"] != first.headers["X-Request-Id"]
    assert (
        abs(
            time.mktime(time.strptime(second.headers["Date"], "%a, %d %b %Y %H:%M:%S GMT"))
            - time.mktime(time.gmtime())
        )
        < 60
    )


@IN_A_FILE
async def test_a_file_under_a_name_of_its_own_takes_the_short_way_too(world, fetch, rides):
    dataset, token = world.add(), world.bearer()
    path, cog = f"/api/datasets/{dataset.id}/download/%C3%9Cbersicht%20%281%29.tif", path_of(dataset)
    first, second = [await fetch(path, token=token, headers=RANGE) for _ in range(2)]
    assert rides == [path]
    assert (second.code, second.body) == (206, first.body)
    await fetch(cog, token=token, headers=RANGE)
    assert rides == [path, cog]
    # A credential in the address is for the handler.
    assert (await fetch(f"{path}?token=a.tif", headers=RANGE)).code == 401


@BOTH
async def test_the_rows_of_both_ways_are_alike(world, fetch, rides):
    dataset, token = world.add(), world.bearer("ana")
    ids = [(await fetch(path_of(dataset), token=token, headers=RANGE)).headers["X-Request-Id"] for _ in range(2)]
    assert len(rides) == 1
    for action in ("download.cog", "download.finished"):
        one, two = world.audit(action)
        assert [one.request_id, two.request_id] == ids
        for name in one.__dataclass_fields__:
            if name not in ("at", "request_id", "row_id"):
                assert getattr(one, name) == getattr(two, name), name


async def test_other_ranges_of_the_same_file_are_exact(world, fetch, rides):
    dataset, token, whole = world.add(), world.bearer(), world.cog.read_bytes()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    for header, wanted in (("bytes=0-0", whole[:1]), ("bytes=-5", whole[-5:]), ("BYTES=7-4000", whole[7:4001])):
        response = await fetch(path_of(dataset), token=token, headers={"Range": header})
        assert (response.code, response.body) == (206, wanted)
        assert response.headers["Content-Length"] == str(len(wanted))
    assert len(rides) == 3


@IN_A_FILE
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Range": "bytes=99999999-"}, 416), ({"Range": "bytes=5-1"}, 200), ({"Range": "bytes=0-"}, 206), ({}, 200),
        ({"Range": "bytes=0-1", "If-Range": '"other"'}, 200), ({"Range": "bytes=0-1", "If-Match": '"other"'}, 412),
        ({"Range": "bytes=0-1", "If-None-Match": "*"}, 304),
    ],
)  # fmt: skip
async def test_whatever_is_no_small_body_is_left_to_the_handler(world, fetch, rides, headers, code):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    assert (await fetch(path_of(dataset), token=token, headers=headers)).code == code
    assert (await fetch(path_of(dataset), "HEAD", token=token, headers=RANGE)).code == 200
    assert (await fetch(path_of(dataset), headers=RANGE)).code == 401
    assert rides == []
    assert (await fetch(path_of(dataset), token=world.bearer("ben"), headers=RANGE)).code == 206
    assert len(rides) == 1


@IN_A_FILE
async def test_a_change_of_access_counts_at_once(world, fetch, rides):

    dataset, token = world.add(), world.bearer("ben")
    for change, code in (
        (lambda: world.services.records.set_disabled("ben", True, act()), 401),
        (lambda: world.services.records.set_disabled("ben", False, act()), 206),
        (lambda: world.services.records.change_dataset(dataset.id, Change(download=Scale.PRIVATE), act()), 403),
        (lambda: world.services.records.remove_dataset(dataset.id, act()), 404),
    ):
        await fetch(path_of(dataset), token=token, headers=RANGE)
        rides.clear()
        change()
        assert (await fetch(path_of(dataset), token=token, headers=RANGE)).code == code
        assert len(rides) == (code == 206)


async def test_a_replaced_edited_or_missing_file_is_never_served_by_an_old_pass(world, fetch, rides):
    dataset, token, path = world.add(), world.bearer(), world.folder / "elevation.tif"
    etags = [(await fetch(path_of(dataset), token=token, headers=RANGE)).headers["ETag"]]
    path.write_bytes(world.cog.read_bytes() + b"\0" * 64)
    etags.append((await fetch(path_of(dataset), token=token, headers=RANGE)).headers["ETag"])
    assert etags[0] != etags[1]
    path.write_bytes(world.cog.read_bytes()[:-999])
    assert (await fetch(path_of(dataset), token=token, headers=RANGE)).code == 422
    path.unlink()
    assert (await fetch(path_of(dataset), token=token, headers=RANGE)).code == 404
    assert rides == []


async def test_an_expired_token_has_no_pass(world, fetch, rides, monkeypatch):
    dataset, token = world.add(), world.bearer(seconds=600)
    await fetch(path_of(dataset), token=token, headers=RANGE)
    later = time.time() + 601
    monkeypatch.setattr("time.time", lambda: later)
    assert (await fetch(path_of(dataset), token=token, headers=RANGE)).code == 401
    assert rides == []


async def test_without_a_durable_row_the_short_way_gives_nothing_either(world, fetch, rides, monkeypatch, caplog):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    failed: Future[None] = Future()
    failed.set_exception(RecordsUnavailable("The audit cannot be written."))
    monkeypatch.setattr(type(world.services.audit), "record", lambda self, row: failed)
    assert problem(await fetch(path_of(dataset), token=token, headers=RANGE))["status"] == 503
    assert rides == []


async def test_pages_that_are_not_cached_are_left_to_a_thread(world, fetch, rides, monkeypatch):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)

    def cold(self, offset_bytes, length_bytes):
        raise BlockingIOError

    monkeypatch.setattr("gateway.files.FileSource.read_cached", cold)
    assert (await fetch(path_of(dataset), token=token, headers=RANGE)).code == 206
    assert rides == []


async def test_a_thread_looks_again_after_a_moment(world, app, fetch, rides, now):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    now.seconds += 1.1
    await fetch(path_of(dataset), token=token, headers=RANGE)
    assert rides == []
    await fetch(path_of(dataset), token=token, headers=RANGE)
    assert len(rides) == 1


@BOTH
async def test_a_draining_worker_says_so_here_too(world, http_server, fetch, rides):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    http_server.begin_drain()
    assert (await fetch(path_of(dataset), token=token, headers=RANGE)).headers["Connection"] == "close"
    assert len(rides) == 1


@pytest.mark.parametrize("fields", [("Range: bytes=0-9",), ()], ids=["at once", "by a handler"])
async def test_of_many_requests_on_one_connection_a_draining_worker_answers_one(world, http_server, rides, fields):
    dataset, token = world.add(), world.bearer()
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
    asked = raw_request(dataset, token, *fields)
    writer.write(asked)
    assert "Connection" not in (await answer(reader))[1]
    http_server.begin_drain()
    writer.write(asked * 3)
    assert (await answer(reader))[1]["Connection"] == "close"
    assert await reader.read() == b""
    writer.close()


async def test_a_key_that_is_taken_away_opens_nothing_at_once(world, fetch, rides):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    world.services.keys.replace([b"another key of the tests, long enough"])
    assert (await fetch(path_of(dataset), token=token, headers=RANGE)).code == 401
    assert rides == []


async def test_connection_close_of_one_client_does_not_reach_the_next(world, http_server, rides):
    dataset, token = world.add(), world.bearer()
    for wish in ("keep-alive", "close", "keep-alive", "close", "keep-alive"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
        writer.write(raw_request(dataset, token, "Range: bytes=0-9", f"Connection: {wish}"))
        _, headers, _ = await answer(reader)
        assert headers.get("Connection") == ("close" if wish == "close" else None)
        writer.close()
    assert len(rides) == 4


async def test_nothing_of_the_answers_is_kept(world, app, fetch, rides):
    dataset, token = world.add(), world.bearer()
    for number in range(20):
        await fetch(f"{path_of(dataset)}?q={number}", token=token, headers={"Range": "bytes=0-131071"})
    assert rides == []
    assert len(app.settings["decisions"]._recent) == 1


async def test_an_error_of_ours_ends_the_connection_and_its_record(world, fetch, rides, monkeypatch, caplog):
    from gateway.handlers.smallranges import SmallRangeRequest

    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)

    def broken(self, *arguments):
        raise RuntimeError("inner")

    monkeypatch.setattr(SmallRangeRequest, "_write", broken)
    with pytest.raises(HTTPStreamClosedError):
        await fetch(path_of(dataset), token=token, headers=RANGE)
    assert "inner" in caplog.text
    assert [row.detail["outcome"] for row in world.audit("download.finished")] == ["completed", "aborted"]


@pytest.mark.parametrize("settings", [{"trusted_proxies": ("127.0.0.0/8",)}], indirect=True)
async def test_behind_a_proxy_each_request_has_its_own_client(world, fetch, rides):
    dataset, token = world.add(), world.bearer()
    for ip in ("9.9.9.1", "9.9.9.2"):
        await fetch(path_of(dataset), token=token, headers={**RANGE, "X-Forwarded-For": ip})
    assert [row.ip for row in world.audit("download.cog")] == ["9.9.9.1", "9.9.9.2"]
    assert len(rides) == 1


async def test_a_request_without_one_good_host_has_no_pass(world, http_server, fetch, rides):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    port = next(iter(http_server._sockets.values())).getsockname()[1]
    for hosts in ("", "Host: a\r\nHost: b\r\n", "Host: a b\r\n"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        lines = f"GET {path_of(dataset)} HTTP/1.1\r\n{hosts}Authorization: Bearer {token}\r\nRange: bytes=0-1\r\n\r\n"
        writer.write(lines.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 400")
        writer.close()
    assert rides == []


@pytest.mark.parametrize("settings", [{"audit_wait_seconds": 0.2}], indirect=True)
async def test_a_row_that_takes_too_long_becomes_a_503_on_the_short_way_too(world, fetch, rides, monkeypatch, caplog):
    dataset, token, rows = world.add(), world.bearer(), []
    await fetch(path_of(dataset), token=token, headers=RANGE)
    monkeypatch.setattr(type(world.services.audit), "record", lambda self, row: rows.append(row) or Future())
    response = await fetch(path_of(dataset), token=token, headers=RANGE)
    assert problem(response)["status"] == 503
    assert rides == []
    # It has waited once, and the row that may yet come has the id that the client was told.
    assert [row.request_id for row in rows] == [response.headers["X-Request-ID"]]


@pytest.mark.skipif("postgresql" not in DATABASES, reason="of records in a file nothing is waited for")
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_a_revision_that_takes_too_long_becomes_a_503_after_one_wait(world, app, fetch, rides, monkeypatch):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    asked, remembering = [], world.services.records.remembering
    monkeypatch.setattr(remembering, "revisions", lambda dataset_ids: asked.append(dataset_ids) or Future())
    monkeypatch.setattr(app.settings["decisions"], "_revision_seconds", 0.05)
    response = await fetch(path_of(dataset), token=token, headers=RANGE)
    assert problem(response)["detail"] == "The database does not answer."
    assert response.code == 503
    assert (asked, rides, app.settings["load"].requests) == ([[dataset.id]], [], 0)
    assert len(world.audit("download.cog")) == 1


async def test_tokens_in_other_headers_stay_out_of_the_audit(world, fetch):
    dataset, token = world.add(), world.bearer()
    for _ in range(2):
        headers = {"Range": "bytes=0-1", "User-Agent": f"reader {token}", "X-Request-ID": token[:60]}
        response = await fetch(path_of(dataset), token=token, headers=headers)
        assert response.headers["X-Request-Id"] != token[:60]
        headers.pop("X-Request-ID")
        await fetch(path_of(dataset), token=token, headers=headers)
    assert token[:40] not in str(world.audit())


@BOTH
async def test_requests_that_come_together_are_answered_in_turn(world, http_server, fetch, rides):
    dataset, token, whole = world.add(), world.bearer(), world.cog.read_bytes()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
    spans = ("0-9", "10-19", "20-29")
    writer.write(b"".join(raw_request(dataset, token, f"Range: bytes={span}") for span in spans))
    for start in (0, 10, 20):
        _, _, body = await answer(reader)
        assert body == whole[start : start + 10]
    writer.close()
    assert len(rides) == len(spans)


async def test_a_server_that_stops_meanwhile_ends_the_connection_without_a_traceback(
    world, app, fetch, http_server, rides, monkeypatch
):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    with monkeypatch.context() as patch:
        patch.setattr(type(world.services.audit), "record", lambda self, row: Future())
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(http_server))
        writer.write(raw_request(dataset, token, "Range: bytes=0-9"))
        while app.settings["load"].requests == 0:
            await asyncio.sleep(0.001)
        for task in asyncio.all_tasks():
            if "_server_request_loop" in repr(task):
                task.cancel()
        assert await reader.read() == b""
    writer.close()
    assert app.settings["load"].requests == 0
    assert rides == []


async def test_a_field_of_two_lines_is_never_sent(world, fetch, rides, monkeypatch, caplog):
    dataset, token = world.add(), world.bearer()
    await fetch(path_of(dataset), token=token, headers=RANGE)
    monkeypatch.setattr("gateway.handlers.smallranges.default_fields", lambda *_, **__: {"X-Odd": "a\r\nb: c"})
    with pytest.raises(HTTPStreamClosedError):
        await fetch(path_of(dataset), token=token, headers=RANGE)
    assert "more than one line" in caplog.text
    assert rides == []
