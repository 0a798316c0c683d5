"""The log whose writer is an event loop; what all logs promise is in test_log.py."""

import asyncio
import functools
import threading
from contextlib import asynccontextmanager

import pytest

from gateway.audit import AuditLog, LoopAuditLog, written_here
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from tests.patience import eventually

WAIT_SECONDS = 10


def on_loop(test):
    """Let pytest run a coroutine on a loop of its own."""

    @functools.wraps(test)
    def run(**fixtures):
        asyncio.run(test(**fixtures))

    return run


class Store:
    """A `send` that can be held back and broken."""

    def __init__(self):
        self.batches = []
        self.error = None
        self.free = asyncio.Event()
        self.free.set()

    async def send(self, rows):
        async with asyncio.timeout(WAIT_SECONDS):
            await self.free.wait()
        if self.error is not None:
            raise self.error
        self.batches.append([row.action for row in rows])


@asynccontextmanager
async def written(store, **options):
    log = LoopAuditLog(store.send, **options)
    async with asyncio.timeout(WAIT_SECONDS), written_here(log):
        yield log
    await asyncio.to_thread(log.close)


def recorded(log, *actions):
    return [asyncio.wrap_future(log.record(AuditRow(action))) for action in actions]


@on_loop
async def test_a_future_is_done_when_its_row_is_stored_and_no_thread_has_stored_it():
    store, threads = Store(), threading.active_count()
    async with written(store) as log:
        await asyncio.gather(*recorded(log, "a", "b"))
        assert threading.active_count() == threads
        assert store.batches == [["a", "b"]]


@on_loop
async def test_rows_that_come_in_during_a_commit_share_the_next_one():
    store = Store()
    async with written(store) as log:
        store.free.clear()
        (first,) = recorded(log, "first")
        await asyncio.sleep(0.01)
        others = recorded(log, "a", "b")
        await asyncio.sleep(0.01)
        assert not first.done()
        store.free.set()
        await asyncio.gather(first, *others)
        assert store.batches == [["first"], ["a", "b"]]


@on_loop
async def test_a_quiet_note_is_written_after_a_moment_also_from_another_thread():
    store = Store()
    async with written(store) as log:
        await asyncio.to_thread(log.note, AuditRow("quiet"), quietly=True)
        while not store.batches:
            await asyncio.sleep(0.01)
    assert store.batches == [["quiet"]]


@on_loop
async def test_any_failure_fails_the_rows_of_its_batch_and_one_that_is_over_is_noticed_without_a_request(caplog):
    store = Store()
    async with written(store, probe_seconds=0.01) as log:
        store.error = RecordsUnavailable("locked")
        log.note(AuditRow("noted"))
        with pytest.raises(RecordsUnavailable):
            await recorded(log, "a")[0]
        assert log.failing
        store.error = None
        while log.failing:
            await asyncio.sleep(0.01)
    assert ["noted"] in store.batches
    assert not any("a" in batch for batch in store.batches)


@on_loop
async def test_leaving_writes_what_was_taken_and_closing_what_came_later():
    store = Store()
    log = LoopAuditLog(store.send)
    log.note(AuditRow("before the loop"))
    writing = asyncio.create_task(log.write())
    log.leave()
    await writing
    log.note(AuditRow("after"))
    await asyncio.to_thread(log.close)
    await asyncio.to_thread(log.close)
    assert store.batches == [["before the loop"], ["after"]]
    with pytest.raises(RecordsUnavailable):
        log.record(AuditRow("late")).result(0)


@on_loop
async def test_closing_gives_up_what_a_fault_kept_once(caplog):
    store = Store()
    store.error = RecordsUnavailable("locked")
    async with written(store, probe_seconds=3600) as log:
        log.note(AuditRow("kept"))
        while not log.failing:
            await asyncio.sleep(0.01)
    assert log.dropped == 1
    log.close()
    assert log.dropped == 1


@on_loop
async def test_a_log_with_a_thread_needs_no_loop():
    batches = []
    log = AuditLog(batches.append)
    async with written_here(log):
        await recorded(log, "a")[0]
    log.close()
    assert [row.action for (row,) in batches] == ["a"]


@on_loop
async def test_a_row_is_waited_for_on_the_loop_itself():
    store = Store()
    async with written(store) as log:
        await log.durable(AuditRow("a"), WAIT_SECONDS)
        assert store.batches == [["a"]]
        store.error = RecordsUnavailable("locked")
        with pytest.raises(RecordsUnavailable):
            await log.durable(AuditRow("b"), WAIT_SECONDS)
        store.error = None


@on_loop
async def test_a_row_that_takes_too_long_fails_for_who_waits_and_those_behind_it_in_their_time():
    store = Store()
    async with written(store) as log:
        store.free.clear()
        sent = log.durable(AuditRow("sent"), 0.05)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        late, last = (
            log.durable(AuditRow(name), seconds) for name, seconds in (("late", 0.06), ("last", WAIT_SECONDS))
        )
        for waiting in (sent, late):
            with pytest.raises(RecordsUnavailable):
                await waiting
        assert not last.done()
        store.free.set()
        await last
        assert store.batches == [["sent"], ["last"]]


@on_loop
async def test_a_row_that_nobody_waits_for_any_more_is_not_written():
    store = Store()
    async with written(store) as log:
        log.durable(AuditRow("cancelled"), WAIT_SECONDS).cancel()
        await log.durable(AuditRow("a"), WAIT_SECONDS)
        assert store.batches == [["a"]]


@on_loop
async def test_beyond_the_limit_and_after_the_writer_has_left_rows_are_refused_at_once():
    store = Store()
    async with written(store, queue_limit=1) as log:
        first, second = log.durable(AuditRow("a"), WAIT_SECONDS), log.durable(AuditRow("b"), WAIT_SECONDS)
        with pytest.raises(RecordsUnavailable):
            second.result()
        await first
    with pytest.raises(RecordsUnavailable):
        log.durable(AuditRow("c"), WAIT_SECONDS).result()


@on_loop
async def test_the_timer_of_those_who_wait_ends_with_them():
    store = Store()
    async with written(store) as log:
        for action in ("a", "b"):
            await log.durable(AuditRow(action), 0.5)
            await eventually(lambda: log._timer is None)
