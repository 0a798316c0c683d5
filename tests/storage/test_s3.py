import hashlib
import pickle
import re
import urllib.error
import urllib.request
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.credentials import RefreshableCredentials

from gateway.errors import Archived, ObjectMissing, StorageUnavailable, VersionChanged
from gateway.storage import Redirect, Stream, open_storage
from gateway.storage.s3 import UNREACHABLE, S3Storage, boto3
from tests.patience import SECONDS, until
from tests.s3 import new_bucket

REQUEST_ID = "0f" * 16
DISPOSITION = "attachment; filename=\"a.tif\"; filename*=UTF-8''H%C3%B6he.tif"


def opened(store, bucket, prefix="cogs", seconds=3600, **more) -> S3Storage:
    storage = open_storage("data", store.root(bucket, prefix, **more), seconds)
    assert isinstance(storage, S3Storage)
    return storage


@pytest.fixture
def storage(store, bucket):
    found = opened(store, bucket)
    yield found
    found.close()


@pytest.fixture
def through(store, bucket, tunnel):
    """The storage behind a tunnel that tests can break."""
    found = opened(store, bucket, endpoint_url=tunnel.url)
    yield found
    found.close()


def put(store, bucket, key="cogs/a.tif", body=b"0123456789") -> str:
    """Store an object; returns its version as the storage names it."""
    return store.client.put_object(Bucket=bucket, Key=key, Body=body)["ETag"].strip('"')


def get(url, **headers):
    """Status, headers and body as a plain client gets them."""
    request = urllib.request.Request(url, headers=headers, method=headers.pop("method", "GET"))
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read()


def signed(storage, key="a.tif", disposition=DISPOSITION):
    """The presigned URL of an object, and its query."""
    delivery = storage.deliver(key, storage.stat(key).version)
    assert isinstance(delivery, Redirect)
    url = delivery.sign(disposition, REQUEST_ID)
    return url, {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}


def test_facts_are_those_of_the_object(store, storage, bucket):
    version = put(store, bucket, body=b"x" * 1000)
    stat = storage.stat("a.tif")
    assert (stat.version, stat.size_bytes, stat.version_id) == (version, 1000, None)
    assert version == hashlib.md5(b"x" * 1000).hexdigest()
    assert stat.modified_at.tzinfo is UTC
    assert abs(stat.modified_at - datetime.now(UTC)) < timedelta(minutes=2)


def test_one_look_is_one_request(store, through, bucket, tunnel):
    put(store, bucket)
    through.stat("a.tif")
    assert [method for method, _ in tunnel.requests] == ["HEAD"]


@pytest.mark.parametrize("key", ["no.tif", "", ".", "..", "../a.tif", "/cogs/a.tif", "a//b", "a/./b", "a\0b", "a/.."])
def test_what_is_not_there_is_missing_and_keys_that_urls_would_bend_are_too(store, storage, bucket, key):
    put(store, bucket)
    for verb in (storage.stat, storage.open, lambda k: storage.deliver(k, "x")):
        with pytest.raises(ObjectMissing):
            verb(key)


@pytest.mark.parametrize(
    "key", ["deep/er/b.tif", "with space.tif", "Höhe.tif", "a+b&c=d?#%25.tif", "quote'\".tif", "*~!().tif"]
)
def test_every_key_is_read_and_signed_as_it_is(store, storage, bucket, key):
    put(store, bucket, f"cogs/{key}", b"data")
    assert storage.open(key).read_at(0, 9) == b"data"
    assert get(signed(storage, key)[0])[::2] == (200, b"data")
    assert [found.key for found in storage.listed("")] == [key]


def test_a_missing_bucket_is_a_store_out_of_reach_and_no_missing_object(store):
    storage = opened(store, "test-nobody-made-it")
    for call in (storage.ping, lambda: storage.stat("a.tif"), lambda: [found.key for found in storage.listed("")]):
        with pytest.raises(StorageUnavailable):
            call()
    assert storage.siblings("a.tif") == frozenset()


def test_the_reason_is_a_word_of_the_store_and_not_its_sentence(store, bucket):
    with pytest.raises(StorageUnavailable) as absent:
        list(opened(store, "no-such-bucket-here").listed(""))
    assert (absent.value.reason, absent.value.detail) == ("NoSuchBucket", UNREACHABLE)
    with pytest.raises(StorageUnavailable) as silent:
        opened(store, bucket, endpoint_url="http://127.0.0.1:9").ping()
    assert silent.value.reason == "EndpointConnectionError"


def test_ping_returns_when_the_bucket_answers(storage):
    storage.ping()


def test_reads_are_ranges_clamped_to_the_end_and_kept(store, through, bucket, tunnel):
    put(store, bucket)
    with through.open("a.tif") as found:
        assert found.size_bytes == 10
        assert found.gdal_path == f"s3://{bucket}/cogs/a.tif"
        assert found.read_at(2, 3) == b"234"
        assert found.read_at(7, 99) == b"789"
        assert found.read_at(3, 1) == b"3"
        assert found.read_at(10, 5) == b""
        assert found.unchanged()
        assert (found.requests, found.bytes_read) == (2, 6)
    assert [method for method, _ in tunnel.requests] == ["HEAD", "GET", "GET", "HEAD"]


@pytest.mark.parametrize("replacement", [b"abcdefghij", b"abc", b"abcdefghijklmnop"])
def test_an_object_replaced_between_two_reads_is_never_spliced(store, storage, bucket, replacement):
    put(store, bucket)
    with storage.open("a.tif") as found:
        assert found.read_at(0, 4) == b"0123"
        put(store, bucket, body=replacement)
        with pytest.raises(VersionChanged):
            found.read_at(4, 4)
        assert not found.unchanged()


def test_an_object_deleted_between_two_reads_is_missing(store, storage, bucket):
    put(store, bucket)
    with storage.open("a.tif") as found:
        store.client.delete_object(Bucket=bucket, Key="cogs/a.tif")
        with pytest.raises(ObjectMissing):
            found.read_at(4, 4)
        assert not found.unchanged()


def test_an_object_put_back_after_a_read_that_failed_still_counts_as_changed(store, storage, bucket):
    put(store, bucket)
    with storage.open("a.tif") as found:
        put(store, bucket, body=b"other bytes")
        with pytest.raises(VersionChanged):
            found.read_at(4, 4)
        put(store, bucket)
        assert not found.unchanged()


def test_where_the_bucket_has_versions_the_opened_one_is_read_to_its_end(store):
    bucket = new_bucket(store, versioned=True)
    storage = opened(store, bucket)
    put(store, bucket)
    with storage.open("a.tif") as found:
        assert found.stat.version_id
        put(store, bucket, body=b"abcdefghij")
        assert found.read_at(4, 4) == b"4567"
        assert not found.unchanged()
    assert storage.open("a.tif").read_at(4, 4) == b"efgh"


@pytest.mark.parametrize(
    ("etag", "content_range"),
    [('"other"', "bytes 0-3/10"), ('"0"', "bytes 1-4/10"), ('"0"', "bytes 0-3/11"), ('"0"', None)],
)
def test_a_store_that_ignores_conditions_or_ranges_is_found_out(store, storage, monkeypatch, etag, content_range):
    class Body:
        closed = False

        def read(self, *_):
            return b"0123"

        def close(self):
            self.closed = True

    body = Body()
    facts = {"ETag": '"0"', "ContentLength": 10, "LastModified": datetime.now(UTC)}
    ranged = {} if content_range is None else {"ContentRange": content_range}
    monkeypatch.setattr(storage._facts, "head_object", lambda **_: facts)
    monkeypatch.setattr(storage._facts, "get_object", lambda **_: {"ETag": etag, "Body": body, **ranged})
    with pytest.raises(VersionChanged):
        storage.open("a.tif").read_at(0, 4)
    assert body.closed


def test_delivery_is_of_the_named_version_or_not_at_all(store, storage, bucket):
    version = put(store, bucket)
    assert storage.deliver("a.tif", version).stat.version == version
    put(store, bucket, body=b"new")
    with pytest.raises(VersionChanged):
        storage.deliver("a.tif", version)


def test_a_root_may_stream_and_its_bodies_come_piece_by_piece(store, bucket):
    storage = opened(store, bucket, delivery="stream")
    version = put(store, bucket)
    delivery = storage.deliver("a.tif", version)
    assert isinstance(delivery, Stream)
    body = delivery.source.body(2, 6)
    assert [delivery.source.next_of(body, 4) for _ in range(3)] == [b"2345", b"67", b""]
    body.close()


def test_a_body_that_breaks_off_ends_early_and_raises_nothing(store, through, bucket, tunnel):
    put(store, bucket, body=b"z" * 2_000_000)
    source = through.open("a.tif")
    tunnel.drop()
    tunnel.cut_after = 200_000
    body = source.body(0, 2_000_000)
    got = 0
    while piece := source.next_of(body, 50_000):
        got += len(piece)
    body.close()
    assert 0 < got < 200_000


def test_siblings_are_the_names_that_are_its_own_up_to_a_dot(store, storage, bucket):
    for name in ("a.tif", "a.tif.ovr", "a.ovr", "a.tif.aux.xml", "a-1.tif", "ab.tif", "deep/a.tif.ovr", "a.d/x"):
        put(store, bucket, f"cogs/{name}")
    assert storage.siblings("a.tif") == {"a.tif", "a.tif.ovr", "a.ovr", "a.tif.aux.xml"}
    assert storage.siblings("deep/a.tif") == {"a.tif.ovr"}


def test_keys_come_in_order_page_by_page_and_without_folder_markers(store, through, bucket, tunnel, monkeypatch):
    names = [f"d{i}/{j}.tif" for i in range(3) for j in range(3)]
    for name in [*names, "d1/"]:
        put(store, bucket, f"cogs/{name}", b"")
    put(store, bucket, "cogs-of-others/x.tif", b"")
    page = through._page
    monkeypatch.setattr(through, "_page", lambda **wanted: page(**wanted, MaxKeys=4))
    assert [found.key for found in through.listed("")] == names
    assert len(tunnel.of("GET")) == 3
    assert [found.key for found in through.listed("d1/")] == names[3:6]


def test_without_a_prefix_the_root_is_the_whole_bucket(store, bucket):
    storage = opened(store, bucket, "")
    put(store, bucket, "top.tif")
    assert [found.key for found in storage.listed("")] == ["top.tif"]
    assert storage.stat("top.tif").size_bytes == 10


def test_no_local_file_has_a_key(storage, tmp_path):
    assert storage.key_of(tmp_path) is None


@pytest.mark.parametrize("size_bytes", [3, 9 << 20])
def test_staging_uploads_whole_objects_large_ones_in_parts(store, through, bucket, tunnel, size_bytes):
    data = b"part" * (size_bytes // 4) + b"end"
    with through.staging("deep/new.tif") as path:
        path.write_bytes(data)
        with pytest.raises(ObjectMissing):
            through.stat("deep/new.tif")
    assert not path.exists()
    found = store.client.get_object(Bucket=bucket, Key="cogs/deep/new.tif")
    assert (found["Body"].read(), found["ContentType"]) == (data, "image/tiff")
    puts = tunnel.of("PUT")
    assert len(puts) == (1 if size_bytes < 8 << 20 else 2)
    assert all("partNumber" in target for target in puts) == (len(puts) == 2)
    assert through.stat("deep/new.tif").version.endswith("-2") == (len(puts) == 2)


def test_staging_that_fails_leaves_nothing_and_keeps_what_was_there(store, storage, bucket):
    version = put(store, bucket)
    with pytest.raises(KeyError), storage.staging("a.tif") as path:
        path.write_bytes(b"half")
        raise KeyError
    assert storage.stat("a.tif").version == version
    with pytest.raises(ObjectMissing), storage.staging("../a.tif"):
        pytest.fail("there is no such place")


def test_an_upload_that_fails_is_a_store_out_of_reach(through, tunnel):
    with pytest.raises(StorageUnavailable), through.staging("new.tif") as path:
        path.write_bytes(b"data")
        tunnel.down()


def test_a_presigned_url_has_everything_signed_in(store, storage, bucket):
    put(store, bucket)
    url, query = signed(storage)
    assert url.startswith(f"{store.endpoint_url}/{bucket}/cogs/a.tif?")
    assert query["X-Amz-Algorithm"] == "AWS4-HMAC-SHA256"
    assert query["X-Amz-Expires"] == "3600"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert re.fullmatch(store.access_key_id + r"/\d{8}/us-east-1/s3/aws4_request", query["X-Amz-Credential"])
    assert query["response-content-disposition"] == DISPOSITION
    assert query["response-content-type"] == "image/tiff"
    assert not {"versionId", "X-Amz-Security-Token", "x-amz-request-payer", "AWSAccessKeyId"} & set(query)
    status, headers, body = get(url)
    assert (status, body) == (200, b"0123456789")
    assert (headers["Content-Disposition"], headers["Content-Type"]) == (DISPOSITION, "image/tiff")
    status, headers, body = get(url, Range="bytes=3-5")
    assert (status, body, headers["Content-Range"]) == (206, b"345", "bytes 3-5/10")


def test_a_url_that_was_changed_used_otherwise_or_too_late_is_refused_by_the_store(real_store):
    bucket = new_bucket(real_store)
    put(real_store, bucket)
    put(real_store, bucket, "cogs/b.tif")
    storage = opened(real_store, bucket)
    url, query = signed(storage)
    assert get(url)[0] == 200
    assert get(url, method="HEAD")[0] == 403
    for old, new in (
        ("a.tif?", "b.tif?"), ("image%2Ftiff", "text%2Fhtml"), ("attachment", "inline"),
        ("X-Amz-Expires=3600", "X-Amz-Expires=7200"), (query["X-Amz-Signature"], "0" * 64),
    ):  # fmt: skip
        assert old in url
        assert get(url.replace(old, new, 1))[0] == 403, old
    brief = opened(real_store, bucket, seconds=1)
    url = signed(brief)[0]
    until(lambda: get(url)[0] == 403)


def test_in_a_bucket_with_versions_the_url_is_of_the_version_that_was_judged(store):
    bucket = new_bucket(store, versioned=True)
    put(store, bucket)
    storage = opened(store, bucket)
    url, query = signed(storage)
    assert query["versionId"] == storage.stat("a.tif").version_id
    put(store, bucket, body=b"new")
    assert get(url)[2] == b"0123456789"


def test_versions_of_a_bucket_where_versioning_is_suspended_are_none(store):
    bucket = new_bucket(store, versioned=True)
    store.client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    put(store, bucket)
    storage = opened(store, bucket)
    assert storage.stat("a.tif").version_id is None
    assert get(signed(storage)[0])[0] == 200


def test_requester_pays_stands_in_the_query_because_clients_send_no_header_of_ours(store, bucket):
    put(store, bucket)
    storage = opened(store, bucket, requester_pays=True)
    url, query = signed(storage)
    assert query["x-amz-request-payer"] == "requester"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert get(url)[::2] == (200, b"0123456789")
    assert storage.open("a.tif").read_at(0, 2) == b"01"


def test_the_public_endpoint_signs_and_is_never_asked(store, bucket):
    put(store, bucket)
    storage = opened(store, bucket, public_endpoint_url="https://cogs.invalid")
    with storage.open("a.tif") as found:
        assert found.read_at(0, 1) == b"0"
    assert signed(storage)[0].startswith(f"https://cogs.invalid/{bucket}/cogs/a.tif?")


@pytest.mark.parametrize(
    ("addressing", "place"),
    [("virtual", "https://my-bucket.s3.eu-west-1.amazonaws.com/c/a.tif?"), ("path", "https://s3.eu-west-1.amazonaws.com/my-bucket/c/a.tif?")],
)  # fmt: skip
def test_urls_name_the_region_and_the_bucket_as_the_root_says(moto_store, addressing, place, monkeypatch):
    root = moto_store.root("my-bucket", "c", endpoint_url=None, region="eu-west-1", addressing=addressing)
    storage = open_storage("data", root)
    monkeypatch.setattr(storage, "stat", lambda key: facts())
    assert signed(storage)[0].startswith(place)
    assert "/eu-west-1/s3/aws4_request" in signed(storage)[1]["X-Amz-Credential"]


def facts():
    from gateway.model import ObjectStat

    return ObjectStat("v", 10, datetime.now(UTC))


def test_a_session_token_is_part_of_the_url(moto_store, monkeypatch):
    storage = open_storage("data", moto_store.root("my-bucket", session_token="a-session-token"))
    monkeypatch.setattr(storage, "stat", lambda key: facts())
    assert signed(storage)[1]["X-Amz-Security-Token"] == "a-session-token"


def temporary(minutes, renewed_minutes=None) -> RefreshableCredentials:
    """Credentials as roles and profiles have them, with so long to live."""

    def metadata(left):
        ends = datetime.now(UTC) + timedelta(minutes=left)
        return {"access_key": "TEMPORARY", "secret_key": "x", "token": "t", "expiry_time": ends.isoformat()}

    return RefreshableCredentials.create_from_metadata(
        metadata(minutes), lambda: metadata(minutes if renewed_minutes is None else renewed_minutes), "test"
    )


@pytest.fixture
def with_credentials(moto_store, monkeypatch):
    """Return a function: with_credentials(credentials) -> a storage that signs with them."""

    def with_these(credentials, seconds=3600):
        # What boto3.Session finds by itself lies in this botocore session.
        made = boto3.Session

        def session(**options):
            found = made(**options)
            found._session._credentials = credentials
            return found

        monkeypatch.setattr(boto3, "Session", session)
        root = moto_store.root("my-bucket", access_key_id=None, secret_access_key=None)
        storage = open_storage("data", root, seconds)
        monkeypatch.setattr(storage, "stat", lambda key: facts())
        return storage

    return with_these


def test_botocore_keeps_the_end_of_temporary_credentials_where_we_look_for_it():
    ends = temporary(40)._expiry_time
    assert abs(ends - datetime.now(UTC) - timedelta(minutes=40)) < timedelta(seconds=SECONDS)


def test_a_url_lives_no_longer_than_the_credentials_that_signed_it(with_credentials):
    query = signed(with_credentials(temporary(40)))[1]
    assert 2400 - SECONDS <= int(query["X-Amz-Expires"]) <= 2400
    assert query["X-Amz-Credential"].startswith("TEMPORARY/")
    assert signed(with_credentials(temporary(40), 600))[1]["X-Amz-Expires"] == "600"


def test_credentials_that_are_about_to_end_are_renewed_before_their_end_is_read(with_credentials):
    assert signed(with_credentials(temporary(1, renewed_minutes=90)))[1]["X-Amz-Expires"] == "3600"


def test_without_credentials_nothing_is_signed_and_the_store_is_out_of_reach(with_credentials):
    with pytest.raises(StorageUnavailable):
        signed(with_credentials(None))


def test_a_profile_that_nobody_configured_is_told_by_root_and_not_by_library(moto_store):
    with pytest.raises(StorageUnavailable, match="root data"):
        open_storage("data", moto_store.root("my-bucket", profile="nobody"))


def test_a_storage_travels_to_another_process(store, storage, bucket):
    put(store, bucket)
    copy = pickle.loads(pickle.dumps(storage))
    assert copy.stat("a.tif") == storage.stat("a.tif")
    assert (copy.name, copy.bucket, copy.backend, copy.remote) == ("data", bucket, "s3", True)
    assert pickle.loads(pickle.dumps(storage)) is copy
    assert pickle.loads(pickle.dumps(opened(store, bucket, "other"))) is not copy


@pytest.mark.usefixtures("limits_of_the_product")
def test_a_store_that_takes_requests_and_never_answers_is_waited_for_once(through, tunnel):
    tunnel.mute = True
    with pytest.raises(StorageUnavailable):
        through.stat("a.tif")
    assert len(tunnel.requests) == 1


@pytest.mark.usefixtures("limits_of_the_product")
def test_the_limits_of_two_tries_together_stay_below_three_seconds():
    from gateway.storage import s3, s3_client

    once = s3_client.CONNECT_SECONDS + s3.FACTS_SECONDS
    assert once <= 2
    # A store that never answers is not asked again: the first try takes longer than this.
    assert s3.RETRY_WITHIN_SECONDS < s3.FACTS_SECONDS
    assert s3.RETRY_WITHIN_SECONDS + once < 3


ANSWERS = {
    500: (StorageUnavailable, 2),
    503: (StorageUnavailable, 2),
    429: (StorageUnavailable, 2),
    403: (StorageUnavailable, 1),
    400: (StorageUnavailable, 1),
    301: (StorageUnavailable, 1),
}


@pytest.mark.parametrize("status", ANSWERS)
def test_what_a_store_answers_instead_is_out_of_reach_and_only_faults_are_asked_again(through, tunnel, status):
    tunnel.answer = f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
    error, requests = ANSWERS[status]
    with pytest.raises(error) as caught:
        through.stat("a.tif")
    assert caught.value.detail == "The storage of this dataset cannot be reached."
    assert len(tunnel.of("HEAD")) == requests


def test_a_store_that_refuses_connections_is_out_of_reach_and_found_again(store, through, bucket, tunnel):
    put(store, bucket)
    through.stat("a.tif")
    tunnel.down()
    with pytest.raises(StorageUnavailable):
        through.stat("a.tif")
    tunnel.up()
    assert through.stat("a.tif").size_bytes == 10


def test_after_some_failures_the_store_is_left_alone_and_refusals_of_rights_are_none(through, tunnel):
    denied, broken = (f"HTTP/1.1 {code} X\r\nContent-Length: 0\r\n\r\n".encode() for code in (403, 500))
    for answer, asked in ((denied, 5), (broken, 3)):
        tunnel.answer = answer
        tunnel.requests.clear()
        for _ in range(5):
            with pytest.raises(StorageUnavailable):
                through.stat("a.tif")
        assert len(tunnel.of("HEAD")) == asked * (2 if answer is broken else 1)


def test_a_wrong_key_is_refused_by_the_store_and_out_of_reach_for_us(real_store):
    bucket = new_bucket(real_store)
    put(real_store, bucket)
    storage = opened(real_store, bucket, secret_access_key="wrong")
    for call in (storage.ping, lambda: storage.stat("a.tif"), lambda: [found.key for found in storage.listed("")]):
        with pytest.raises(StorageUnavailable) as caught:
            call()
        assert "Signature" not in str(caught.value)


def with_head(monkeypatch, storage, head) -> None:
    """Let the store say more of its objects than it knows."""
    real = storage._facts.head_object
    monkeypatch.setattr(storage._facts, "head_object", lambda **asked: {**real(**asked), **head})


ONGOING, DONE = 'ongoing-request="true"', 'ongoing-request="false", expiry-date="Fri, 21 Dec 2035 00:00:00 GMT"'


@pytest.mark.parametrize(("head", "archived"), [
    ({}, None), ({"StorageClass": "STANDARD_IA"}, None), ({"StorageClass": "GLACIER_IR"}, None),
    ({"StorageClass": "INTELLIGENT_TIERING"}, None),
    ({"StorageClass": "GLACIER"}, "must be restored first"), ({"StorageClass": "DEEP_ARCHIVE"}, "must be restored first"),
    ({"StorageClass": "GLACIER", "Restore": ONGOING}, "is being restored"), ({"StorageClass": "GLACIER", "Restore": DONE}, None),
    ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "ARCHIVE_ACCESS"}, "must be restored first"),
    ({"StorageClass": "INTELLIGENT_TIERING", "ArchiveStatus": "DEEP_ARCHIVE_ACCESS", "Restore": ONGOING}, "is being restored"),
])  # fmt: skip
def test_an_archived_object_says_so_and_is_no_failure_of_the_store(
    store, storage, bucket, monkeypatch, head, archived
):
    put(store, bucket)
    with_head(monkeypatch, storage, head)
    for verb in (storage.stat, storage.open, lambda key: storage.deliver(key, storage.stat(key).version)):
        if archived is None:
            verb("a.tif")
            continue
        with pytest.raises(Archived, match=archived) as caught:
            verb("a.tif")
        assert int(caught.value.headers["Retry-After"]) >= 300
    assert storage.failures == 0


def test_a_store_that_refuses_to_read_an_archived_object_is_understood(moto_store):
    bucket = new_bucket(moto_store)
    storage = opened(moto_store, bucket)
    moto_store.client.put_object(Bucket=bucket, Key="cogs/a.tif", Body=b"0123456789", StorageClass="GLACIER")
    with pytest.raises(Archived):
        storage.stat("a.tif")
    with pytest.raises(Archived):
        storage._call(lambda: storage._bytes.get_object(Bucket=bucket, Key="cogs/a.tif"))
    moto_store.client.restore_object(Bucket=bucket, Key="cogs/a.tif", RestoreRequest={"Days": 1})
    # What moto restores is there at once.
    assert storage.open("a.tif").read_at(0, 4) == b"0123"
    assert storage.failures == 0
    storage.close()


@pytest.mark.parametrize("key", ["a//b.tif", "/b.tif", "a/b//", "//"])
def test_keys_with_empty_parts_are_asked_for_as_they_are(store, bucket, through, tunnel, key):
    put(store, bucket, "cogs/a/b.tif")
    put(store, bucket, "cogs/b.tif")
    tunnel.requests.clear()
    with suppress(ObjectMissing, VersionChanged):
        through.deliver(key, "x")
    assert ("HEAD", f"/{bucket}/cogs/{key}") in tunnel.requests
    url = through._presigned(key, through.stat("b.tif"), DISPOSITION, REQUEST_ID)
    assert urlsplit(url).path == f"/{bucket}/cogs/{key}"
