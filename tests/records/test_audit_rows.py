from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.ids import time_ordered_id
from gateway.model import AuditRow
from gateway.records import AuditQuery, DownloadSummary
from gateway.records.sqlite.audit_rows import PAGE_ROWS
from tests.records.conftest import START, act, dataset, register

FULL = AuditRow(
    "download.cog", START, dataset(1).id, "ana", "r1", "1f-2e", "local", "bytes=0-9", 206, 10, "192.0.2.1", "curl/8",
    "j1", {"free": [1, None, "ü"]},
)  # fmt: skip


def another(row=FULL, **changes):
    """Return a row of its own, with the facts of `row` but for the changes."""
    return replace(row, **{"row_id": time_ordered_id(), **changes})


def rows(records, **query):
    return [stored.row for stored in records.audit_rows(AuditQuery(**query))]


def test_rows_come_back_equal_and_numbered(records):
    bare, last = AuditRow("server.started", START), AuditRow("server.started", START)
    records.append_audit([FULL, bare])
    records.append_audit([last])
    stored = list(records.audit_rows(AuditQuery()))
    assert [one.row for one in stored] == [FULL, bare, last]
    assert [one.id for one in stored] == [1, 2, 3]


def test_no_rows_are_an_empty_answer(records):
    records.append_audit([])
    assert rows(records) == []
    assert list(records.downloads(AuditQuery())) == []


def test_a_row_that_is_written_again_is_stored_once(records):
    first, second, third = (another(request_id=name) for name in "abc")
    records.append_audit([first, second])
    records.append_audit([second, third, first])
    records.append_audit([first])
    assert rows(records) == [first, second, third]
    others = (another(first), replace(first, at=START + timedelta(seconds=1)))
    assert [records.holds(row) for row in (first, third, *others)] == [True, True, False, False]


def test_rows_of_one_moment_with_equal_facts_are_two(records):
    records.append_audit([another(), another()])
    assert len(rows(records)) == 2


def test_all_rows_of_a_batch_are_stored_or_none(records):
    with pytest.raises(TypeError):
        records.append_audit([FULL, another(detail={"no json": object()})])
    assert rows(records) == []


@pytest.mark.parametrize("count", [64, 65, 200])
def test_a_batch_of_any_size_is_stored_whole_and_in_order_or_not_at_all(records, count):
    batch = [another(request_id=f"r{number}") for number in range(count)]
    with pytest.raises(TypeError):
        records.append_audit([*batch, another(detail={"no json": object()})])
    assert rows(records) == []
    records.append_audit(batch)
    assert rows(records) == batch


def test_a_header_that_is_no_unicode_does_not_fail_the_batch(records):
    records.append_audit([another(user_agent="a\udcffb"), FULL])
    assert [row.user_agent for row in rows(records)] == ["a?b", "curl/8"]


def test_a_detail_that_is_no_unicode_does_not_fail_the_batch(records):
    odd = another(detail={"a\0": ["b\udcff", {"c": "\ud83d"}, 1], "pair": "🗺", "plain": "\\u0000"})
    records.append_audit([odd, FULL])
    assert rows(records)[0].detail == {"a?": ["b?", {"c": "?"}, 1], "pair": "🗺", "plain": "\\u0000"}


def test_a_number_that_json_has_not_is_refused(records):
    with pytest.raises(ValueError, match="JSON"):
        records.append_audit([another(detail={"a": float("nan")})])
    assert rows(records) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"dataset_id": dataset(1).id}, [0, 1]),
        ({"user": "ana"}, [0, 2]),
        ({"user": "Ana"}, []),
        ({"action": "token.minted"}, [2, 3]),
        ({"since": START + timedelta(minutes=1)}, [1, 2, 3]),
        ({"until": START + timedelta(minutes=1)}, [0]),
        ({"since": START + timedelta(minutes=1), "until": START + timedelta(minutes=3)}, [1, 2]),
        ({"since": START + timedelta(days=1)}, []),
        ({"dataset_id": dataset(1).id, "user": "ana", "action": "download.cog"}, [0]),
        ({"dataset_id": dataset(9).id}, []),
    ],
)
def test_queries_choose_rows(records, query, found):
    base = [
        AuditRow("download.cog", dataset_id=dataset(1).id, user_id="ana"),
        AuditRow("download.refused", dataset_id=dataset(1).id),
        AuditRow("token.minted", dataset_id=dataset(2).id, user_id="ana"),
        AuditRow("token.minted", user_id="eve"),
    ]
    written = [replace(row, at=START + timedelta(minutes=number)) for number, row in enumerate(base)]
    records.append_audit(written)
    assert rows(records, **query) == [written[number] for number in found]


def test_many_rows_stream_in_order_over_several_pages(records):
    written = [another(request_id=str(number)) for number in range(2 * PAGE_ROWS + 1)]
    records.append_audit(written)
    assert rows(records) == written
    assert rows(records, until=START + timedelta(days=1)) == written


def test_rows_written_while_reading_do_not_prolong_the_reading(records):
    records.append_audit([another() for _ in range(PAGE_ROWS)])
    reading = records.audit_rows(AuditQuery())
    next(reading)
    records.append_audit([FULL])
    assert len(list(reading)) == PAGE_ROWS - 1


def test_audit_rows_outlive_their_dataset(records):
    register(records, dataset(1))
    records.append_audit([FULL])
    assert records.remove_dataset(dataset(1).id, act())
    assert FULL in rows(records)


def ended(request_id, outcome, bytes_sent, dataset_id=FULL.dataset_id, **client):
    detail = {"outcome": outcome, "bytes_sent": bytes_sent}
    return another(action="download.finished", dataset_id=dataset_id, request_id=request_id, detail=detail, **client)


def test_ranges_of_one_client_and_version_fold_into_one_line(records):
    later = START + timedelta(hours=1)
    records.append_audit(
        [
            FULL,
            ended("r1", "completed", 10),
            another(request_id="r2", at=later, bytes_expected=90),
            ended("r2", "aborted", 40),
            another(request_id="r3", bytes_expected=None, backend="s3", status=302),
            another(action="download.refused", request_id="r4"),
        ]
    )
    summary = DownloadSummary(
        FULL.dataset_id, "ana", "192.0.2.1", "curl/8", "1f-2e", START, later, 3, 100, 50, completed=1, aborted=1
    )
    assert list(records.downloads(AuditQuery())) == [summary]
    assert list(records.downloads(AuditQuery(action="download.cog"))) == [summary]
    assert list(records.downloads(AuditQuery(action="token.minted"))) == []


@pytest.mark.parametrize(
    "other",
    [{"user_id": "eve"}, {"user_id": None}, {"ip": "192.0.2.2"}, {"user_agent": None}, {"version": "2"},
     {"dataset_id": dataset(2).id}],
)  # fmt: skip
def test_another_client_version_or_dataset_is_another_line(records, other):
    records.append_audit([FULL, another(**other), another()])
    assert [line.requests for line in records.downloads(AuditQuery())] == [2, 1]


def test_parts_of_a_file_are_downloads_as_well(records):
    records.append_audit(
        [FULL, ended("r1", "completed", 10), another(action="download.part", request_id="r2", bytes_expected=90),
         ended("r2", "completed", 90)]
    )  # fmt: skip
    (line,) = records.downloads(AuditQuery())
    assert (line.requests, line.bytes_expected, line.bytes_sent, line.completed) == (2, 100, 100, 2)
    (line,) = records.downloads(AuditQuery(action="download.part"))
    assert (line.requests, line.bytes_sent) == (1, 90)


def test_anonymous_downloads_fold_too(records):
    records.append_audit([another(user_id=None, user_agent=None) for _ in range(2)])
    assert [line.requests for line in records.downloads(AuditQuery())] == [2]


def test_downloads_are_chosen_by_their_grant_and_keep_their_end(records):
    records.append_audit([FULL, another(dataset_id=dataset(2).id, request_id="r2"), ended("r1", "completed", 10)])
    chosen = list(records.downloads(AuditQuery(dataset_id=FULL.dataset_id, user="ana", until=START + timedelta(1))))
    assert [(line.requests, line.bytes_sent, line.completed) for line in chosen] == [(1, 10, 1)]
    assert list(records.downloads(AuditQuery(since=START + timedelta(1)))) == []


def test_a_request_id_used_twice_counts_each_end_once(records):
    records.append_audit([FULL, ended("r1", "completed", 10), another(), ended("r1", "aborted", 3)])
    (line,) = records.downloads(AuditQuery())
    assert (line.requests, line.bytes_sent, line.completed, line.aborted) == (2, 13, 1, 1)


def test_ends_of_overlapping_requests_of_one_id_are_each_counted_once(records):
    records.append_audit(
        [FULL, another(), ended("r1", "completed", 100), ended("r1", "aborted", 2_807_808), another()]
    )
    (line,) = records.downloads(AuditQuery())
    assert (line.requests, line.bytes_sent, line.completed, line.aborted) == (3, 2_807_908, 1, 1)


@pytest.mark.parametrize("other", [{"user_id": "eve"}, {"ip": "192.0.2.2"}, {"user_agent": None}, {"version": "2"}])
def test_who_takes_the_id_of_anothers_request_does_not_end_it(records, other):
    records.append_audit([FULL, another(**other), ended("r1", "aborted", 3, **other), ended("r1", "completed", 10)])
    mine, others = records.downloads(AuditQuery())
    assert (mine.bytes_sent, mine.completed, mine.aborted) == (10, 1, 0)
    assert (others.bytes_sent, others.completed, others.aborted) == (3, 0, 1)
    only = records.downloads(AuditQuery(user="ana"))
    assert [(line.bytes_sent, line.aborted) for line in only][:1] == [(10, 0)]


def test_an_end_under_another_datasets_request_id_is_not_taken(records):
    records.append_audit([FULL, ended("r1", "completed", 10, dataset_id=dataset(2).id)])
    (line,) = records.downloads(AuditQuery())
    assert (line.bytes_sent, line.completed) == (0, 0)


def logged(request_id, outcome, bytes_sent, **facts):
    """The row of a transfer that the log of a store tells of."""
    detail = {"outcome": outcome, "bytes_sent": bytes_sent, "source": {"log": "a", "request_id": "3E57"}}
    return another(action="download.finished", request_id=request_id, status=200, detail=detail, **facts)


def test_what_the_log_of_a_store_tells_stands_in_place_of_a_redirects_own_end(records):
    redirect = {"backend": "s3", "status": 302, "bytes_expected": 100}
    records.append_audit(
        [
            another(**redirect),
            ended("r1", "completed", 0, status=302),
            another(request_id="r2", **redirect),
            ended("r2", "completed", 0, status=302),
            logged("r1", "completed", 100, ip="198.51.100.7", user_agent="aria2"),
            logged("r1", "aborted", 40),
            logged("r1", "partial", 7, at=START + timedelta(days=6)),
            # Of a grant that was answered here nobody else can tell.
            another(request_id="r3"),
            ended("r3", "completed", 10),
            logged("r3", "aborted", 5),
        ]
    )
    (line,) = records.downloads(AuditQuery())
    assert (line.requests, line.bytes_sent, line.completed, line.aborted) == (3, 157, 3, 1)


def test_ends_are_found_by_the_ids_of_their_requests(records):
    written = [FULL, *(ended(name, "completed", 1) for name in ("r1", "r2", "r3", "r1"))]
    records.append_audit(written)
    ends = written[1:]
    assert rows(records, action="download.finished", request_ids=["r1", "r3", "no such"]) == [ends[0], *ends[2:]]
    assert rows(records, request_ids=["r1"]) == [FULL, ends[0], ends[3]]
    assert rows(records, request_ids=["r1"], until=START) == []
    assert rows(records, request_ids=[]) == []


@pytest.mark.parametrize("count", [3, 200])
def test_only_rows_that_are_new_are_counted(records, count):
    batch = [another(request_id=f"r{number}") for number in range(count)]
    assert records.append_audit([]) == 0
    assert records.append_audit(batch[:2]) == 2
    assert records.append_audit(batch) == count - 2
    assert records.append_audit(batch) == 0
