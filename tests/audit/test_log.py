import logging
import threading

import pytest

from gateway.audit import AuditLog
from gateway.audit.log import BATCH_ROWS
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow

WAIT_SECONDS = 10


class Store:
    """An `append` that can be held back and broken."""

    def __init__(self):
        self.batches = []
        self.error = None
        self.entered = threading.Event()
        self.free = threading.Event()
        self.free.set()
        self.after = threading.Event()

    def append(self, rows):
        self.entered.set()
        assert self.free.wait(WAIT_SECONDS)
        if self.error is not None:
            raise self.error
        self.batches.append([row.action for row in rows])
        if not rows:
            self.after.set()

    @property
    def actions(self):
        return [action for batch in self.batches for action in batch]


@pytest.fixture
def store():
    return Store()


@pytest.fixture
def log(store):
    opened = AuditLog(store.append, queue_limit=1200, probe_seconds=3600)
    yield opened
    store.free.set()
    opened.close()


@pytest.fixture
def held(log, store):
    """A log whose writer is in the middle of the batch of one row, "first"."""
    store.free.clear()
    log.note(AuditRow("first"))
    assert store.entered.wait(WAIT_SECONDS)
    return log


def recorded(log, *actions):
    return [log.record(AuditRow(action)) for action in actions]


def test_a_future_is_done_when_its_row_is_stored(log, store):
    assert log.record(AuditRow("a")).result(WAIT_SECONDS) is None
    assert store.actions == ["a"]
    assert log.failing is False


def test_no_future_is_done_before_the_commit(held, store):
    (future,) = recorded(held, "a")
    assert not future.done()
    store.free.set()
    future.result(WAIT_SECONDS)
    assert "a" in store.actions


def test_rows_that_come_in_during_a_commit_share_the_next_one(held, store):
    futures = recorded(held, "a", "b", "c")
    held.note(AuditRow("d"))
    store.free.set()
    for future in futures:
        future.result(WAIT_SECONDS)
    assert store.batches == [["first"], ["a", "b", "c", "d"]]


def test_a_batch_has_an_upper_size(held, store):
    futures = recorded(held, *["a"] * (BATCH_ROWS + 3))
    store.free.set()
    futures[-1].result(WAIT_SECONDS)
    assert [len(batch) for batch in store.batches] == [1, BATCH_ROWS, 3]


def test_a_cancelled_row_is_not_written_and_the_writer_lives(held, store):
    first, second = recorded(held, "a", "b")
    assert first.cancel()
    store.free.set()
    second.result(WAIT_SECONDS)
    held.record(AuditRow("c")).result(WAIT_SECONDS)
    assert store.actions == ["first", "b", "c"]


def test_a_batch_of_cancelled_rows_alone_is_no_batch(held, store):
    (only,) = recorded(held, "a")
    assert only.cancel()
    store.free.set()
    held.close()
    assert store.batches == [["first"]]


def test_a_row_that_is_being_written_cannot_be_cancelled(log, store):
    store.free.clear()
    (future,) = recorded(log, "a")
    assert store.entered.wait(WAIT_SECONDS)
    assert future.cancel() is False
    store.free.set()
    future.result(WAIT_SECONDS)


@pytest.mark.parametrize("error", [RecordsUnavailable("locked"), OSError("disk"), ValueError("odd")])
def test_any_failure_fails_the_rows_of_its_batch_alone(held, store, error, caplog):
    futures = recorded(held, "a", "b")
    held.note(AuditRow("noted"))
    store.error = error
    store.free.set()
    errors = [future.exception(WAIT_SECONDS) for future in futures]
    assert [type(one) for one in errors] == [RecordsUnavailable] * 2
    assert errors[0] is not errors[1]
    assert all(one.__cause__ is error for one in errors)
    assert "disk" not in str(errors[0])
    assert held.failing is True
    store.error = None
    held.record(AuditRow("c")).result(WAIT_SECONDS)
    assert held.failing is False
    assert not {"a", "b"} & set(store.actions)
    # It is kept for a database that could not serve, and given up where the row may be what is wrong.
    kept = isinstance(error, RecordsUnavailable)
    assert store.actions.count("noted") == kept
    assert held.dropped == (0 if kept else 2)


def test_a_fault_is_logged_at_its_begin_and_at_its_end(log, store, caplog):
    store.error = OSError("disk")
    for future in recorded(log, "a", "b"):
        future.exception(WAIT_SECONDS)
    log.record(AuditRow("c")).exception(WAIT_SECONDS)
    store.error = None
    for action in "de":
        log.record(AuditRow(action)).result(WAIT_SECONDS)
    assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
    assert caplog.records[1].getMessage().endswith("0 rows were given up so far.")
    assert caplog.records[0].exc_info[1].args == ("disk",)


def test_a_fault_that_is_over_is_noticed_without_a_request(store, caplog):
    log = AuditLog(store.append, probe_seconds=0.001)
    store.error = OSError("disk")
    assert log.record(AuditRow("a")).exception(WAIT_SECONDS)
    assert log.failing is True
    store.error = None
    assert store.after.wait(WAIT_SECONDS)
    log.close()
    assert log.failing is False
    assert store.batches == [[]]


def test_nothing_is_probed_while_all_is_well(store):
    log = AuditLog(store.append, probe_seconds=0.0)
    log.record(AuditRow("a")).result(WAIT_SECONDS)
    log.close()
    assert store.batches == [["a"]]


def test_a_probe_tells_whether_rows_can_be_written_and_leaves_none(log, store, caplog):
    assert log.probe().result(WAIT_SECONDS) is None
    assert store.batches == [[]]
    store.error = OSError("disk")
    log.record(AuditRow("a")).exception(WAIT_SECONDS)
    assert isinstance(log.probe().exception(WAIT_SECONDS), RecordsUnavailable)
    store.error = None
    assert log.probe().result(WAIT_SECONDS) is None
    assert log.failing is False
    assert store.actions == []


def test_a_row_of_a_moment_ago_answers_a_probe(log, store):
    log.record(AuditRow("a")).result(WAIT_SECONDS)
    assert log.probe().result(0) is None
    assert store.batches == [["a"]]


def test_a_probe_of_a_closed_log_fails(store):
    log = AuditLog(store.append)
    log.close()
    assert isinstance(log.probe().exception(0), RecordsUnavailable)


def test_a_full_queue_refuses_at_once(held, store):
    futures = recorded(held, *["a"] * 1200)
    late = held.record(AuditRow("late"))
    assert isinstance(late.exception(0), RecordsUnavailable)
    store.free.set()
    futures[-1].result(WAIT_SECONDS)
    held.record(AuditRow("again")).result(WAIT_SECONDS)
    assert "late" not in store.actions
    assert len(store.actions) == 1202


def test_noted_rows_leave_half_of_the_queue_to_recorded_ones(held, store):
    for _ in range(700):
        held.note(AuditRow("noted"))
    assert held.dropped == 100
    future = held.record(AuditRow("recorded"))
    store.free.set()
    future.result(WAIT_SECONDS)
    assert store.actions.count("noted") == 600


def test_closing_writes_what_was_taken(held, store):
    futures = recorded(held, *["a"] * 599)
    held.note(AuditRow("noted"))
    closing = threading.Thread(target=held.close)
    closing.start()
    store.free.set()
    closing.join(WAIT_SECONDS)
    assert all(future.done() and future.exception() is None for future in futures)
    assert len(store.actions) == 601
    assert store.actions[-1] == "noted"


def test_a_full_last_batch_is_followed_by_the_end(held, store):
    futures = recorded(held, *["a"] * BATCH_ROWS)
    store.free.set()
    held.close()
    assert futures[-1].done()


def test_a_closed_log_refuses_rows(log, store):
    log.close()
    log.close()
    assert isinstance(log.record(AuditRow("a")).exception(0), RecordsUnavailable)
    log.note(AuditRow("b"))
    assert log.dropped == 1
    assert store.actions == []


def test_a_log_that_fails_can_be_closed(log, store, caplog):
    store.error = OSError("disk")
    log.record(AuditRow("a")).exception(WAIT_SECONDS)
    log.close()
    assert store.batches == []
    assert not [thread for thread in threading.enumerate() if thread.name == "audit-writer"]


def failing(store, log, caplog):
    """Break the store and wait until the log knows."""
    store.error = RecordsUnavailable("locked")
    assert log.record(AuditRow("asked")).exception(WAIT_SECONDS)


def test_noted_rows_wait_for_a_database_that_cannot_serve_and_keep_their_order(log, store, caplog):
    failing(store, log, caplog)
    for action in "ab":
        log.note(AuditRow(action))
    assert log.record(AuditRow("c")).exception(WAIT_SECONDS)
    log.note(AuditRow("d"), quietly=True)
    store.error = None
    log.record(AuditRow("e")).result(WAIT_SECONDS)
    assert store.actions == ["a", "b", "d", "e"]
    assert log.dropped == 0


def test_kept_rows_are_written_in_several_batches_without_a_request(store, caplog):
    log = AuditLog(store.append, queue_limit=4 * BATCH_ROWS, probe_seconds=0.001)
    store.free.clear()
    log.note(AuditRow("first"))
    assert store.entered.wait(WAIT_SECONDS)
    for number in range(2 * BATCH_ROWS - 1):
        log.note(AuditRow(str(number)), quietly=True)
    store.error = RecordsUnavailable("locked")
    store.free.set()
    assert log.record(AuditRow("asked")).exception(WAIT_SECONDS)
    store.error = None
    log.record(AuditRow("last")).result(WAIT_SECONDS)
    log.close()
    assert sorted(store.actions) == sorted(["first", *map(str, range(2 * BATCH_ROWS - 1)), "last"])
    assert log.dropped == 0


def test_kept_rows_are_bounded_and_what_is_given_up_is_counted_and_logged_once(log, store, caplog):
    failing(store, log, caplog)
    for _ in range(700):
        log.note(AuditRow("noted"), quietly=True)
    # 600 are half of the queue.
    assert log.dropped == 100
    assert log.record(AuditRow("asked")).exception(WAIT_SECONDS)
    store.error = None
    log.record(AuditRow("again")).result(WAIT_SECONDS)
    log.close()
    assert store.actions.count("noted") == 600
    assert [text for text in caplog.messages if "given up" in text] == [
        "Rows of the audit that no answer waits for are given up.",
        "The audit can be written again; 100 rows were given up so far.",
    ]


def test_rows_for_which_there_is_no_room_again_are_given_up(store, caplog):
    log = AuditLog(store.append, queue_limit=4, probe_seconds=3600)
    store.free.clear()
    for _ in range(2):
        log.note(AuditRow("early"))
    assert store.entered.wait(WAIT_SECONDS)
    store.error = RecordsUnavailable("locked")
    for _ in range(2):
        log.note(AuditRow("late"), quietly=True)
    store.free.set()
    log.close()
    assert store.actions == []
    assert log.dropped == 4


def test_closing_gives_up_what_a_fault_kept(log, store, caplog):
    failing(store, log, caplog)
    log.note(AuditRow("a"))
    log.close()
    assert store.actions == []
    assert log.dropped == 1
