"""Redirects and the logs of their store: one row for each download, whatever is read and however often."""

import gzip
from contextlib import closing
from dataclasses import asdict, replace
from datetime import timedelta

import pytest

from gateway import reconciling
from gateway.accesslogs import read
from gateway.model import AuditRow
from gateway.reconciling import Reconciliation, outcome_of
from gateway.records import AuditQuery, open_records
from gateway.settings import RootSettings
from tests.accesslogs import Record, of_url
from tests.records.conftest import START, dataset, register

# No root of the datasets here, so that any object will do, but where a test says otherwise.
ROOTS = {}
ID, PART, LOCAL, LOST = ("0f" * 16, "1f" * 16, "2f" * 16, "3f" * 16)
REDIRECT = AuditRow(
    "download.cog", START, dataset(1).id, "ana", ID, "etag", "s3", None, 302, 100, "192.0.2.1", "curl/8", "j1",
    row_id="00000000-0000-4000-8000-000000000001",
)  # fmt: skip
RANGED = replace(REDIRECT, request_id=PART, range_header="bytes=0-9", bytes_expected=10, user_id=None)
WITHIN = replace(REDIRECT, request_id=LOCAL, backend="local", status=200)
TIMES = ["[01/Mar/2026:12:00:01 +0000]", "[08/Mar/2026:12:10:00 +0000]", "[08/Mar/2026:12:20:00 +0000]"]


def end(grant: AuditRow, number: int) -> AuditRow:
    """The own end of an answer."""
    detail = {"bytes_sent": 0, "outcome": "completed"}
    return replace(grant, action="download.finished", detail=detail, row_id=f"00000000-0000-4000-8000-{number:012x}")


@pytest.fixture
def records(database):
    with closing(open_records(database)) as opened:
        grants = REDIRECT, RANGED, WITHIN
        opened.append_audit(
            [replace(each, row_id=f"00000000-0000-4000-8000-{n:012x}") for n, each in enumerate(grants)]
        )
        opened.append_audit([end(each, n + 100) for n, each in enumerate(grants)])
        yield opened


def log(*lines: Record | str) -> list[bytes]:
    return ["\n".join(each if isinstance(each, str) else each.line for each in lines).encode()]


def reconciled(records, *logs: list[bytes], roots=ROOTS) -> tuple[dict[str, int], list[int]]:
    """What came of logs, without what there was none of, and the numbers of the lines that are no records."""
    found = Reconciliation(records, roots)
    unread = [number for name, each in enumerate(logs) for number in found.take(f"log-{name}", each)]
    return {name: count for name, count in asdict(found.counted).items() if count}, unread


def rows(records) -> list[AuditRow]:
    return [each.row for each in records.audit_rows(AuditQuery()) if "source" in each.row.detail]


def of(request_id: str, log_id: str = "3E57427F3EXAMPLE", **fields: str) -> Record:
    return Record(request_uri=of_url(request_id), request_id=log_id, **fields)


def test_a_download_gets_a_row_of_who_it_was_granted_to_and_what_the_store_tells(records):
    assert reconciled(records, log(of(ID))) == (
        {"lines": 1, "added": 1, "completed": 1, "bytes_sent": 100}, [],
    )  # fmt: skip
    (row,) = rows(records)
    assert (row.action, row.request_id, row.dataset_id, row.user_id) == (
        "download.finished",
        ID,
        dataset(1).id,
        "ana",
    )
    assert (row.version, row.backend, row.token_id, row.status, row.bytes_expected) == ("etag", "s3", "j1", 200, 100)
    assert (row.ip, row.user_agent, row.range_header) == ("198.51.100.7", "aria2/1.36.0", None)
    assert row.at == START.replace(second=1, microsecond=70_000)
    assert row.detail == {
        "bytes_sent": 100, "outcome": "completed", "object_bytes": 100, "began_at": "2026-03-01T12:00:01.000Z",
        "source": {"log": "log-0", "request_id": "3E57427F3EXAMPLE"},
    }  # fmt: skip
    (line,) = (each for each in records.downloads(AuditQuery(user="ana")) if each.version == "etag" and each.requests)
    assert line.bytes_sent == 100


def test_logs_that_are_read_again_or_overlap_add_nothing_twice(records, monkeypatch):
    monkeypatch.setattr(reconciling, "BATCH_GETS", 4)
    monkeypatch.setattr(reconciling, "BATCH_ROWS", 3)
    many = [of(ID, f"LOG{number}") for number in range(10)]
    assert reconciled(records, log(*many[:6], many[0]), log(*many[4:]))[0] == {
        "lines": 13, "added": 10, "known": 3, "completed": 13, "bytes_sent": 1300,
    }  # fmt: skip
    assert reconciled(records, [gzip.compress(log(*many)[0])])[0]["known"] == 10
    assert len(rows(records)) == 10
    assert {row.detail["source"]["log"] for row in rows(records)} == {"log-0", "log-1"}


def test_only_bytes_that_were_given_for_a_redirect_on_record_become_rows(records):
    counted, unread = reconciled(
        records,
        log(
            of(LOST), of(LOCAL), of(ID, "EARLY", time="[01/Mar/2026:11:40:00 +0000]"),
            of(ID, "LATE", time=TIMES[2]), of(ID, "403", status="403", error_code="AccessDenied", bytes_sent="243"),
            of(ID, "304", status="304", bytes_sent="-"), of(ID, "503", status="503", bytes_sent="9"),
            of(ID, "NOBODY", authentication_type="-", signature_version="-", requester="-"),
            Record(), "", "no record", of(ID, "LAST", time=TIMES[1]),
        ),
    )  # fmt: skip
    assert unread == [11]
    assert counted == {
        "lines": 11, "added": 1, "unknown": 4, "refused": 3, "unsigned": 1, "other": 1, "unread": 1, "completed": 1,
        "bytes_sent": 100,
    }  # fmt: skip
    assert [row.detail["source"]["request_id"] for row in rows(records)] == ["LAST"]
    assert sum(counted[name] for name in ("added", "unknown", "refused", "unsigned", "other", "unread")) == 11


def test_nothing_ends_before_it_began_whatever_the_clock_of_the_store_says(records):
    reconciled(records, log(of(ID, time="[01/Mar/2026:11:50:00 +0000]")))
    assert [row.at for row in rows(records)] == [START]


def test_a_transfer_that_is_said_to_take_months_ends_in_a_week(records):
    year = of(ID, total_time=str(366 * 86_400_000))
    assert reconciled(records, log(year, of(ID, "2")))[0]["added"] == 2
    assert max(row.at for row in rows(records)) == START.replace(second=1, microsecond=0) + timedelta(days=7)


def test_what_came_before_damage_is_on_record(records):
    found = Reconciliation(records, ROOTS)
    with pytest.raises(ValueError, match="gzip"):
        list(
            found.take(
                "log", [gzip.compress(log(of(ID), of(PART, "2", status="206", bytes_sent="10"))[0] + b"\n")[:-8]]
            )
        )
    assert (found.counted.added, len(rows(records))) == (2, 2)


WHOLE_CASES = [
    (REDIRECT, {}, ("completed", 100)),
    (REDIRECT, {"bytes_sent": "40"}, ("aborted", 100)),
    (REDIRECT, {"bytes_sent": "-"}, ("aborted", 100)),
    (REDIRECT, {"object_size": "-"}, ("completed", 100)),
    (RANGED, {}, ("completed", 100)),
    (RANGED, {"object_size": "-"}, ("partial", None)),
    (RANGED, {"status": "206", "bytes_sent": "10"}, ("completed", 10)),
    (RANGED, {"status": "206", "bytes_sent": "7"}, ("partial", None)),
    (RANGED, {"status": "206"}, ("completed", 100)),
    (REDIRECT, {"status": "206", "bytes_sent": "10"}, ("partial", None)),
    (REDIRECT, {"status": "206", "object_size": "-"}, ("partial", None)),
]


@pytest.mark.parametrize(("redirect", "fields", "outcome"), WHOLE_CASES)
def test_how_a_download_ended_is_told_as_far_as_the_log_tells_it(redirect, fields, outcome):
    assert outcome_of(read(of(ID, **fields).line), redirect) == outcome


def test_an_id_counts_for_the_object_of_its_redirect_alone(records):
    # Who has credentials of their own for the bucket signs what they like.
    register(records, replace(dataset(1), key="a b+/Hö.tif"))
    other = {"bucket": "other"}
    lines = [
        of(ID, "1", key="cogs/a+b%252B/H%25C3%25B6.tif"), of(ID, "2", key="cogs/a%20b%2B/H%C3%B6.tif"),
        of(ID, "3", key="cogs/b.tif"), of(ID, "4", key="a+b%252B/H%25C3%25B6.tif"),
        of(ID, "5", key="cogs/a%20b%2B/H%C3%B6.tif", **other),
    ]  # fmt: skip
    roots = {"data": RootSettings(uri="s3://archive/cogs/")}
    assert reconciled(records, log(*lines), roots=roots)[0] == {
        "lines": 5, "added": 2, "unknown": 3, "completed": 2, "bytes_sent": 200,
    }  # fmt: skip
    alias = {"data": RootSettings(uri="s3://maps-x1y2-s3alias/cogs")}
    assert reconciled(records, log(*lines), roots=alias)[0]["unknown"] == 2
    # A root that has become a folder since.
    assert "unknown" not in reconciled(records, log(*lines), roots={"data": RootSettings(uri="file:/srv")})[0]


def test_what_a_log_has_of_an_address_or_an_id_is_cut_like_all_texts_of_others(records):
    reconciled(records, log(of(ID, "1" * 9999, remote_ip="a\0" + "b" * 9999)))
    (row,) = rows(records)
    assert (len(row.ip), "\0" in row.ip, len(row.detail["source"]["request_id"])) == (512, False, 512)
