"""What only the SQLite file can show: locks, missing tables, lost files, and rows that nobody may change."""

import gc
import threading

import pytest
from sqlite_utils.utils import sqlite3

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow, Grant, Level
from gateway.records import AuditQuery, Change, DatasetQuery, open_sqlite
from gateway.records.sqlite import audit_rows, connection
from tests.records.conftest import act, dataset, register


@pytest.fixture
def records(path):
    opened = open_sqlite(path)
    yield opened
    opened.close()


@pytest.fixture
def other(records, path):
    """A connection as any other program would open it."""
    opened = sqlite3.connect(path, timeout=0, isolation_level=None)
    yield opened
    opened.close()


class Clock:
    """A clock that goes only while somebody pauses."""

    def __init__(self):
        self.pauses = []

    def monotonic(self):
        return sum(self.pauses)

    def sleep(self, seconds):
        self.pauses.append(seconds)


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(connection, "time", clock)
    return clock


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(connection, "LOCK_WAIT_SECONDS", 0.02)


def in_thread(work):
    """Return what `work` returned or raised in a thread of its own, and so on a connection of its own."""
    outcome = []

    def run():
        try:
            outcome.append(work())
        except RecordsUnavailable as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return outcome[0]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET user_id = 'eve'",
        "UPDATE audit SET detail = NULL WHERE id = 1",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit (id, at, action) VALUES (1, 'x', 'y')",
    ],
)
def test_the_audit_is_append_only_for_everybody(records, other, statement):
    records.append_audit([AuditRow("a", user_id="ana")])
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        other.execute(statement)
    assert [stored.row.user_id for stored in records.audit_rows(AuditQuery())] == ["ana"]


def test_the_audit_table_has_the_published_columns(records, other):
    names = [row[1] for row in other.execute("PRAGMA table_info(audit)")]
    assert names == [
        "id", "at", "action", "dataset_id", "user_id", "request_id", "version", "backend", "range", "status",
        "bytes_expected", "ip", "user_agent", "token_id", "detail", "row_id",
    ]  # fmt: skip


def test_the_audit_stores_plain_columns(records, other):
    moment = "2026-03-01T12:00:00.123Z"
    row = AuditRow("download.cog", dataset(0).created_at, range_header="bytes=-1", detail={"a": 1})
    records.append_audit([row, AuditRow("b", dataset(0).created_at)])
    found = other.execute('SELECT at, "range", detail, user_id FROM audit ORDER BY id').fetchall()
    assert found == [(moment, "bytes=-1", '{"a": 1}', None), (moment, None, None, None)]


def test_writes_survive_power_loss_and_references_are_kept(records, path):
    database = connection.connect(path, "rw")
    pragmas = {name: database.execute(f"pragma {name}").fetchone()[0] for name in ("synchronous", "foreign_keys")}
    assert pragmas == {"synchronous": 2, "foreign_keys": 1}
    assert database.journal_mode == "wal"
    database.close()


SOME_TIME = {"since": dataset(1).created_at, "until": dataset(9).created_at}


@pytest.mark.parametrize(
    ("query", "span_index", "page_index"),
    [
        ({}, None, "PRIMARY KEY"),
        ({"dataset_id": "x"}, "audit_by_dataset", "audit_by_dataset"),
        ({"user": "x"}, "audit_by_user", "audit_by_user"),
        (SOME_TIME, "audit_by_time", "PRIMARY KEY"),
        ({"dataset_id": "x", **SOME_TIME}, "audit_by_dataset", "audit_by_dataset"),
    ],
)
def test_audit_rows_are_read_through_an_index_and_never_sorted(records, path, query, span_index, page_index):
    statements = []
    database = connection.connect(path, "rw")
    with database.tracer(lambda sql, values: statements.append((sql, values))):
        audit_rows.span(database, AuditQuery(**query))
        audit_rows.page(database, AuditQuery(**query), 1, 99)
    plans = [str(database.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()) for sql, values in statements]
    database.close()
    assert span_index is None or plans[0].count(span_index) == 2
    assert page_index in plans[1]
    assert "B-TREE" not in "".join(plans)


def test_the_end_of_a_transfer_has_its_index(records, other):
    plan = other.execute(f"EXPLAIN QUERY PLAN {audit_rows.DOWNLOADS.format(where='1')}").fetchall()
    assert "audit_ends" in str(plan)


def test_a_lock_held_by_another_program_is_waited_for(records, other):
    other.execute("BEGIN IMMEDIATE")
    writing = threading.Thread(target=records.append_audit, args=([AuditRow("a")],))
    writing.start()
    other.execute("COMMIT")
    writing.join()
    assert len(list(records.audit_rows(AuditQuery()))) == 1


def test_a_lock_that_stays_fails_writes_within_bounds_and_reads_go_on(records, other, clock):
    register(records, dataset(1))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable, match="locked") as caught:
        records.append_audit([AuditRow("a")])
    shortest, longest = connection.LOCK_PAUSE_SECONDS
    assert all(shortest <= pause <= longest for pause in clock.pauses)
    assert connection.LOCK_WAIT_SECONDS <= sum(clock.pauses) < connection.LOCK_WAIT_SECONDS + longest
    assert len(set(clock.pauses)) > 1
    assert caught.value.status == 503
    assert caught.value.headers["Retry-After"]
    assert records.dataset(dataset(1).id) == dataset(1)
    records.ping()
    other.execute("ROLLBACK")
    records.append_audit([AuditRow("b")])
    assert [stored.row.action for stored in records.audit_rows(AuditQuery())] == ["test.act", "b"]


@pytest.mark.parametrize(
    "write",
    [
        lambda records: records.register_dataset(dataset(2), act()),
        lambda records: records.change_dataset(dataset(1).id, Change(title="x"), act()),
        lambda records: records.remove_dataset(dataset(1).id, act()),
        lambda records: records.add_grant(Grant(dataset(1).id, Level.VIEW, user="ana"), act()),
        lambda records: records.remove_grant(dataset(1).id, act(), user="ana"),
        lambda records: records.set_disabled("ana", True, act()),
    ],
)
@pytest.mark.usefixtures("impatient")
def test_every_write_fails_whole_under_a_lock(records, other, write):
    register(records, dataset(1))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RecordsUnavailable):
        write(records)
    other.execute("ROLLBACK")
    assert records.find_datasets(DatasetQuery(None)).total == 1
    assert records.users() == ()
    assert records.grants(dataset(1).id) == ()


def test_no_sql_text_goes_outward(records, other):
    other.execute("DROP TABLE datasets")
    with pytest.raises(RecordsUnavailable) as caught:
        records.dataset("x")
    assert "datasets" not in str(caught.value)
    assert "select" not in str(caught.value).lower()


@pytest.mark.parametrize("table", ["datasets", "grants", "users", "audit"])
def test_a_missing_table_fails_the_ping_until_it_is_back(records, other, table):
    records.ping()
    other.execute(f"ALTER TABLE {table} RENAME TO gone")
    with pytest.raises(RecordsUnavailable):
        records.ping()
    other.execute(f"ALTER TABLE gone RENAME TO {table}")
    records.ping()


def test_appending_nothing_tells_that_the_audit_cannot_be_written(records, other):
    other.execute("ALTER TABLE audit RENAME TO gone")
    with pytest.raises(RecordsUnavailable):
        records.append_audit([])
    other.execute("ALTER TABLE gone RENAME TO audit")
    records.append_audit([])


def test_a_read_only_file_refuses_writes_and_serves_reads(records, monkeypatch):
    register(records, dataset(1))
    connect = connection.connect
    with monkeypatch.context() as patch:
        patch.setattr(connection, "connect", lambda path, mode: connect(path, "ro"))
        assert in_thread(lambda: records.dataset(dataset(1).id)) == dataset(1)
        assert isinstance(in_thread(lambda: records.append_audit([AuditRow("a")])), RecordsUnavailable)
    assert in_thread(lambda: records.append_audit([AuditRow("b")])) == 1


def test_a_row_is_never_written_into_a_deleted_file(records, path, tmp_path):
    records.append_audit([AuditRow("a")])
    path.rename(tmp_path / "away.db")
    with pytest.raises(RecordsUnavailable, match="missing"):
        records.append_audit([AuditRow("b")])
    with pytest.raises(RecordsUnavailable):
        records.ping()
    assert not path.exists()


def test_a_file_put_in_place_of_another_is_opened_anew(records, path, tmp_path):
    records.append_audit([AuditRow("a")])
    fresh = open_sqlite(tmp_path / "fresh.db")
    fresh.append_audit([AuditRow("b")])
    fresh.close()
    (tmp_path / "fresh.db").rename(path)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    records.append_audit([AuditRow("c")])
    assert [stored.row.action for stored in records.audit_rows(AuditQuery())] == ["b", "c"]


def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "text.db").write_bytes(b"no database at all, and long enough to be one" * 99)
    with pytest.raises(RecordsUnavailable):
        open_sqlite(tmp_path / "text.db")


def test_a_folder_that_is_missing_is_refused(tmp_path):
    with pytest.raises(RecordsUnavailable):
        open_sqlite(tmp_path / "missing" / "gateway.db")


def test_closed_records_refuse_in_every_thread(records):
    records.ping()
    records.close()
    records.close()
    with pytest.raises(RecordsUnavailable):
        records.ping()
    with pytest.raises(RecordsUnavailable, match="closed"):
        records.ping()
    assert isinstance(in_thread(records.ping), RecordsUnavailable)


def test_connections_of_ended_threads_are_closed(records):
    for _ in range(20):
        in_thread(records.ping)
    gc.collect()
    assert len(records._connections._links) <= 2


def test_threads_work_side_by_side(records):
    failures = []

    def work(number):
        try:
            for step in range(10):
                records.append_audit([AuditRow("a", request_id=f"{number}-{step}")])
                records.find_datasets(DatasetQuery(None))
        except RecordsUnavailable as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    ids = [stored.row.request_id for stored in records.audit_rows(AuditQuery())]
    assert sorted(ids) == sorted(f"{number}-{step}" for number in range(8) for step in range(10))
