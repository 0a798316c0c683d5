import asyncio
import base64
import errno
import hashlib
import json
import os
import socket
import time
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from urllib.parse import quote

import pytest

from gateway.download import SMALL_BYTES
from gateway.files import FileSource
from gateway.model import Level, Scale
from tests.handlers.conftest import UNKNOWN_ID, act, comparable, grant, problem
from tests.patience import SECONDS

pytestmark = pytest.mark.gen_test


@pytest.fixture
def database_url(database):
    return database


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
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"] == f'"{dataset.version}"'
    assert world.audit() == []


async def test_a_stale_if_range_hides_even_an_impossible_range(world, fetch):
    dataset = world.add()
    for if_range, code in ((f'"{dataset.version}"', 416), ('"other"', 200), (f'W/"{dataset.version}"', 200)):
        headers = {"Range": "bytes=99999999-", "If-Range": if_range}
        assert (await fetch(url(dataset), token=world.bearer(), headers=headers)).code == code


async def test_a_moment_to_come_is_not_told_as_the_last_modification(world, fetch):
    """RFC 9110 section 8.8.2.1: the answer's own moment stands in its place, and no date is a strong validator."""
    path = world.folder / "elevation.tif"
    dataset, later = world.add(), time.time() + 86_400
    os.utime(path, (later, later))
    for headers in ({}, {"Range": "bytes=0-9"}):
        response = await fetch(url(dataset), token=world.bearer(), headers=headers)
        told = parsedate_to_datetime(response.headers["Last-Modified"])
        assert told <= parsedate_to_datetime(response.headers["Date"])
    validator = {"Range": "bytes=0-9", "If-Range": format_datetime(datetime.fromtimestamp(later, UTC), usegmt=True)}
    assert (await fetch(url(dataset), token=world.bearer(), headers=validator)).code == 200


async def test_if_none_match_is_a_304_without_body_or_audit_row_and_comes_before_the_range(world, fetch):
    dataset = world.add(sha256="ab" * 32)
    headers = {"If-None-Match": f'"x", W/"{dataset.version}"', "Range": "bytes=0-1"}
    response = await fetch(url(dataset), token=world.bearer(), headers=headers)
    assert (response.code, response.body) == (304, b"")
    assert response.headers["ETag"] == f'"{dataset.version}"'
    assert response.headers["Cache-Control"] == "private, no-cache"
    assert "Origin" in response.headers["Vary"]
    # RFC 9110 section 15.4.5: nothing else of the representation.
    told = {"Content-Disposition", "Repr-Digest", "Accept-Ranges", "Content-Type", "Content-Length", "Content-Range"}
    assert not told & set(response.headers)
    assert world.audit() == []


async def test_if_match_of_another_version_is_a_412(world, fetch):
    dataset = world.add()
    response = await fetch(url(dataset), token=world.bearer(), headers={"If-Match": '"other"'})
    assert problem(response)["status"] == 412
    assert response.headers["ETag"] == f'"{dataset.version}"'
    assert world.audit() == []


async def test_the_granted_row_stands_before_and_the_finished_row_after(world, fetch):
    dataset = world.add()
    headers = {"Range": "bytes=10-19", "User-Agent": "probe/1", "X-Request-ID": "abc-1"}
    response = await fetch(url(dataset), token=world.bearer("ben"), headers=headers)
    assert response.headers["X-Request-ID"] != "abc-1"
    granted, finished = world.audit()
    assert (granted.action, finished.action) == ("download.cog", "download.finished")
    assert (granted.dataset_id, granted.version, granted.user_id) == (dataset.id, dataset.version, "ben")
    assert (granted.backend, granted.status, granted.bytes_expected) == ("local", 206, 10)
    assert (granted.range_header, granted.user_agent, granted.ip) == ("bytes=10-19", "probe/1", "127.0.0.1")
    assert granted.request_id == finished.request_id == response.headers["X-Request-ID"]
    assert granted.detail == {"client_request_id": "abc-1"}
    assert finished.detail == {"bytes_sent": 10, "outcome": "completed", "client_request_id": "abc-1"}


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


async def test_a_token_in_the_url_is_kept_nowhere_though_authorization_wins(world, fetch):
    dataset, token = world.add(), world.bearer()
    minted = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST")).body)["url"]
    values = f"/api/datasets/{dataset.id}/preview.npy?max_size=8&token=lost"
    for address, headers, code in (
        (minted, {}, 200), (minted, {"Range": "bytes=0-9"}, 206), (minted, {"If-None-Match": "*"}, 304),
        (minted.replace(dataset.id, "nonsense"), {}, 422), (values, {}, 200),
    ):  # fmt: skip
        response = await fetch(address, headers=headers, token=token)
        assert response.code == code
        assert response.headers["Cache-Control"] == "private, no-store", code
        assert response.headers["Referrer-Policy"] == "no-referrer", code


async def test_every_answer_to_a_token_in_the_url_stays_out_of_caches_and_referrers(world, fetch):
    dataset = world.add()
    minted = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST")).body)["url"]
    forged = minted[:-8] + "AAAAAAAA"
    for method, address, headers, code in (
        ("GET", minted, {}, 200), ("GET", minted, {"Range": "bytes=0-9"}, 206), ("HEAD", minted, {}, 200),
        ("GET", minted, {"If-None-Match": "*"}, 304), ("GET", minted, {"If-Match": '"x"'}, 412),
        ("GET", minted, {"Range": "bytes=99999999-"}, 416), ("GET", forged, {}, 401), ("DELETE", minted, {}, 405),
        ("GET", minted.replace(dataset.id, "nonsense"), {}, 422), ("GET", minted.replace("/cog", "/cig"), {}, 404),
    ):  # fmt: skip
        response = await fetch(address, method, headers=headers)
        assert response.code == code
        assert response.headers["Cache-Control"] == "private, no-store", code
        assert response.headers["Referrer-Policy"] == "no-referrer", code
        assert response.headers["X-Content-Type-Options"] == "nosniff", code


async def test_a_token_is_taken_from_the_authorization_field_and_the_query_alone(world, fetch):
    dataset = world.add()
    scoped = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST")).body)["token"]
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for token in (scoped, world.bearer()):
        for tail, headers, body in (
            ("", {"Cookie": f"token={token}; Authorization=Bearer {token}"}, None),
            ("", form, f"token={token}"),
            ("", {"X-Token": token, "X-Authorization": f"Bearer {token}", "Proxy-Authorization": f"Bearer {token}"}, None),
            (f"?access_token={token}", {}, None),
            (f"?Token={token}", {}, None),
            (f"?authorization=Bearer%20{token}", {}, None),
        ):  # fmt: skip
            assert (await fetch(url(dataset) + tail, headers=headers, body=body)).code == 401


async def test_the_audit_has_the_address_of_the_socket_whatever_the_client_says(world, fetch):
    dataset = world.add()
    for name in ("X-Real-Ip", "X-Forwarded-For", "Forwarded"):
        await fetch(url(dataset), token=world.bearer(), headers={name: "6.6.6.6"})
    assert [row.ip for row in world.audit("download.cog")] == ["127.0.0.1"] * 3


@pytest.mark.parametrize("settings", [{"trusted_proxies": ("127.0.0.0/8",)}], indirect=True)
async def test_x_real_ip_is_not_believed_of_a_trusted_proxy_either(world, fetch):
    headers = {"X-Real-Ip": "6.6.6.6", "X-Forwarded-For": "9.9.9.9"}
    await fetch(url(world.add()), token=world.bearer(), headers=headers)
    assert world.audit("download.cog")[0].ip == "9.9.9.9"


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


ASKED = (
    ("GET", "/api/datasets/{id}/download/cog", {}),
    ("HEAD", "/api/datasets/{id}/download/cog", {}),
    ("GET", "/api/datasets/{id}/download/cog", {"Range": "bytes=99999999-"}),
    ("GET", "/api/datasets/{id}/download/cog", {"If-None-Match": "*"}),
    ("GET", "/api/datasets/{id}/download/cog", {"If-Match": '"x"'}),
    ("OPTIONS", "/api/datasets/{id}/download/cog", {}),
    ("DELETE", "/api/datasets/{id}/download/cog", {}),
    ("GET", "/api/datasets/{id}", {}),
    ("HEAD", "/api/datasets/{id}", {}),
    ("GET", "/api/datasets/{id}/validation", {"If-None-Match": "*"}),
    ("POST", "/api/auth/download-token/{id}", {}),
    ("POST", "/api/auth/tile-token/{id}", {}),
)


@pytest.mark.parametrize("bytes_are", ["there", "gone", "out of reach"])
async def test_private_and_unknown_datasets_answer_alike_whatever_is_asked(world, fetch, bytes_are):
    hidden = world.add(visibility=Scale.PRIVATE)
    if bytes_are == "gone":
        (world.folder / hidden.key).unlink()
    elif bytes_are == "out of reach":
        world.folder.rename(world.folder.with_name("away"))
    for method, path, headers in ASKED:
        answers = []
        for dataset_id in (hidden.id, UNKNOWN_ID):
            fields = {**headers, "Origin": "https://map.example"}
            answer = await fetch(path.replace("{id}", dataset_id), method, token=world.bearer(), headers=fields)
            answers.append(comparable(answer))
        assert answers[0] == answers[1]
        assert answers[0][0] == {"OPTIONS": 204, "DELETE": 405}.get(method, 404)
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
    world.services.records.set_disabled("ben", True, act())
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
    assert not any(part in response.body.decode() for part in (*world.folder.parts[1:], dataset.key))


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


async def test_a_file_deleted_under_a_transfer_ends_whole_and_is_a_404_for_the_next_one(world, http_server):
    dataset = big(world)
    path = world.folder / dataset.key
    old, token = path.read_bytes(), world.bearer()
    reader, writer = await raw_get(http_server, url(dataset), token)
    await reader.readuntil(b"\r\n\r\n")
    path.unlink()
    assert await reader.readexactly(len(old)) == old
    writer.write(f"GET {url(dataset)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode())
    assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 404")
    writer.close()
    await finished(world, "completed")


@pytest.mark.parametrize("replacement", ["edited in place", "cut"])
async def test_a_small_file_that_changes_as_it_is_read_is_never_sent_under_the_old_tag(
    world, fetch, monkeypatch, replacement
):
    dataset = world.add()
    path, read, changed = world.folder / dataset.key, FileSource.read_at, []

    def change_then_read(source, offset, length):
        if length == 10 and not changed:
            changed.append(True)
            edited = world.cog.read_bytes() + b"\0" * 64 if replacement == "edited in place" else b"II*\0"
            path.write_bytes(edited)
        return read(source, offset, length)

    monkeypatch.setattr(FileSource, "read_at", change_then_read)
    response = await fetch(url(dataset), token=world.bearer(), headers={"Range": "bytes=0-9"})
    assert changed
    assert response.code == (206 if replacement == "edited in place" else 422)
    assert response.headers.get("ETag") != f'"{dataset.version}"'


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


async def recorded(world, count, action=None):
    """Return the rows on record, as soon as there are so many."""
    async with asyncio.timeout(SECONDS):
        while True:
            rows = await asyncio.get_running_loop().run_in_executor(None, world.audit, action)
            if len(rows) >= count:
                return rows
            await asyncio.sleep(0.02)


async def finished(world, outcome, count=1):
    """Return when `count` finished rows are there, all with this outcome."""
    rows = await recorded(world, count, "download.finished")
    assert [row.detail["outcome"] for row in rows] == [outcome] * count


async def test_while_the_audit_fails_nobody_waits_for_the_refusal(world, fetch, monkeypatch, caplog):
    monkeypatch.setattr(type(world.services.audit), "failing", True)
    response = await fetch(url(world.add()), token=world.bearer())
    assert problem(response)["status"] == 503
    assert world.audit("download.cog") == []
