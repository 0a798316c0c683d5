"""What is wrong with a database file is told to the operator in words, and never to a client."""

import os
import sqlite3 as plain
import stat

import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records import AuditQuery, DatasetQuery, open_records
from gateway.records.sqlite import connection, migrations
from gateway.records.sqlite.troubles import unserved
from tests.records.conftest import act, dataset, register
from tests.records.sqlite.test_sqlite import in_thread


@pytest.fixture
def path(tmp_path):
    """A catalogue with one dataset, closed."""
    path = tmp_path / "state" / "gateway.db"
    path.parent.mkdir()
    records = open_records(path)
    register(records, dataset(1))
    records.close()
    return path


def reason(work):
    with pytest.raises(RecordsUnavailable) as caught:
        work()
    assert str(caught.value) in ("The database cannot serve just now.", "The database is missing.")
    assert caught.value.told.startswith(str(caught.value).rstrip(".") + ": ")
    return caught.value.reason


@pytest.mark.parametrize("read_only", [False, True])
def test_what_is_no_database_is_called_so_with_its_path(path, read_only):
    path.write_bytes(b"garbage " * 1000)
    assert reason(lambda: open_records(path, read_only=read_only)).startswith(f"{path} is no database of SQLite")


def test_damaged_pages_are_called_so(path):
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))

    def read():
        records = open_records(path, read_only=True)
        records.find_datasets(DatasetQuery(None))

    assert "is damaged: restore it from a backup" in reason(read)


def test_a_database_of_others_is_no_catalogue(tmp_path):
    path = tmp_path / "other.db"
    database = plain.connect(path)
    database.execute("CREATE TABLE audit (id INTEGER)")
    database.close()
    assert reason(lambda: open_records(path, read_only=True)) == f"{path} is no catalogue of the gateway"


def test_a_folder_or_nothing_is_called_so(path):
    path.unlink()
    assert "cannot be opened" in reason(lambda: open_records(path, read_only=True))
    path.mkdir()
    assert "cannot be opened" in reason(lambda: open_records(path))


@pytest.mark.parametrize("read_only", [False, True])
def test_a_step_of_a_newer_release_is_refused(path, read_only):
    database = connection.connect(path, "rw")
    database.table("_sqlite_migrations").insert({"migration_set": "gateway", "name": "9-future", "applied_at": ""})
    database.close()
    told = reason(lambda: open_records(path, read_only=read_only))
    assert told == f"{path} is of a newer release, which has taken the step 9-future"


@pytest.mark.parametrize("code", [plain.SQLITE_FULL, plain.SQLITE_READONLY, plain.SQLITE_IOERR])
def test_other_troubles_name_the_file_too(path, code):
    error = plain.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    assert str(path) in unserved(path, error).reason


def test_a_reader_changes_and_leaves_nothing(path):
    before = path.read_bytes()
    records = open_records(path, read_only=True)
    assert records.dataset(dataset(1).id) == dataset(1)
    assert "may not be written" in reason(lambda: records.append_audit([AuditRow("a")]))
    assert "may not be written" in reason(lambda: records.remove_dataset(dataset(1).id, act()))
    records.close()
    assert os.listdir(path.parent) == ["gateway.db"]
    assert path.read_bytes() == before


def test_a_reader_beside_a_server_sees_what_it_writes(path):
    server = open_records(path)
    records = open_records(path, read_only=True)
    server.append_audit([AuditRow("later")])
    assert [stored.row.action for stored in records.audit_rows(AuditQuery())] == ["test.act", "later"]
    records.close()
    server.append_audit([AuditRow("again")])
    server.close()


@pytest.fixture
def locked_away(path, monkeypatch):
    """The same where nobody may write: root may, and so the question is answered for it, and SQLite is kept from it."""
    path.chmod(stat.S_IRUSR)
    path.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    monkeypatch.setattr(connection.os, "access", lambda *_: False)
    yield path
    path.parent.chmod(stat.S_IRWXU)


def test_a_copy_in_a_folder_that_may_not_be_written_can_be_read(locked_away):
    records = open_records(locked_away, read_only=True)
    assert records.dataset(dataset(1).id) == dataset(1)
    assert in_thread(lambda: len(list(records.audit_rows(AuditQuery())))) == 1
    assert isinstance(in_thread(lambda: records.append_audit([AuditRow("a")])), RecordsUnavailable)
    records.close()
    assert os.listdir(locked_away.parent) == ["gateway.db"]


def test_a_reader_takes_a_database_of_an_older_release_as_it_is(tmp_path):
    path = tmp_path / "old.db"
    database = connection.connect(path, "rwc")
    migrations.steps().apply(database, stop_before="3-revision")
    database.execute("INSERT INTO audit (at, action) VALUES ('2026-01-01T00:00:00.000Z', 'old')")
    database.close()
    reading = open_records(path, read_only=True)
    (read,) = reading.audit_rows(AuditQuery())
    reading.close()
    database = connection.connect(path, "ro")
    assert len(migrations.steps().pending(database)) == len(migrations.STEPS) - 2
    database.close()
    brought_up = open_records(path)
    assert [read] == list(brought_up.audit_rows(AuditQuery()))
    brought_up.close()
