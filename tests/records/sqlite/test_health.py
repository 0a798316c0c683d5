import pytest

from gateway.records import old_library
from gateway.records.sqlite.connection import connect, sqlite3
from gateway.records.sqlite.health import quick_check


@pytest.fixture
def database(tmp_path):
    opened = connect(tmp_path / "a.db", "rwc")
    opened.execute("create table t (a)")
    opened.execute("create index i on t (a)")
    opened.execute("begin")
    opened.conn.executemany("insert into t values (?)", [(n,) for n in range(50_000)])
    opened.execute("commit")
    yield opened
    opened.close()


def test_a_database_is_whole_when_sqlite_finds_nothing(database, caplog):
    assert quick_check(database, 20)
    assert caplog.messages == []


def test_what_sqlite_finds_broken_is_not_whole(database):
    # A column that may not be NULL, and is.
    database.execute("pragma writable_schema=on")
    database.execute("insert into t values (NULL)")
    database.execute("update sqlite_schema set sql = 'create table t (a not null)' where name = 't'")
    database.execute("pragma writable_schema=reset")
    assert not quick_check(database, 20)


def test_a_check_that_takes_too_long_is_given_up_and_the_log_says_so(database, caplog):
    assert quick_check(database, 0)
    assert caplog.messages == ["the check of the database was not finished within 0 seconds"]
    assert database.execute("select count(*) from t").fetchone() == (50_000,)


def test_other_errors_are_told(database):
    database.close()
    with pytest.raises(sqlite3.Error):
        quick_check(database, 20)


@pytest.mark.parametrize(("version", "old"), [((3, 40, 1), True), ((3, 51, 2), True), ((3, 51, 3), False),
                                              ((3, 53, 4), False)])  # fmt: skip
def test_the_releases_with_the_wal_reset_bug_are_old(monkeypatch, version, old):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", version)
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, version)))
    assert (old_library() is not None) == old
