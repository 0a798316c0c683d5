import subprocess
import sys
from dataclasses import replace

import pytest
from sqlite_utils.utils import sqlite3

from gateway.catalogue.layers import StoredSearch
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow, Grant, Level
from gateway.records import AuditQuery, Change, open_sqlite
from gateway.records.rows import search_row
from gateway.records.sqlite import connection, migrations, searches
from tests.records.conftest import START, act, dataset, register

STARTING = """
import sys
from pathlib import Path
from gateway.model import AuditRow
from gateway.records import open_sqlite
print("ready", flush=True)
sys.stdin.readline()
records = open_sqlite(Path(sys.argv[1]))
records.append_audit([AuditRow("started")])
records.close()
"""
PROCESSES = 4


def test_processes_that_start_together_make_one_database(tmp_path):
    for attempt in range(3):
        path = tmp_path / f"{attempt}.db"
        started = [
            subprocess.Popen(
                [sys.executable, "-W", "error", "-c", STARTING, str(path)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
            for _ in range(PROCESSES)
        ]  # fmt: skip
        for process in started:
            assert process.stdout.readline() == "ready\n"
        for process in started:
            process.stdin.write("\n")
            process.stdin.flush()
        errors = [process.communicate(timeout=120)[1] for process in started]
        assert [process.returncode for process in started] == [0] * PROCESSES, errors
        records = open_sqlite(path)
        assert len(list(records.audit_rows(AuditQuery()))) == PROCESSES
        records.close()


def test_opening_again_keeps_what_is_there(tmp_path):
    first = open_sqlite(tmp_path / "a.db")
    register(first, dataset(1))
    first.append_audit([AuditRow("a")])
    first.close()
    again = open_sqlite(tmp_path / "a.db")
    assert again.dataset(dataset(1).id) == dataset(1)
    assert len(list(again.audit_rows(AuditQuery()))) == 2
    again.close()


def test_a_database_of_an_older_release_gets_the_missing_tables(tmp_path):
    path = tmp_path / "a.db"
    database = connection.connect(path, "rwc")
    migrations.steps().apply(database, stop_before="2-audit")
    assert "audit" not in database.table_names()
    database.close()
    records = open_sqlite(path)
    register(records, dataset(1))
    records.append_audit([AuditRow("a")])
    records.ping()
    records.close()


def test_searches_of_an_older_release_count_for_their_makers(tmp_path):
    path, search = tmp_path / "a.db", StoredSearch({}, None, {}, "ana", START)
    database = connection.connect(path, "rwc")
    migrations.steps().apply(database, stop_before="19-searches-by-maker")
    database.execute(searches.INSERT, search_row(replace(search, makers=("ana", "ben"))))
    database.close()
    records = open_sqlite(path)
    for owner in ("ana", "ben"):
        assert records.searches.store(replace(search, owner=owner), 1, act()) is False
        assert records.searches.store(replace(search, owner=owner, title="Another"), 1, act()) is None
    records.close()


def older_rows(path, stop_before, count):
    """Write a database of an older release with so many audit rows."""
    database = connection.connect(path, "rwc")
    migrations.steps().apply(database, stop_before=stop_before)
    for number in range(count):
        database.execute("INSERT INTO audit (at, action) VALUES (?, 'old')", [f"2026-01-01T00:00:0{number}.000Z"])
    database.close()


def test_rows_of_an_older_release_get_a_key_and_stay_append_only(tmp_path):
    path = tmp_path / "a.db"
    older_rows(path, "4-audit-row-ids", 2)
    records = open_sqlite(path)
    stored = list(records.audit_rows(AuditQuery()))
    assert [(one.id, one.row.row_id) for one in stored] == [
        (1, "00000000-0000-8000-8000-000000000001"),
        (2, "00000000-0000-8000-8000-000000000002"),
    ]
    records.append_audit([stored[0].row, AuditRow("new")])
    assert [one.row.action for one in records.audit_rows(AuditQuery())] == ["old", "old", "new"]
    records.close()
    look = sqlite3.connect(path)
    for sql in ("UPDATE audit SET action = 'x'", "DELETE FROM audit"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            look.execute(sql)
    look.execute("REPLACE INTO audit (at, action, row_id) SELECT at, 'x', row_id FROM audit")
    assert look.execute("SELECT count(*) FROM audit WHERE action = 'x'").fetchone() == (0,)
    look.close()


def test_a_worker_of_an_older_release_still_sees_every_change(tmp_path):
    records = open_sqlite(tmp_path / "a.db")
    look = sqlite3.connect(tmp_path / "a.db")
    seen = []
    for change in (
        lambda: register(records, dataset(1)),
        lambda: records.change_dataset(dataset(1).id, Change(title="New"), act()),
        lambda: records.add_grant(Grant(dataset(1).id, Level.VIEW, user="ben"), act()),
        lambda: records.remove_grant(dataset(1).id, act(), user="ben"),
        lambda: records.set_disabled("ben", True, act()),
        lambda: records.remove_dataset(dataset(1).id, act()),
    ):
        change()
        seen += look.execute("SELECT number FROM revision").fetchone()
    assert sorted(set(seen)) == seen
    look.close()
    records.close()


def test_a_step_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    with monkeypatch.context() as patch:
        patch.setitem(migrations.STEPS, "2-audit", (*migrations.AUDIT, "CREATE TABLE audit (id)"))
        with pytest.raises(RecordsUnavailable):
            open_sqlite(path)
    look = sqlite3.connect(path)
    assert look.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    look.close()
    open_sqlite(path).close()


def test_a_locked_database_that_is_up_to_date_opens(tmp_path):
    path = tmp_path / "a.db"
    open_sqlite(path).close()
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    records = open_sqlite(path)
    records.ping()
    records.close()
    other.close()


def test_a_locked_database_that_needs_steps_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "LOCK_WAIT_SECONDS", 0.02)
    path = tmp_path / "a.db"
    other = sqlite3.connect(path, timeout=0, isolation_level=None)
    other.execute("PRAGMA journal_mode=wal")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable, match="locked"):
        open_sqlite(path)
    other.close()
    open_sqlite(path).close()


def test_a_disk_without_a_write_ahead_log_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(migrations.Database, "enable_wal", lambda database: None)
    with pytest.raises(RecordsUnavailable, match="write-ahead"):
        open_sqlite(tmp_path / "a.db")
