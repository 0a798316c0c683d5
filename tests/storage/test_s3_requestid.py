"""The id of a request in presigned URLs: signed where the store takes it, and left out where it does not."""

from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from gateway.ids import REQUEST_ID_PARAMETER
from gateway.storage import RequestIds
from gateway.storage.s3_requestid import ARGUMENT, tried
from tests.s3 import one_store
from tests.storage.test_s3 import REQUEST_ID, get, opened, put, signed

REFUSED = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def test_a_store_that_takes_it_gets_the_id_under_the_signature(store, bucket):
    put(store, bucket)
    storage = opened(store, bucket)
    assert storage.request_ids is RequestIds.UNKNOWN
    assert REQUEST_ID_PARAMETER not in signed(storage)[1]
    storage.try_request_ids()
    assert storage.request_ids is RequestIds.SIGNED
    url, query = signed(storage)
    assert (query[REQUEST_ID_PARAMETER], query["X-Amz-SignedHeaders"]) == (REQUEST_ID, "host")
    assert get(url)[::2] == (200, b"0123456789")
    assert get(url, Range="bytes=2-3")[::2] == (206, b"23")
    if store.verifies:
        assert get(url.replace(REQUEST_ID, "1f" * 16))[0] == 403
        assert get(url.replace(f"{REQUEST_ID_PARAMETER}={REQUEST_ID}&", ""))[0] == 403


@one_store
def test_where_clients_go_is_tried_and_where_that_leads_nowhere_the_stores_own_address(store, bucket, tunnel):
    put(store, bucket)
    storage = opened(store, bucket, public_endpoint_url=tunnel.url)
    storage.try_request_ids()
    assert [REQUEST_ID_PARAMETER in target for target in tunnel.of("GET")] == [False, True]
    assert storage.request_ids is RequestIds.SIGNED
    storage = opened(store, bucket, public_endpoint_url="http://127.0.0.1:9")
    storage.try_request_ids()
    assert storage.request_ids is RequestIds.SIGNED
    assert parse_qs(urlsplit(signed(storage)[0]).query)[REQUEST_ID_PARAMETER] == [REQUEST_ID]


@one_store
def test_a_store_that_refuses_it_gets_urls_without(store, bucket, tunnel):
    put(store, bucket)
    storage = opened(store, bucket, endpoint_url=tunnel.url)
    tunnel.before = lambda target: setattr(tunnel, "answer", REFUSED if REQUEST_ID_PARAMETER in target else None)
    storage.try_request_ids()
    assert storage.request_ids is RequestIds.REFUSED
    url, query = signed(storage)
    assert REQUEST_ID_PARAMETER not in query
    assert get(url)[0] == 200
    tunnel.requests.clear()
    storage.try_request_ids()
    assert tunnel.requests == []


@one_store
def test_a_store_that_was_away_is_tried_again_after_a_while(store, bucket, tunnel, monkeypatch):
    storage = opened(store, bucket, endpoint_url=tunnel.url)
    tunnel.down()
    storage.try_request_ids()
    assert storage.request_ids is RequestIds.UNKNOWN
    tunnel.up()
    storage.try_request_ids()
    assert storage.request_ids is RequestIds.UNKNOWN
    monkeypatch.setattr("gateway.storage.s3_requestid.AGAIN_SECONDS", 0)
    storage.try_request_ids()
    assert storage.request_ids is RequestIds.SIGNED


@one_store
@pytest.mark.parametrize(
    ("more", "told"), [({"presign_request_id": False}, RequestIds.OFF), ({"delivery": "stream"}, None)]
)
def test_where_it_is_off_or_nobody_is_sent_away_nothing_is_asked(store, bucket, tunnel, more, told):
    storage = opened(store, bucket, endpoint_url=tunnel.url, **more)
    storage.try_request_ids()
    assert (storage.request_ids, tunnel.requests) == (told, [])


def refusal(status, code):
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetObject")


MISSING, HIDDEN, BUSY = refusal(404, "NoSuchKey"), refusal(403, "AccessDenied"), refusal(503, "SlowDown")
SILENT, BAD = EndpointConnectionError(endpoint_url="http://store"), refusal(403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("plain", "marked", "found"),
    [
        (MISSING, MISSING, RequestIds.SIGNED),
        (HIDDEN, HIDDEN, RequestIds.SIGNED),
        (MISSING, BAD, RequestIds.REFUSED),
        (HIDDEN, BAD, RequestIds.REFUSED),
        (MISSING, refusal(400, "InvalidArgument"), RequestIds.REFUSED),
        (MISSING, BUSY, RequestIds.UNKNOWN),
        (MISSING, SILENT, RequestIds.UNKNOWN),
        (BUSY, BUSY, RequestIds.UNKNOWN),
        (BAD, BAD, RequestIds.UNKNOWN),
        (SILENT, SILENT, RequestIds.UNKNOWN),
    ],
)
def test_what_a_trial_means(plain, marked, found):
    class Client:
        def get_object(self, **wanted):
            raise marked if ARGUMENT in wanted else plain

    assert tried(Client(), {}) is found
