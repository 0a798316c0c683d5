"""The audit log and the recorder over real records, of each kind of database."""

import asyncio
import os
import socket
import threading
from contextlib import closing, contextmanager

import pytest

from gateway.audit import AuditLog, Recorder, RecorderLink
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records import AuditQuery, open_records


@pytest.fixture
def records(database):
    with closing(open_records(database)) as opened:
        yield opened


def ids(records):
    return [stored.row.request_id for stored in records.audit_rows(AuditQuery(action="a"))]


def row(name):
    return AuditRow("a", request_id=str(name))


def test_rows_of_many_threads_are_stored_once_when_they_are_told(records):
    log, told = AuditLog(records.append_audit), []

    def ask(name):
        for number in range(20):
            log.record(row(f"{name}-{number}")).result(10)
            told.append(f"{name}-{number}")

    threads = [threading.Thread(target=ask, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    assert sorted(ids(records)) == sorted(told)
    assert len(told) == 160


def test_a_probe_leaves_no_row(records):
    log = AuditLog(records.append_audit)
    log.probe().result(10)
    log.close()
    assert list(records.audit_rows(AuditQuery())) == []


def test_a_row_that_can_never_be_stored_fails_alone(records):
    with recorded(records) as link:

        async def both():
            good, bad = RecorderLink(link), RecorderLink(link)
            done = await asyncio.gather(
                good.append([row("good")]),
                bad.append([AuditRow("a", detail={"no number": float("nan")})]),
                return_exceptions=True,
            )
            good.close()
            bad.close()
            return done

        assert [type(each) for each in asyncio.run(both())] == [type(None), ValueError]
    assert ids(records) == ["good"]


def test_a_batch_that_is_sent_again_is_stored_once(records):
    batch = [row(name) for name in "abc"]
    with recorded(records) as link:

        async def twice():
            for _ in range(2):
                with closing(RecorderLink(link)) as sender:
                    await sender.append(batch)

        asyncio.run(twice())
    assert ids(records) == ["a", "b", "c"]


def test_closed_records_are_no_database(records):
    records.close()
    with pytest.raises(RecordsUnavailable):
        records.append_audit([row("a")])


@contextmanager
def recorded(records):
    """Yield the path of a socket at which a recorder over these records listens."""
    folder = f"/tmp/cgr-{os.getpid()}"
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(folder)
        listener.listen()
        recorder = Recorder(listener, records.append_audit)
        running = threading.Thread(target=recorder.run, args=(reader, lambda: None, 60.0))
        running.start()
        try:
            yield folder
        finally:
            os.write(writer, b".")
            running.join()
            os.unlink(folder)
            os.close(reader)
            os.close(writer)
