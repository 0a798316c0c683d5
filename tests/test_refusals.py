"""Refusals on record: of what exists, thirty a minute for one address and one row for the rest, over all processes."""

import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.rates import RateLimits
from gateway.refusals import MOST_ROWS, WAITING, WINDOW_SECONDS, Refusals
from tests.valkey import COUNTED_IN

KNOWN, UNKNOWN = "12345678-1234-4234-8234-123456789abc", "12345678-1234-4234-8234-123456789abd"


class Shelf:
    """Records that know one dataset."""

    def dataset_ids(self, prefix):
        return (KNOWN,) if prefix == KNOWN else ()


class Clock:
    def __init__(self):
        self.now = 7.0 + 100 * WINDOW_SECONDS

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def noted():
    return []


@pytest.fixture(params=COUNTED_IN)
def rates(request, tmp_path, clock):
    url = request.getfixturevalue("valkey").url if request.param == "valkey" else None
    opened = RateLimits({}, tmp_path, clock, url)
    yield opened
    opened.close()


@pytest.fixture
def refusals(rates, noted, clock):
    made = Refusals(Shelf(), rates, noted.append, clock)
    yield made
    made.close()


def row(dataset_id=KNOWN, ip="192.0.2.1"):
    return AuditRow("download.refused", dataset_id=dataset_id, ip=ip)


def rows(noted):
    return [each for each in noted if "count" not in each.detail]


def counts(noted):
    return [(each.ip, each.detail["count"]) for each in noted if "count" in each.detail]


def test_only_what_exists_is_on_record_and_counts(refusals, noted):
    for _ in range(100):
        refusals.take(row(UNKNOWN))
    refusals.take(row(None))
    refusals.take(kept := row())
    refusals.settle()
    assert noted == [kept]


def test_what_is_beyond_the_limit_becomes_one_row_when_the_minute_is_over(refusals, noted, clock):
    for ip in ("192.0.2.1", "192.0.2.2"):
        for _ in range(MOST_ROWS + 12):
            refusals.take(row(ip=ip))
    refusals.settle()
    assert (len(rows(noted)), counts(noted)) == (2 * MOST_ROWS, [])
    clock.now += WINDOW_SECONDS + 1
    refusals.take(row())
    refusals.settle()
    refusals.take(row(ip="192.0.2.3"))
    refusals.settle()
    assert counts(noted) == [("192.0.2.1", 12), ("192.0.2.2", 12)]
    assert len(rows(noted)) == 2 * MOST_ROWS + 2


def test_the_row_with_the_count_waits_for_nobody(rates, noted, clock, monkeypatch):
    monkeypatch.setattr("gateway.refusals.GRACE_SECONDS", -WINDOW_SECONDS + 7.05)
    made = Refusals(Shelf(), rates, noted.append, clock)
    for _ in range(MOST_ROWS + 3):
        made.take(row())
    made.settle()
    clock.now += 1
    made._thread.join(0.3)
    assert counts(noted) == [("192.0.2.1", 3)]
    made.close()


def test_all_processes_count_together_and_one_tells(refusals, rates, noted, clock):
    other = Refusals(Shelf(), rates, noted.append, clock)
    for _ in range(MOST_ROWS):
        refusals.take(row())
        other.take(row())
    refusals.settle()
    other.settle()
    assert len(rows(noted)) == MOST_ROWS
    clock.now += WINDOW_SECONDS + 1
    other.close()
    refusals.close()
    assert counts(noted) == [("192.0.2.1", MOST_ROWS)]


def test_what_was_counted_is_told_when_the_server_ends_first(rates, noted, clock):
    made = Refusals(Shelf(), rates, noted.append, clock)
    for _ in range(MOST_ROWS + 1):
        made.take(row())
    made.close()
    assert (len(rows(noted)), counts(noted)) == (MOST_ROWS, [("192.0.2.1", 1)])


def test_a_count_that_began_anew_still_tells_of_the_one_that_was_beyond(rates, noted, clock, monkeypatch):
    made = Refusals(Shelf(), rates, noted.append, clock)
    for _ in range(MOST_ROWS + 5):
        made.take(row())
    made.settle()
    monkeypatch.setattr(rates, "counted", lambda *_: 2)
    made.close()
    assert counts(noted) == [("192.0.2.1", 1)]


def test_the_next_minute_has_rows_of_its_own(refusals, noted, clock):
    for _ in range(2):
        for _ in range(MOST_ROWS):
            refusals.take(row())
        refusals.settle()
        clock.now += WINDOW_SECONDS
    assert (len(noted), counts(noted)) == (2 * MOST_ROWS, [])


def test_what_cannot_be_looked_up_or_is_too_much_is_given_up(rates, noted, monkeypatch):
    made = Refusals(Shelf(), rates, noted.append)

    def fail(_):
        raise RecordsUnavailable("The database is locked.")

    with monkeypatch.context() as patch:
        patch.setattr(Shelf, "dataset_ids", lambda _self, prefix: fail(prefix))
        made.take(row())
        made.settle()
    assert noted == []
    for _ in range(2 * WAITING):
        made.take(row())
    made.take(row(ip="192.0.2.9"))
    made.settle()
    assert len(rows(noted)) >= MOST_ROWS
    made.close()


def test_without_a_refusal_there_is_no_thread(rates, noted):
    made = Refusals(Shelf(), rates, noted.append)
    made.close()
    assert made._thread is None
