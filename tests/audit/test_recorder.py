"""The recorder and the way to it, over real sockets; the process of its own runs in tests/e2e."""

import asyncio
import fcntl
import os
import pickle
import socket
import termios
import threading
from contextlib import contextmanager

import msgspec
import pytest

from gateway.audit import LoopAuditLog, Recorder, RecorderLink, recorder, wire
from gateway.audit import link as link_module
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from tests.patience import SECONDS

WAIT_SECONDS = SECONDS


def unread_bytes(connection):
    return int.from_bytes(fcntl.ioctl(connection, termios.FIONREAD, bytes(4)), "little")


class Store:
    """What a recorder appends to: it can be broken, and held until so many batches wait."""

    def __init__(self):
        self.batches = []
        self.error = None
        self.free = threading.Event()
        self.free.set()
        self.entered = threading.Event()

    def append(self, rows):
        self.entered.set()
        assert self.free.wait(WAIT_SECONDS)
        if self.error is not None and (not callable(self.error) or self.error(rows)):
            raise ValueError("odd") if callable(self.error) else self.error
        self.batches.append([row.action for row in rows])


@pytest.fixture
def folder(tmp_path_factory):
    # The name of a socket has at most 107 bytes.
    folder = tmp_path_factory.mktemp("r")
    assert len(str(folder)) < 90
    return folder


@pytest.fixture
def listener(folder):
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(folder / "recorder"))
        opened.listen()
        yield opened


@pytest.fixture
def store():
    return Store()


class Running:
    """A recorder in a thread; `told` ends it."""

    def __init__(self, listener, append, looks=None, look_seconds=3600.0):
        self.told, self._teller = os.pipe()
        self.looks = [] if looks is None else looks
        self._recorder = Recorder(listener, append)
        self._thread = threading.Thread(
            target=self._recorder.run, args=(self.told, lambda: self.looks.append(1), look_seconds)
        )
        self._thread.start()

    def tell(self):
        os.write(self._teller, b".")

    def join(self):
        self._thread.join(WAIT_SECONDS)
        assert not self._thread.is_alive()
        os.close(self.told)
        os.close(self._teller)


@contextmanager
def running(listener, append, **options):
    started = Running(listener, append, **options)
    try:
        yield started
    finally:
        started.tell()
        started.join()


@contextmanager
def linked(folder, **options):
    link = RecorderLink(folder / "recorder", **options)
    try:
        yield link
    finally:
        link.close()


def append(link, *rows):
    asyncio.run(link.append(rows))


def test_rows_of_a_link_are_appended_as_they_were(folder, listener):
    taken, row = [], AuditRow("a", user_id="ü", status=206, detail={"free": [1, None]})
    with running(listener, taken.extend), linked(folder) as link:
        append(link, row)
    assert taken == [row]


def test_no_rows_ask_whether_one_could_be_written(folder, listener, store):
    with running(listener, store.append), linked(folder) as link:
        append(link)
        store.error = RecordsUnavailable("locked")
        with pytest.raises(RecordsUnavailable, match="locked"):
            append(link)
        store.error = None
    assert store.batches == [[]]


class Raw:
    """A worker as the recorder sees one; what it has sent lies in the kernel."""

    def __init__(self, folder):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(str(folder / "recorder"))

    def send(self, *actions):
        self.socket.sendall(wire.request_of([AuditRow(action) for action in actions]))

    def answer(self):
        frames, bodies = wire.Frames(), []
        while not bodies:
            bodies = frames.take(self.socket.recv(1000))
        return bodies[0]


class Harm:
    """What runs code where it is unpickled."""

    def __reduce__(self):
        return os.abort, ()


@pytest.mark.parametrize(
    "sent",
    [
        wire.framed(pickle.dumps([Harm()])),
        wire.framed(msgspec.msgpack.encode([["only one value"]])),
        wire.framed(msgspec.msgpack.encode([[1, *["x"] * 14]])),
        wire.LENGTH.pack(wire.MOST_BYTES + 1),
    ],
    ids=["pickle", "short", "types", "long"],
)
def test_what_is_no_row_costs_its_sender_the_connection_and_nobody_else(folder, listener, store, caplog, sent):
    with running(listener, store.append):
        good, bad = Raw(folder), Raw(folder)
        bad.socket.sendall(sent)
        assert bad.socket.recv(10) == b""
        good.send("a")
        assert good.answer() == wire.DURABLE
        for worker in (good, bad):
            worker.socket.close()
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["A process sends what are no rows"]
    caplog.clear()


def test_a_row_that_cannot_travel_is_refused_where_it_is_made():
    for unfit in (object(), 1 << 80):
        with pytest.raises(ValueError, match="cannot be stored"):
            wire.request_of([AuditRow("a", detail={"x": unfit})])


@pytest.fixture
def busy(folder, listener, store):
    """Three workers of a recorder that is in the middle of the batch of the first one, "begin"."""
    store.free.clear()
    with running(listener, store.append):
        workers = [Raw(folder) for _ in range(3)]
        workers[0].send("begin")
        assert store.entered.wait(WAIT_SECONDS)
        yield workers
        store.free.set()
        for worker in workers:
            worker.socket.close()


def test_what_waits_in_several_processes_is_one_commit(busy, store):
    for worker in busy[1:]:
        worker.send("a", "b")
    store.free.set()
    assert [worker.answer() for worker in busy] == [wire.DURABLE] * 3
    assert store.batches == [["begin"], ["a", "b", "a", "b"]]


def test_a_commit_has_an_upper_size(busy, store, monkeypatch):
    monkeypatch.setattr(recorder, "COMMIT_ROWS", 2)
    for worker in busy[1:]:
        worker.send("a", "a")
    store.free.set()
    assert [worker.answer() for worker in busy] == [wire.DURABLE] * 3
    assert store.batches == [["begin"], ["a", "a"], ["a", "a"]]


def test_an_unfit_row_fails_its_own_batch_alone(busy, store):
    store.error = lambda rows: any(row.action == "odd" for row in rows)
    for worker, action in zip(busy[1:], ("odd", "good"), strict=True):
        worker.send(action)
    store.free.set()
    assert [worker.answer() for worker in busy] == [wire.DURABLE, b"Rodd", wire.DURABLE]
    assert store.batches == [["begin"], ["good"]]


def test_a_database_that_cannot_serve_fails_all_that_wait(busy, store, caplog):
    store.error = RecordsUnavailable("locked")
    for worker in busy[1:]:
        worker.send("a")
    store.free.set()
    assert [worker.answer() for worker in busy] == [b"Ulocked"] * 3
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_a_worker_that_has_gone_is_not_answered_and_its_rows_are_kept(busy, store):
    busy[1].send("a")
    busy[1].send("a")
    busy[1].socket.close()
    busy[2].send("b")
    store.free.set()
    assert busy[2].answer() == wire.DURABLE
    assert store.batches == [["begin"], ["a", "a", "b"]]


def test_an_answer_may_come_in_pieces(folder, listener, store, monkeypatch, caplog):
    monkeypatch.setattr(link_module, "CHUNK_BYTES", 1)
    store.error = RecordsUnavailable("locked")
    with running(listener, store.append), linked(folder) as link, pytest.raises(RecordsUnavailable, match="locked"):
        append(link, AuditRow("a"))


def test_a_lone_unfit_batch_is_told_so(folder, listener, store, caplog):
    store.error = ValueError("no JSON")
    with running(listener, store.append), linked(folder) as link:
        with pytest.raises(ValueError, match="no JSON"):
            append(link, AuditRow("a"))
        store.error = None
        append(link, AuditRow("b"))
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]


def test_a_recorder_that_ends_leaves_the_batch_to_the_next_one(folder, listener, store):
    """Killed before its answer, whether the rows were stored or not: the link sends them again."""
    accepted = []

    def die():
        connection, _ = listener.accept()
        accepted.append(connection.recv(1 << 20))
        connection.close()

    dying = threading.Thread(target=die)
    with linked(folder) as link:
        dying.start()
        asking = threading.Thread(target=append, args=(link, AuditRow("a")))
        asking.start()
        dying.join(WAIT_SECONDS)
        with running(listener, store.append):
            asking.join(WAIT_SECONDS)
            link.close()
    assert store.batches == [["a"]]
    (sent_first,) = wire.Frames().take(accepted[0])
    assert [row.action for row in wire.rows_of(sent_first)] == ["a"]


def test_a_recorder_that_ends_with_a_batch_unread_or_between_two_is_no_fault(folder, listener, store):
    async def work(link):
        await link.append([AuditRow("a")])
        # It ends while nothing is asked of it.
        started.tell()
        link._socket.shutdown(socket.SHUT_WR)
        await asyncio.to_thread(started.join)
        while link._socket is not None:
            await asyncio.sleep(0.001)
        # The recorder has left it without patience.
        listener.settimeout(WAIT_SECONDS)
        asking = asyncio.create_task(link.append([AuditRow("b")]))
        while link._socket is None:
            await asyncio.sleep(0.001)
        accepted, _ = await asyncio.to_thread(listener.accept)
        while not unread_bytes(accepted):
            await asyncio.sleep(0.001)
        accepted.close()
        with running(listener, store.append):
            await asking
            await link.append([AuditRow("c")])
            link.close()

    started = Running(listener, store.append)
    with linked(folder) as link:
        asyncio.run(asyncio.wait_for(work(link), WAIT_SECONDS))
    assert store.batches == [["a"], ["b"], ["c"]]


def test_a_recorder_that_is_frozen_is_not_waited_for_for_ever(folder, listener):
    with linked(folder, answer_seconds=0.05) as link:
        for _ in range(2):
            with pytest.raises(RecordsUnavailable, match="does not answer"):
                append(link, AuditRow("a"))


def test_a_socket_that_is_full_is_not_waited_for_for_ever(folder, listener):
    with linked(folder, answer_seconds=0.05) as link, pytest.raises(RecordsUnavailable, match="does not answer"):
        append(link, AuditRow("a", user_agent="x" * (8 << 20)))


def test_without_a_recorder_rows_are_refused_after_a_while(tmp_path):
    with linked(tmp_path, answer_seconds=0.05) as link, pytest.raises(RecordsUnavailable, match="does not answer"):
        append(link, AuditRow("a"))


def test_a_large_batch_goes_through_a_small_socket(folder, listener, store):
    with running(listener, store.append), linked(folder) as link:
        append(link, *[AuditRow("a", user_agent="x" * 100_000)] * 50)
    assert [len(batch) for batch in store.batches] == [50]


def test_a_recorder_that_is_told_to_stop_waits_for_those_who_are_connected(folder, listener, store):
    started = Running(listener, store.append)
    with linked(folder) as link:
        append(link, AuditRow("a"))
        started.tell()
        append(link, AuditRow("b"))
        assert started._thread.is_alive()
    started.join()
    assert store.batches == [["a"], ["b"]]


def test_time_is_taken_to_look_around_also_under_load(folder, listener, store):
    with running(listener, store.append, look_seconds=0.0) as started, linked(folder) as link:
        for _ in range(3):
            append(link)
        assert started.looks


def test_a_log_over_a_recorder_keeps_its_promises(folder, listener, store):
    async def work(log):
        writing = asyncio.create_task(log.write())
        log.note(AuditRow("noted"), quietly=True)
        await asyncio.wrap_future(log.record(AuditRow("a")))
        log.leave()
        await writing

    with running(listener, store.append), linked(folder) as link:
        log = LoopAuditLog(link.append)
        asyncio.run(work(log))
        log.note(AuditRow("after the loop"))
        log.close()
    assert [action for batch in store.batches for action in batch] == ["noted", "a", "after the loop"]


def test_frames_are_whole_however_their_bytes_come():
    bodies = [b"", b"a" * 5, b"", b"b" * 300]
    stream = b"".join(map(wire.framed, bodies))
    for size in (1, 2, 3, 7, 1000):
        frames, got = wire.Frames(), []
        for start in range(0, len(stream), size):
            got += frames.take(stream[start : start + size])
        assert got == bodies


@pytest.mark.parametrize("error", [None, RecordsUnavailable("locked"), ValueError("ü" * 900)])
def test_an_answer_says_how_it_went(error):
    (body,) = wire.Frames().take(wire.answer_of(error))
    if error is None:
        wire.require_durable(body)
        return
    with pytest.raises(type(error)) as told:
        wire.require_durable(body)
    assert str(told.value) in str(error)
