import asyncio
import base64
import errno
import hashlib
import json
import os
import socket
from urllib.parse import quote

import pytest

from gateway.download import SMALL_BYTES
from gateway.model import Level, Scale
from tests.handlers.conftest import UNKNOWN_ID, grant, problem

pytestmark = pytest.mark.gen_test


def url(dataset, tail="download/cog"):
    return f"/api/datasets/{dataset.id}/{tail}"


async def test_the_whole_file_comes_with_every_header_that_a_client_needs(world, fetch):
    digest = hashlib.sha256(world.cog.read_bytes())
    dataset = world.add(sha256=digest.hexdigest(), title="Höhen & Tiefen")
    response = await fetch(url(dataset), token=world.bearer())
    assert response.code == 200
    assert response.body == world.cog.read_bytes()
    headers = response.headers
    assert headers["Content-Type"] == "image/tiff"
    assert headers["Content-Length"] == str(dataset.size_bytes)
    assert headers["Accept-Ranges"] == "bytes"
    assert headers["ETag"] == f'"{dataset.version}"'
    assert headers["Repr-Digest"] == f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
    assert headers["Last-Modified"].endswith(" GMT")
    assert headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''H%C3%B6hen%20&%20Tiefen.tif" in headers["Content-Disposition"]
    assert "Content-Encoding" not in headers
    assert "Server" not in headers


async def test_head_has_the_headers_of_the_whole_file_even_with_a_range(world, fetch):
    dataset = world.add()
    token = world.bearer()
    got = await fetch(url(dataset), token=token)
    head = await fetch(url(dataset), "HEAD", token=token, headers={"Range": "bytes=0-9"})
    assert head.code == 200
    assert head.body == b""
    same = set(got.headers) - {"Date", "X-Request-Id"}
    assert {name: head.headers.get(name) for name in same} == {name: got.headers[name] for name in same}


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-99", 0, 100),
        ("BYTES=5-", 5, None),
        ("bytes=-7", -7, None),
        ("bytes=100-99999999999999999999", 100, None),
    ],
)
async def test_one_range_is_a_206_with_exactly_its_bytes(world, fetch, header, start, stop):
    dataset = world.add()
    response = await fetch(url(dataset), token=world.bearer(), headers={"Range": header})
    whole = world.cog.read_bytes()
    assert response.code == 206
    assert response.body == whole[start:stop]
    first = start if start >= 0 else len(whole) + start
    last = first + len(response.body) - 1
    assert response.headers["Content-Range"] == f"bytes {first}-{last}/{len(whole)}"
    assert response.headers["ETag"] == f'"{dataset.version}"'


@pytest.mark.parametrize("header", ["bytes=9-3", "bytes=a-b", "items=0-1", "bytes=0-1,4-5", "bytes=", "bytes=٣-٤"])
async def test_a_range_that_is_malformed_reversed_or_several_is_ignored(world, fetch, header):
    dataset = world.add()
    header = header.encode().decode("latin-1")
    response = await fetch(url(dataset), token=world.bearer(), headers={"Range": header})
    assert (response.code, len(response.body)) == (200, dataset.size_bytes)


async def test_a_range_beyond_the_end_is_a_416_and_no_download_on_record(world, fetch):
    dataset = world.add()
    response = await fetch(url(dataset), token=world.bearer(), headers={"Range": f"bytes={dataset.size_bytes}-"})
    assert problem(response)["status"] == 416
    assert response.headers["Content-Range"] == f"bytes */{dataset.size_bytes}"
    assert world.audit() == []


async def test_a_stale_if_range_hides_even_an_impossible_range(world, fetch):
    dataset = world.add()
    for if_range, code in ((f'"{dataset.version}"', 416), ('"other"', 200), (f'W/"{dataset.version}"', 200)):
        headers = {"Range": "bytes=99999999-", "If-Range": if_range}
        assert (await fetch(url(dataset), token=world.bearer(), headers=headers)).code == code


async def test_if_none_match_is_a_304_without_body_or_audit_row_and_comes_before_the_range(world, fetch):
    dataset = world.add()
    headers = {"If-None-Match": f'"x", W/"{dataset.version}"', "Range": "bytes=0-1"}
    response = await fetch(url(dataset), token=world.bearer(), headers=headers)
    assert (response.code, response.body) == (304, b"")
    assert response.headers["ETag"] == f'"{dataset.version}"'
    assert world.audit() == []


async def test_if_match_of_another_version_is_a_412(world, fetch):
    dataset = world.add()
    response = await fetch(url(dataset), token=world.bearer(), headers={"If-Match": '"other"'})
    assert problem(response)["status"] == 412
    assert world.audit() == []


async def test_the_granted_row_stands_before_and_the_finished_row_after(world, fetch):
    dataset = world.add()
    headers = {"Range": "bytes=10-19", "User-Agent": "probe/1", "X-Request-ID": "abc-1"}
    response = await fetch(url(dataset), token=world.bearer("ben"), headers=headers)
    assert response.headers["X-Request-ID"] == "abc-1"
    granted, finished = world.audit()
    assert (granted.action, finished.action) == ("download.cog", "download.finished")
    assert (granted.dataset_id, granted.version, granted.user_id) == (dataset.id, dataset.version, "ben")
    assert (granted.backend, granted.status, granted.bytes_expected) == ("local", 206, 10)
    assert (granted.range_header, granted.user_agent, granted.ip) == ("bytes=10-19", "probe/1", "127.0.0.1")
    assert granted.request_id == finished.request_id == "abc-1"
    assert finished.detail == {"bytes_sent": 10, "outcome": "completed"}


async def test_head_writes_no_row(world, fetch):
    await fetch(url(world.add()), "HEAD", token=world.bearer())
    assert world.audit() == []


async def test_an_anonymous_download_token_leaves_a_null_user_and_its_token_id(world, fetch):
    dataset = world.add()
    minted = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST")).body)
    response = await fetch(minted["url"])
    assert response.code == 200
    assert response.headers["Cache-Control"] == "private, no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    (mint,) = world.audit("token.minted")
    (granted,) = world.audit("download.cog")
    assert granted.user_id is None
    assert granted.token_id == mint.token_id is not None


async def test_a_plain_url_needs_a_token_also_for_public_data(world, fetch):
    response = await fetch(url(world.add()))
    assert problem(response)["status"] == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="cog-gateway"'
    (row,) = world.audit()
    assert (row.action, row.status) == ("download.refused", 401)


@pytest.mark.parametrize("settings", [{"open_downloads": True}], indirect=True)
async def test_open_downloads_lets_plain_urls_of_public_data_in_and_no_others(world, fetch):
    assert (await fetch(url(world.add()))).code == 200
    assert (await fetch(url(world.add("b.tif", visibility=Scale.INTERNAL)))).code == 404
    shown = world.add("c.tif", visibility=Scale.PUBLIC, download=Scale.INTERNAL)
    assert (await fetch(url(shown))).code == 403
    assert (await fetch(url(shown), headers={"Authorization": "Bearer nonsense"})).code == 401


async def test_private_and_unknown_datasets_answer_alike_whatever_is_asked(world, fetch):
    hidden = world.add(visibility=Scale.PRIVATE)
    for method, headers in (
        ("GET", {}), ("HEAD", {}), ("GET", {"Range": "bytes=99999999-"}), ("GET", {"If-None-Match": "*"}),
        ("GET", {"If-Match": '"x"'}),
    ):  # fmt: skip
        answers = []
        for dataset_id in (hidden.id, UNKNOWN_ID):
            headers["X-Request-ID"] = "same"
            answer = await fetch(
                f"/api/datasets/{dataset_id}/download/cog", method, token=world.bearer(), headers=headers
            )
            answers.append((answer.code, answer.body, {k: v for k, v in answer.headers.items() if k != "Date"}))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404
    assert {row.dataset_id for row in world.audit("download.refused")} == {hidden.id}


async def test_a_malformed_id_is_a_422_and_an_upper_case_one_is_the_same_dataset(world, fetch):
    dataset = world.add()
    token = world.bearer()
    for spelling in (
        "nonsense",
        dataset.id.replace("-", ""),
        "{" + dataset.id + "}",
        "urn:uuid:" + dataset.id,
        "%ff",
    ):
        response = await fetch(f"/api/datasets/{quote(spelling, safe='%')}/download/cog", token=token)
        assert problem(response)["status"] == 422
    assert (await fetch(f"/api/datasets/{dataset.id.upper()}/download/cog", token=token)).code == 200


async def test_the_credential_is_judged_before_the_id(fetch):
    assert (await fetch("/api/datasets/nonsense/download/cog", token="bad")).code == 401


async def test_any_file_name_ending_in_tif_is_the_same_resource(world, fetch):
    dataset = world.add()
    response = await fetch(url(dataset, "download/My%20elevation.tif"), token=world.bearer())
    assert response.body == world.cog.read_bytes()
    assert (await fetch(url(dataset, "download/elevation.png"), token=world.bearer())).code == 404


async def test_visible_but_not_downloadable_is_a_403_until_granted(world, fetch):
    dataset = world.add(visibility=Scale.INTERNAL, download=Scale.PRIVATE)
    token = world.bearer("ben")
    assert problem(await fetch(url(dataset), token=token))["status"] == 403
    grant(world, dataset, Level.VIEW, user="ben")
    assert (await fetch(url(dataset), token=token)).code == 403
    grant(world, dataset, Level.DOWNLOAD, user="ben")
    assert (await fetch(url(dataset), token=token)).code == 200


async def test_owner_role_and_admin_get_private_data(world, fetch):
    dataset = world.add(visibility=Scale.PRIVATE, owner="ana")
    grant(world, dataset, Level.DOWNLOAD, role="survey")
    for sub, roles, code in (
        ("ana", (), 200),
        ("x", ("survey",), 200),
        ("x", ("admin",), 200),
        ("x", ("other",), 404),
    ):
        assert (await fetch(url(dataset), token=world.bearer(sub, roles))).code == code


async def test_a_disabled_user_fails_at_once_with_bearer_and_with_download_token(world, fetch):
    dataset = world.add()
    token = world.bearer("ben")
    minted = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST", token=token)).body)
    world.services.records.set_disabled("ben", True)
    assert (await fetch(url(dataset), token=token)).code == 401
    assert (await fetch(minted["url"])).code == 401


async def test_a_missing_file_is_a_404_and_comes_back(world, fetch):
    dataset = world.add()
    away = world.folder / "away"
    (world.folder / dataset.key).rename(away)
    assert problem(await fetch(url(dataset), token=world.bearer()))["status"] == 404
    away.rename(world.folder / dataset.key)
    assert (await fetch(url(dataset), token=world.bearer())).code == 200


async def test_an_unreachable_root_is_a_503(world, fetch):
    dataset = world.add()
    world.folder.rename(world.folder.with_name("away"))
    response = await fetch(url(dataset), token=world.bearer())
    assert problem(response)["status"] == 503
    assert "Retry-After" in response.headers


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_a_file_that_may_not_be_read_is_a_503_whatever_the_method(world, fetch, monkeypatch, method):
    dataset = world.add()
    opened = os.open

    def closed_to_us(name, *rest, **options):
        if name == dataset.key:
            raise PermissionError(errno.EACCES, "Permission denied")
        return opened(name, *rest, **options)

    monkeypatch.setattr(os, "open", closed_to_us)
    response = await fetch(url(dataset), method, token=world.bearer())
    assert response.code == 503
    assert "Retry-After" in response.headers
    assert "ETag" not in response.headers
    assert world.audit() == []


async def test_a_file_edited_into_no_cog_is_a_422_with_findings_and_put_back_a_200(world, fetch):
    dataset = world.add()
    path = world.folder / dataset.key
    path.write_bytes(world.cog.read_bytes()[:-1000])
    refused = problem(await fetch(url(dataset), token=world.bearer()))
    assert (refused["status"], refused["type"]) == (422, "/problems/not-a-cog")
    assert refused["errors"]
    assert str(world.folder) not in json.dumps(refused)
    assert [row.status for row in world.audit("download.refused")] == [422]
    path.write_bytes(world.cog.read_bytes())
    response = await fetch(url(dataset), token=world.bearer())
    assert (response.code, response.body) == (200, world.cog.read_bytes())
    assert [row.detail["valid"] for row in world.audit("dataset.judged")] == [False, True]


async def test_a_replaced_file_has_another_etag_and_no_stale_digest(world, fetch):
    dataset = world.add(sha256="0" * 64)
    before = (await fetch(url(dataset), "HEAD", token=world.bearer())).headers
    new = world.folder / "new"
    new.write_bytes(world.cog.read_bytes())
    new.rename(world.folder / dataset.key)
    after = (await fetch(url(dataset), "HEAD", token=world.bearer())).headers
    assert before["ETag"] != after["ETag"]
    assert "Repr-Digest" in before
    assert "Repr-Digest" not in after


async def test_without_a_durable_row_nothing_is_served(world, fetch, monkeypatch, caplog):
    from concurrent.futures import Future

    from gateway.errors import RecordsUnavailable

    failed: Future[None] = Future()
    failed.set_exception(RecordsUnavailable("The audit cannot be written."))
    monkeypatch.setattr(type(world.services.audit), "record", lambda self, row: failed)
    response = await fetch(url(world.add()), token=world.bearer())
    assert problem(response)["status"] == 503
    assert response.headers["Retry-After"] == "2"
    assert "ETag" not in response.headers


async def test_the_row_is_durable_when_the_first_byte_arrives(world, fetch):
    dataset = world.add()
    seen = []

    def first_header(_line):
        if not seen:
            seen.append(len([r for r in world.services.records.audit_rows(_all()) if r.row.action == "download.cog"]))

    await fetch(url(dataset), token=world.bearer(), header_callback=first_header)
    assert seen == [1]


def _all():
    from gateway.records import AuditQuery

    return AuditQuery()


async def raw_get(http_server, path, token):
    """Open a socket of our own and send a GET; returns reader and writer."""
    port = next(iter(http_server._sockets.values())).getsockname()[1]
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 16)
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 14)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    return reader, writer


def grow(path, extra_bytes):
    """Make the file long without making it another COG: what follows the last block is slack."""
    with path.open("ab") as file:
        file.write(os.urandom(1 << 20) * (extra_bytes >> 20))


async def test_a_large_body_goes_by_sendfile_and_the_connection_stays_usable(world, http_server):
    dataset = big(world)
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    for _ in range(2):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 200")
        body = await reader.readexactly(dataset.size_bytes)
        assert hashlib.sha256(body).digest() == hashlib.sha256((world.folder / dataset.key).read_bytes()).digest()
        writer.write(
            f"GET {url(dataset)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {world.bearer()}\r\n\r\n".encode()
        )
    await reader.readuntil(b"\r\n\r\n")
    writer.close()


def big(world):
    path = world.folder / "big.tif"
    path.write_bytes(world.cog.read_bytes())
    grow(path, 24 << 20)
    dataset = world.register("big.tif")
    assert dataset.report.valid
    assert dataset.size_bytes > 100 * SMALL_BYTES
    return dataset


@pytest.mark.parametrize("change", ["edit", "cut"])
async def test_a_file_that_changes_under_a_transfer_breaks_the_connection(world, http_server, change):
    dataset = big(world)
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    await reader.readuntil(b"\r\n\r\n")
    path = world.folder / dataset.key
    if change == "cut":
        os.truncate(path, dataset.size_bytes // 2)
    else:
        with path.open("r+b") as file:
            file.seek(-1, os.SEEK_END)
            file.write(b"!")
    got = 0
    while chunk := await reader.read(1 << 16):
        got += len(chunk)
    writer.close()
    assert got < dataset.size_bytes
    await finished(world, "aborted")


async def test_a_file_replaced_by_rename_ends_whole_with_the_old_bytes(world, http_server):
    dataset = big(world)
    path = world.folder / dataset.key
    old = path.read_bytes()
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    await reader.readuntil(b"\r\n\r\n")
    (world.folder / "new").write_bytes(world.cog.read_bytes())
    (world.folder / "new").rename(path)
    assert await reader.readexactly(len(old)) == old
    writer.close()
    await finished(world, "completed")


async def test_a_client_that_leaves_is_on_record_as_aborted_and_leaks_no_descriptor(world, http_server):
    dataset = big(world)
    counted = []
    # The first rounds let every thread open its connection to the database.
    for rounds in range(1, 7):
        for _ in range(5):
            reader, writer = await raw_get(http_server, url(dataset), world.bearer())
            await reader.readuntil(b"\r\n\r\n")
            writer.transport.abort()
        await finished(world, "aborted", count=5 * rounds)
        counted.append(len(os.listdir("/proc/self/fd")))
    assert counted[-1] <= counted[2] + 2


@pytest.mark.parametrize("settings", [{"stall_seconds": 0.3}], indirect=True)
async def test_a_client_that_takes_nothing_is_disconnected(world, http_server):
    dataset = big(world)
    _reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    writer.get_extra_info("socket")
    _reader._transport.pause_reading()
    await finished(world, "aborted")
    (row,) = world.audit("download.finished")
    assert row.detail["bytes_sent"] < dataset.size_bytes
    writer.close()


async def finished(world, outcome, count=1):
    """Return when `count` finished rows are there, all with this outcome."""
    for _ in range(500):
        rows = await asyncio.get_running_loop().run_in_executor(None, world.audit, "download.finished")
        if len(rows) == count:
            break
        await asyncio.sleep(0.02)
    assert [row.detail["outcome"] for row in rows] == [outcome] * count


async def test_while_the_audit_fails_nobody_waits_for_the_refusal(world, fetch, monkeypatch, caplog):
    monkeypatch.setattr(type(world.services.audit), "failing", True)
    response = await fetch(url(world.add()), token=world.bearer())
    assert problem(response)["status"] == 503
    assert world.audit("download.cog") == []
