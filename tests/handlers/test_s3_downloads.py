import asyncio
import hashlib
import json
import logging
import os
import re
import threading
import time
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from gateway.deep.judgements import UNDER_WAY
from gateway.handlers.watching import try_request_ids
from gateway.ids import REQUEST_ID_PARAMETER
from gateway.model import Report, Scale
from gateway.pools import Pool, pool_table
from gateway.reconciling import Reconciliation
from gateway.settings import RootSettings, Settings
from gateway.storage import RequestIds
from tests.accesslogs import Record
from tests.handlers.conftest import UNKNOWN_ID, comparable, problem
from tests.handlers.test_downloads import finished, raw_get, recorded, url
from tests.handlers.test_ends import check, rows_of, settled, visited
from tests.handlers.test_streaming import port_of
from tests.patience import eventually
from tests.rasters import write_cog, write_striped
from tests.s3 import new_bucket, one_store
from tests.storage.test_s3 import with_head

pytestmark = pytest.mark.gen_test


@pytest.fixture
def settings(tmp_path, request, store, bucket, tunnel, shared) -> Settings:
    """Three roots: a local one, and a bucket that clients are sent to or get through the gateway."""
    (tmp_path / "rasters").mkdir()
    through = {"endpoint_url": tunnel.url}
    values = {
        "state_dir": tmp_path / "state",
        "roots": {
            "data": RootSettings(uri=f"file:{tmp_path / 'rasters'}"),
            "bucket": store.root(bucket, "cogs", **through),
            "stream": store.root(bucket, "cogs", **through, delivery="stream"),
        },
        "secret_keys": ("k" * 31 + "ey-of-the-tests",),
        **shared,
    }
    return Settings(**{**values, **getattr(request, "param", {})}, _env_file=None)


@pytest.fixture(scope="session")
def other_cog(tmp_path_factory):
    return write_cog(tmp_path_factory.mktemp("other") / "other.tif", seed=2).read_bytes()


@pytest.fixture(scope="session")
def long_cog(cog_file) -> bytes:
    # What follows the last block is slack: it makes the file long and no other COG.
    return cog_file.read_bytes() + os.urandom(1 << 20) * 12


@pytest.fixture
def put(store, bucket):
    """Return a function that stores an object behind the gateway's back."""

    def store_it(body: bytes, key: str = "a.tif") -> str:
        return store.client.put_object(Bucket=bucket, Key=f"cogs/{key}", Body=body)["ETag"]

    return store_it


@pytest.fixture
def add(world, put, tunnel):
    """Return a function that stores a COG and registers it; what went through the tunnel for that is forgotten."""

    def register(root: str = "bucket", body: bytes | None = None, key: str = "a.tif", **values):
        put(body or world.cog.read_bytes(), key)
        dataset = world.register(key, root=root, **values)
        tunnel.requests.clear()
        tunnel.heard.clear()
        return dataset

    return register


async def test_get_is_a_redirect_that_a_plain_client_can_follow(world, fetch, add, tunnel):
    dataset = add(title="Höhen & Tiefen")
    answer = await fetch(url(dataset), token=world.bearer(), headers={"Origin": "https://map.example"})
    assert (answer.code, answer.body) == (302, b"")
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Location" in answer.headers["Access-Control-Expose-Headers"]
    assert not {"ETag", "Content-Disposition", "Content-Type"} & set(answer.headers)
    assert [method for method, _ in tunnel.requests] == ["HEAD"]
    location = answer.headers["Location"]
    assert location.startswith(f"{tunnel.url}/test-")
    assert parse_qs(urlsplit(location).query)["X-Amz-Expires"] == ["3600"]
    taken = await fetch(location)
    assert (taken.code, taken.body) == (200, world.cog.read_bytes())
    assert taken.headers["Content-Type"] == "image/tiff"
    assert taken.headers["Content-Disposition"].startswith("attachment; filename=")
    assert "filename*=UTF-8''H%C3%B6hen%20&%20Tiefen.tif" in taken.headers["Content-Disposition"]
    assert taken.headers["ETag"] == f'"{dataset.version}"'


async def test_a_link_is_used_by_each_redirect_that_is_no_range_of_the_same_client(world, fetch, add):
    dataset = add(owner="ben", visibility=Scale.PRIVATE)
    wanted = json.dumps({"dataset": dataset.id, "right": "download", "uses": 2})
    made = await fetch("/api/links", "POST", token=world.bearer("ben"), body=wanted)
    shared = json.loads(made.body)["url"]
    asked = [{"Range": "bytes=0-9"}, {"Range": "bytes=10-19"}, {}]
    assert (await fetch(shared, "HEAD")).code == 200
    assert [(await fetch(shared, headers=fields)).code for fields in asked] == [302] * 3
    assert (await fetch(shared)).code == 401
    assert [row.detail["use"] for row in world.audit("download.cog")] == [1, 1, 2]


async def test_a_range_goes_on_to_the_store_and_stands_in_the_audit(world, fetch, add):
    dataset = add()
    fields = {"Range": "bytes=10-19"}
    answer = await fetch(url(dataset), token=world.bearer("ben"), headers=fields)
    assert answer.code == 302
    taken = await fetch(answer.headers["Location"], headers=fields)
    assert (taken.code, taken.body) == (206, world.cog.read_bytes()[10:20])
    row, end = world.audit()
    assert answer.headers["X-Request-ID"] == row.request_id
    assert (row.action, row.status, row.backend, row.user_id) == ("download.cog", 302, "s3", "ben")
    assert (end.action, end.request_id) == ("download.finished", row.request_id)
    assert end.detail == {"bytes_sent": 0, "outcome": "completed"}
    assert (row.version, row.range_header, row.bytes_expected) == (dataset.version, "bytes=10-19", 10)


@one_store
@pytest.mark.one_node("each process finds out for itself")
async def test_a_redirect_carries_the_id_of_its_row_once_the_store_is_known_to_take_it(world, fetch, add):
    dataset, storages = add(), world.services.storages
    assert REQUEST_ID_PARAMETER not in (await fetch(url(dataset), token=world.bearer())).headers["Location"]
    assert told(await fetch("/readyz")) == "unknown"
    try_request_ids(world.services)
    await eventually(lambda: storages["bucket"].request_ids is RequestIds.SIGNED)
    answer = await fetch(url(dataset), token=world.bearer())
    id_in_url = parse_qs(urlsplit(answer.headers["Location"]).query)[REQUEST_ID_PARAMETER]
    assert id_in_url == [answer.headers["X-Request-ID"]] == [world.audit("download.cog")[-1].request_id]
    assert told(await fetch("/readyz")) == "signed"
    metrics = (await fetch("/metrics")).body.decode()
    assert 'cog_gateway_presigned_request_ids{root="bucket"} 1.0' in metrics
    assert 'cog_gateway_presigned_request_ids{root="stream"}' not in metrics


@pytest.mark.parametrize("store", ["real"], indirect=True)
@pytest.mark.one_node("each process finds out for itself")
async def test_what_the_log_of_the_store_has_of_a_request_leads_to_who_asked_here(world, fetch, add, tunnel):
    dataset = add()
    world.services.storages["bucket"].try_request_ids()
    tunnel.requests.clear()
    answer = await fetch(url(dataset), token=world.bearer("ben"))
    taken = await fetch(answer.headers["Location"])
    granted, own_end = world.audit()
    # What the store heard, in the form of Amazon's logs: the server of the tests writes none.
    (target,) = tunnel.of("GET")
    size, now = str(len(taken.body)), datetime.now(UTC).strftime("[%d/%b/%Y:%H:%M:%S +0000]")
    bucket, key = target.partition("?")[0][1:].split("/", 1)
    record = Record(
        request_uri=f'"GET {target} HTTP/1.1"', time=now, bytes_sent=size, object_size=size, bucket=bucket, key=quote(key)
    )  # fmt: skip
    found = Reconciliation(world.services.records, world.services.settings.roots)
    assert list(found.take("log", [record.line.encode()])) == []
    end = world.audit()[-1]
    assert (taken.code, end.request_id, end.user_id) == (200, answer.headers["X-Request-ID"], "ben")
    assert granted.request_id == own_end.request_id == end.request_id
    assert (end.detail["bytes_sent"], end.detail["outcome"]) == (len(world.cog.read_bytes()), "completed")


def told(ready) -> str:
    parts = json.loads(ready.body)["parts"]
    assert "request ids stream" not in parts
    return parts["request ids bucket"]


async def test_head_is_answered_here_with_the_headers_of_a_local_file(world, fetch, add, tunnel):
    dataset = add(sha256=hashlib.sha256(world.cog.read_bytes()).hexdigest())
    remote = await fetch(url(dataset), "HEAD", token=world.bearer(), headers={"Range": "bytes=0-9"})
    local = await fetch(url(world.add(sha256=dataset.sha256)), "HEAD", token=world.bearer())
    assert (remote.code, remote.body) == (200, b"")
    assert remote.headers["ETag"] == f'"{dataset.version}"'
    assert set(remote.headers) == set(local.headers)
    for name in set(local.headers) - {"Date", "X-Request-Id", "Etag", "Last-Modified"}:
        assert remote.headers[name] == local.headers[name], name
    assert [method for method, _ in tunnel.requests] == ["HEAD"]
    assert world.audit() == []


@one_store
@pytest.mark.parametrize("root", ["bucket", "stream"])
async def test_conditions_and_impossible_ranges_are_answered_here_and_no_download(world, fetch, add, tunnel, root):
    dataset = add(root)
    tunnel.requests.clear()
    tag = f'"{dataset.version}"'
    for fields, code in (
        ({"If-None-Match": tag}, 304), ({"If-None-Match": "*", "Range": "bytes=0-1"}, 304), ({"If-Match": '"x"'}, 412),
        ({"Range": f"bytes={dataset.size_bytes}-"}, 416), ({"Range": "bytes=99999999-", "If-Range": tag}, 416),
    ):  # fmt: skip
        answer = await fetch(url(dataset), token=world.bearer(), headers=fields)
        assert answer.code == code
        assert "Location" not in answer.headers
    assert {method for method, _ in tunnel.requests} == {"HEAD"}
    assert world.audit() == []


async def test_if_match_that_holds_is_a_redirect(world, fetch, add):
    dataset = add()
    fields = {"If-Match": f'"{dataset.version}"'}
    assert (await fetch(url(dataset), token=world.bearer(), headers=fields)).code == 302


async def test_a_range_with_a_stale_if_range_comes_whole_from_here(world, fetch, add, tunnel):
    dataset = add()
    for if_range, code in (('"old"', 200), (f'W/"{dataset.version}"', 200), (f'"{dataset.version}"', 302)):
        tunnel.requests.clear()
        fields = {"Range": "bytes=100-", "If-Range": if_range}
        answer = await fetch(url(dataset), token=world.bearer(), headers=fields)
        assert answer.code == code
        assert answer.body == (world.cog.read_bytes() if code == 200 else b"")
        assert len(tunnel.of("GET")) == (1 if code == 200 else 0)
    assert [row.status for row in world.audit("download.cog")] == [200, 200, 302]


@pytest.mark.parametrize("wanted", [None, "bytes=0-99", "bytes=5-", "bytes=1000-900000", "bytes=-7"])
async def test_a_root_that_streams_sends_the_bytes_itself(world, fetch, add, tunnel, wanted):
    dataset, whole = add("stream"), world.cog.read_bytes()
    tunnel.requests.clear()
    fields = {"Range": wanted} if wanted else {}
    answer = await fetch(url(dataset), token=world.bearer(), headers=fields)
    start, stop = {None: (0, None), "bytes=0-99": (0, 100), "bytes=5-": (5, None), "bytes=-7": (-7, None)}.get(
        wanted, (1000, 900_001)
    )
    assert answer.code == (206 if wanted else 200)
    assert answer.body == whole[start:stop]
    assert answer.headers["ETag"] == f'"{dataset.version}"'
    assert "Location" not in answer.headers
    assert len(tunnel.of("GET")) == 1
    granted, ended = await recorded(world, 2)
    assert (granted.status, granted.backend, granted.bytes_expected) == (answer.code, "s3", len(answer.body))
    assert ended.detail == {"bytes_sent": len(answer.body), "outcome": "completed"}


async def test_a_body_that_breaks_off_upstream_is_continued_and_ends_whole(world, fetch, add, tunnel, long_cog):
    dataset = add("stream", long_cog)
    tunnel.drop()
    tunnel.cut_after = 4 << 20
    answer = await fetch(url(dataset), token=world.bearer())
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(long_cog).digest()
    assert len(tunnel.of("GET")) >= 4


async def received(reader, so_far=b""):
    """Everything until the connection ends."""
    try:
        while chunk := await reader.read(1 << 16):
            so_far += chunk
    except ConnectionResetError:
        pass
    return so_far


async def test_an_object_replaced_under_a_transfer_breaks_the_connection_and_is_never_spliced(
    world, http_server, add, put, tunnel
):
    long_cog = world.cog.read_bytes() + os.urandom(12 << 20)
    dataset = add("stream", long_cog)
    tunnel.drop()
    tunnel.cut_after = 4 << 20
    replaced = []

    def replace_it(target):
        # Before the second request for the body, which continues the first.
        if len(tunnel.of("GET")) == 2 and not replaced:
            replaced.append(put(bytes(len(long_cog))))

    tunnel.before = replace_it
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    head = await reader.readuntil(b"\r\n\r\n")
    assert f"Content-Length: {len(long_cog)}\r\n".encode() in head
    got = await received(reader)
    writer.close()
    assert replaced
    assert 0 < len(got) < len(long_cog)
    assert long_cog.startswith(got)
    await finished(world, "aborted")


async def test_a_store_that_goes_away_under_a_transfer_breaks_the_connection(
    world, http_server, add, tunnel, long_cog
):
    dataset = add("stream", long_cog)
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    await reader.readuntil(b"\r\n\r\n")
    # The head is sent before the body is asked for: the transfer has begun with the first byte.
    first = await reader.readexactly(1)
    tunnel.down()
    got = await received(reader, first)
    writer.close()
    assert len(got) < len(long_cog)
    assert long_cog.startswith(got)
    await finished(world, "aborted")


@one_store
async def test_a_client_that_takes_a_little_at_a_time_gets_everything(world, http_server, add, long_cog):
    dataset = add("stream", long_cog)
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    await reader.readuntil(b"\r\n\r\n")
    body = b""
    while len(body) < len(long_cog):
        body += await reader.read(1 << 15)
    writer.close()
    assert body == long_cog
    await finished(world, "completed")


@one_store
@pytest.mark.parametrize("settings", [{"stall_seconds": 0.3}], indirect=True)
async def test_a_client_that_takes_nothing_is_disconnected(world, http_server, add, long_cog):
    dataset = add("stream", long_cog)
    reader, writer = await raw_get(http_server, url(dataset), world.bearer())
    reader._transport.pause_reading()
    await finished(world, "aborted")
    (row,) = world.audit("download.finished")
    assert row.detail["bytes_sent"] < dataset.size_bytes
    writer.close()


async def test_a_replaced_object_is_judged_again_and_sent_as_it_is_now(world, fetch, add, put, other_cog):
    dataset = add()
    tag = put(other_cog)
    answer = await fetch(url(dataset), token=world.bearer(), headers={"If-None-Match": f'"{dataset.version}"'})
    assert answer.code == 302
    assert (await fetch(answer.headers["Location"])).body == other_cog
    assert [row.detail["valid"] for row in world.audit("dataset.judged")] == [True]
    assert [row.version for row in world.audit("download.cog")] == [tag.strip('"')]


@one_store
@pytest.mark.parametrize("depth", ["blocks", "full"])
async def test_an_object_that_was_judged_deeper_than_usual_is_judged_so_again_behind_a_503(
    world, fetch, add, put, other_cog, depth
):
    dataset = add(report=Report(depth))
    assert (await fetch(url(dataset), token=world.bearer())).code == 302
    put(other_cog)
    assert problem(await fetch(url(dataset), token=world.bearer()))["detail"] == UNDER_WAY
    await asyncio.to_thread(lambda: world.services.pools["deep"].submit(int).result(120))
    answer = await fetch(url(dataset), token=world.bearer())
    assert (await fetch(answer.headers["Location"])).body == other_cog
    assert world.services.records.dataset(dataset.id).report == Report(depth)


@pytest.mark.parametrize("root", ["bucket", "stream"])
async def test_an_object_that_is_no_cog_any_more_is_a_422_and_put_back_a_download(
    world, fetch, add, put, tmp_path, root
):
    dataset = add(root)
    put(write_striped(tmp_path / "striped.tif").read_bytes())
    for method in ("GET", "HEAD"):
        refused = await fetch(url(dataset), method, token=world.bearer())
        assert refused.code == 422
        assert "Location" not in refused.headers
    document = problem(await fetch(url(dataset), token=world.bearer()))
    assert document["type"] == "/problems/not-a-cog"
    assert document["errors"]
    assert "s3://" not in json.dumps(document)
    assert world.audit("download.cog") == []
    put(world.cog.read_bytes())
    assert (await fetch(url(dataset), token=world.bearer())).code == (302 if root == "bucket" else 200)


async def test_an_object_that_is_gone_is_a_404_on_record(world, fetch, add, store, bucket):
    dataset = add()
    store.client.delete_object(Bucket=bucket, Key="cogs/a.tif")
    for method in ("GET", "HEAD"):
        assert (await fetch(url(dataset), method, token=world.bearer())).code == 404
    assert {row.status for row in world.audit("download.refused")} == {404}


@one_store
async def test_refusals_are_on_record_and_look_alike(world, fetch, add, tunnel):
    hidden = add(visibility=Scale.PRIVATE)
    shown = add(key="b.tif", visibility=Scale.PUBLIC, download=Scale.PRIVATE)
    tunnel.requests.clear()
    answers = [
        await fetch(f"/api/datasets/{name}/download/cog", token=world.bearer()) for name in (hidden.id, UNKNOWN_ID)
    ]
    assert comparable(answers[0]) == comparable(answers[1])
    assert (await fetch(url(shown), token=world.bearer())).code == 403
    assert (await fetch(url(shown))).code == 401
    assert sorted(row.status for row in world.audit("download.refused")) == [401, 403, 404]
    assert tunnel.requests == []


@one_store
@pytest.mark.usefixtures("limits_of_the_product")
@pytest.mark.parametrize(
    "case",
    [("bucket", "refuses"), ("bucket", "never answers"), ("bucket", "fails"), ("bucket", "denies"),
     ("bucket", "is in another region"), ("stream", "refuses"), ("stream", "never answers")],
    ids="-".join,
)  # fmt: skip
async def test_a_store_in_trouble_is_a_503_at_once_and_local_files_are_untouched(
    world, fetch, add, tunnel, caplog, case
):
    root, trouble = case
    caplog.set_level(logging.INFO)
    dataset, local = add(root), world.add()
    told = {"fails": "500 X", "denies": "403 Forbidden", "is in another region": "301 Moved"}.get(trouble)
    xml = "<Error><Code>AccessDenied</Code><Message>secret-of-the-store</Message></Error>"
    if told:
        tunnel.answer = f"HTTP/1.1 {told}\r\nContent-Length: {len(xml)}\r\n\r\n{xml}".encode()
    elif trouble == "refuses":
        tunnel.down()
    tunnel.mute = trouble == "never answers"
    tunnel.requests.clear()
    waiting = asyncio.gather(*(fetch(url(dataset), m, token=world.bearer()) for m in ("GET", "GET", "HEAD")))
    near = await fetch(url(local), token=world.bearer())
    assert (near.code, near.body) == (200, world.cog.read_bytes())
    for answer in await waiting:
        assert answer.code == 503
        assert int(answer.headers["Retry-After"]) >= 1
        assert "Location" not in answer.headers
        for secret in (b"botocore", b"secret-of", b"AccessDenied", b"127.0.0.1", b"LOCALTEST", b"HeadObject"):
            assert secret not in answer.body
    # Nobody waits for two answers that do not come: what one takes at most, tests/storage/test_s3.py says.
    assert len(tunnel.requests) <= (3 if trouble == "never answers" else 6)
    ours = "".join(r.getMessage() for r in caplog.records if r.name != "werkzeug")
    assert "X-Amz" not in ours
    assert "LOCALTEST" not in ours
    # Why, in a word: the operator needs it and the client must not have it.
    assert re.search(r"^503: The storage of this dataset cannot be reached\. \(\w+\)", ours[ours.index("503:") :])
    assert [row.dataset_id for row in world.audit("download.cog")] == [local.id]


@one_store
async def test_a_store_that_comes_back_is_found_without_a_restart(world, fetch, add, tunnel, monkeypatch):
    from gateway.storage.breaker import Breaker

    dataset, token = add(), world.bearer()
    tunnel.down()
    for _ in range(4):
        assert (await fetch(url(dataset), token=token)).code == 503
    tunnel.up()
    # The rest is over.
    breaker = world.services.storages["bucket"]._breaker
    assert isinstance(breaker, Breaker)
    monkeypatch.setattr(breaker, "_clock", lambda: time.monotonic() + 120)
    assert (await fetch(url(dataset), token=token)).code == 302


@one_store
async def test_bodies_that_hang_at_the_store_keep_nobody_from_asking_it(
    world, fetch, http_server, add, tunnel, long_cog
):
    sizes = pool_table(4)
    most, stores = sizes[Pool.TRANSFER].threads, sizes[Pool.STORE].threads
    dataset = add("stream", long_cog)
    hanging = asyncio.Event()
    loop = asyncio.get_running_loop()
    bodies = max(most, stores) + 1

    def hang(target):
        # Bodies are asked for by GET, facts by HEAD.
        asked = tunnel.requests[-1][0] == "GET"
        tunnel.mute = asked
        if len(tunnel.of("GET")) >= most:
            loop.call_soon_threadsafe(hanging.set)

    tunnel.before = hang
    opened = [await raw_get(http_server, url(dataset), world.bearer()) for _ in range(bodies)]
    await hanging.wait()
    tunnel.mute, tunnel.before = False, lambda _: None
    # The bodies hang for as long as the test may take.
    assert (await fetch(url(dataset), "HEAD", token=world.bearer())).code == 200
    tunnel.down()
    for _, writer in opened:
        writer.close()


@one_store
async def test_without_a_durable_row_nobody_is_sent_anywhere(world, fetch, add, monkeypatch, caplog):
    from concurrent.futures import Future

    from gateway.errors import RecordsUnavailable

    failed: Future[None] = Future()
    failed.set_exception(RecordsUnavailable("The audit cannot be written."))
    monkeypatch.setattr(type(world.services.audit), "record", lambda self, row: failed)
    for root in ("bucket", "stream"):
        answer = await fetch(url(add(root)), token=world.bearer())
        assert problem(answer)["status"] == 503
        assert "Location" not in answer.headers


@one_store
async def test_the_row_is_durable_when_the_redirect_arrives(world, fetch, add):
    from gateway.records import AuditQuery

    dataset, seen = add(), []

    def first_header(_line):
        found = world.services.records.audit_rows(AuditQuery(action="download.cog"))
        seen.append([stored.row.status for stored in found])

    await fetch(url(dataset), token=world.bearer(), header_callback=first_header)
    assert seen[0] == [302]


async def test_our_tokens_never_reach_the_store_nor_its_urls_our_logs(world, fetch, add, tunnel, caplog):
    caplog.set_level(logging.INFO)
    token = world.bearer()
    sent, streamed = add(), add("stream")
    minted = json.loads((await fetch(f"/api/auth/download-token/{sent.id}", "POST", token=token)).body)
    answers = [
        await fetch(url(sent), token=token, headers={"Cookie": "a-cookie=1"}),
        await fetch(minted["url"]),
        await fetch(url(streamed), token=token, headers={"Range": "bytes=0-9"}),
        await fetch(url(sent), "HEAD", token=token),
    ]
    assert [answer.code for answer in answers] == [302, 302, 206, 200]
    assert answers[1].headers["Cache-Control"] == "private, no-store"
    assert answers[1].headers["Referrer-Policy"] == "no-referrer"
    heard = bytes(tunnel.heard)
    assert heard.count(b"Authorization: AWS4-HMAC-SHA256") == len(tunnel.requests)
    for ours in (token, minted["token"]):
        assert ours.rpartition(".")[2].encode() not in heard
        assert all(ours not in answer.headers.get("Location", "") for answer in answers)
    assert b"a-cookie" not in heard
    logged = "".join(r.getMessage() for r in caplog.records if r.name != "werkzeug")
    assert "X-Amz-Signature" not in logged
    assert all("X-Amz" not in str(row) for row in world.audit())


@one_store
@pytest.mark.parametrize("settings", [{"presign_seconds": 60}], indirect=True)
async def test_the_lifetime_of_urls_is_a_setting(world, fetch, add):
    assert world.services.settings.presign_seconds == 60
    location = (await fetch(url(add()), token=world.bearer())).headers["Location"]
    assert parse_qs(urlsplit(location).query)["X-Amz-Expires"] == ["60"]


async def test_gdal_reads_a_redirected_file_as_a_local_one(world, base_url, http_server, add):
    import rasterio

    dataset, token = add(), world.bearer()

    def pixels(name, **options):
        with rasterio.Env(**options), rasterio.open(name) as raster:
            return raster.read().tobytes()

    far = await asyncio.get_running_loop().run_in_executor(
        None,
        lambda: pixels(
            f"/vsicurl/{base_url}/api/datasets/{dataset.id}/download/elevation.tif",
            GDAL_HTTP_HEADERS=f"Authorization: Bearer {token}", GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR",
        ),
    )  # fmt: skip
    assert far == pixels(world.cog)
    assert {row.status for row in world.audit("download.cog")} == {302}


async def test_where_the_bucket_has_versions_a_transfer_ends_with_the_version_it_began_with(
    tmp_path, store, tunnel, long_cog, cog_file
):
    from gateway.download import DownloadRequest, prepare
    from gateway.gatekeeper import Wait
    from gateway.model import Principal
    from gateway.ranges import Conditions
    from gateway.services import open_services
    from tests.handlers.conftest import World

    name = new_bucket(store, versioned=True)
    root = store.root(name, "cogs", endpoint_url=tunnel.url, delivery="stream")
    settings = Settings(
        state_dir=tmp_path / "state", roots={"bucket": root}, secret_keys=("k" * 31 + "ey-of-the-tests",), _env_file=None
    )  # fmt: skip
    store.client.put_object(Bucket=name, Key="cogs/a.tif", Body=long_cog)
    with open_services(settings) as services:
        world = World(services, tmp_path, cog_file)
        dataset = world.register("a.tif", root="bucket")
        asked = DownloadRequest(dataset.id, Principal(), Conditions(), None, True, "r1")
        source = prepare(services.gatekeeper, asked, Wait.STORE).source
        store.client.put_object(Bucket=name, Key="cogs/a.tif", Body=bytes(len(long_cog)))
        body = source.body(5 << 20, 100)
        assert source.next_of(body, 100) == long_cog[5 << 20 : (5 << 20) + 100]
        body.close()


@one_store
@pytest.mark.parametrize("root", ["bucket", "stream"])
async def test_an_archived_object_is_a_503_that_says_so_and_no_download(world, fetch, add, monkeypatch, root, caplog):
    dataset = add(root=root)
    with_head(monkeypatch, world.services.storages[root], {"StorageClass": "DEEP_ARCHIVE"})
    asked = [
        (url(dataset), "GET"), (f"/api/auth/download-token/{dataset.id}", "POST"),
        (f"/api/datasets/{dataset.id}/tiles/0/0/0.png", "GET"), (f"/api/datasets/{dataset.id}/info", "GET"),
    ]  # fmt: skip
    for path, method in asked:
        response = await fetch(path, method, token=world.bearer())
        assert problem(response)["detail"] == "The object is archived and must be restored first."
        assert (response.code, response.headers["Retry-After"]) == (503, "3600")
    assert (await fetch(url(dataset), "HEAD", token=world.bearer())).code == 503
    assert (await fetch(f"/api/datasets/{dataset.id}", token=world.bearer())).code == 200
    assert {row.action for row in world.audit()} <= {"dataset.ingested"}
    assert not world.services.storages[root].resting


@one_store
async def test_every_transfer_has_its_end_also_of_a_store_that_dies_and_comes_back(
    world, app, http_server, add, tunnel, long_cog
):
    dataset, loop, done = add("stream", body=long_cog), asyncio.get_running_loop(), threading.Event()

    def break_now_and_then() -> None:
        while not done.wait(0.1):
            tunnel.drop()

    breaking = loop.run_in_executor(None, break_now_and_then)
    visits = await visited(port_of(http_server), [url(dataset)], world.bearer(), 3, 8)
    done.set()
    await breaking
    await settled(app)
    grants, ends = await rows_of(world)
    check(grants, ends, visits)


@one_store
async def test_a_download_token_is_for_a_file_that_may_be_had_now(world, fetch, add, put, store, tunnel):
    dataset = add()
    path = f"/api/auth/download-token/{dataset.id}"
    assert (await fetch(path, "POST")).code == 200
    put(b"no raster any more")
    refused = await fetch(path, "POST")
    assert problem(refused)["type"] == "/problems/not-a-cog"
    # Judged once: the second answer costs one look.
    tunnel.requests.clear()
    assert (await fetch(path, "POST")).code == 422
    assert [method for method, _ in tunnel.requests] == ["HEAD"]
    store.client.delete_object(Bucket=world.services.storages["bucket"].bucket, Key="cogs/a.tif")
    assert (await fetch(path, "POST")).code == 404
    # A store that does not answer has lost nothing.
    tunnel.down()
    response = await fetch(path, "POST")
    assert (problem(response)["status"], "Retry-After" in response.headers) == (503, True)
    assert len(world.audit("token.minted")) == 1
