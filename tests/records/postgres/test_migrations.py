import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from gateway.errors import RecordsUnavailable, SettingsError
from gateway.model import AuditRow
from gateway.records import AuditQuery, migrate_records, open_records
from gateway.records.postgres.connection import connect
from gateway.records.postgres.migrations import migrate
from gateway.records.postgres.schema import STEPS


def test_of_nodes_that_start_together_one_makes_the_tables(postgres, empty):
    url, together = postgres.server.url(empty), threading.Barrier(8)

    def start(number):
        together.wait()
        records = open_records(url)
        records.append_audit([AuditRow("started", request_id=str(number))])
        records.close()

    with ThreadPoolExecutor(8) as nodes:
        list(nodes.map(start, range(8)))
    records = open_records(url)
    assert len(list(records.audit_rows(AuditQuery()))) == 8
    records.close()


def test_steps_are_taken_once(postgres, empty):
    url = postgres.server.url(empty)
    assert migrate(url, "gateway") == list(STEPS)
    assert migrate(url, "gateway") == []


@pytest.mark.parametrize(("adds", "starts"), [("true", True), ("false", False)])
def test_a_database_of_a_newer_release_is_served_if_that_only_added(postgres, fresh, execute, adds, starts):
    execute(f"INSERT INTO steps (name, adds) VALUES ('99-future', {adds})")
    if starts:
        open_records(postgres.server.url(fresh)).close()
    else:
        for read_only in (False, True):
            with pytest.raises(RecordsUnavailable) as caught:
                open_records(postgres.server.url(fresh), read_only=read_only)
            assert "99-future" in caught.value.reason


def test_a_role_that_may_not_is_told_who_may(roles):
    url, owner_url = roles
    with pytest.raises(RecordsUnavailable) as caught:
        open_records(url)
    assert "cog-gateway migrate" in caught.value.reason
    assert "DATABASE_OWNER_URL" in caught.value.reason
    migrate_records(url, owner_url)
    # From now on it serves without the owner, also where months come that it cannot make.
    records = open_records(url)
    records.append_audit([AuditRow("a")])
    records.close()


def test_reading_makes_nothing(postgres, empty, as_role):
    url = postgres.server.url(empty)
    with pytest.raises(RecordsUnavailable) as caught:
        open_records(url, read_only=True)
    assert "no catalogue" in caught.value.reason
    with pytest.raises(psycopg.errors.UndefinedTable):
        as_role(url, "SELECT 1 FROM steps")


def test_who_reads_writes_nothing(postgres, fresh):
    records = open_records(postgres.server.url(fresh), read_only=True)
    assert list(records.audit_rows(AuditQuery())) == []
    for write in (lambda: records.append_audit([AuditRow("a")]),
                  lambda: records.set_disabled("a", True, AuditRow("a"))):  # fmt: skip
        with pytest.raises(RecordsUnavailable):
            write()
    records.close()


@pytest.mark.parametrize("name", ["synchronous_commit"])
def test_a_server_that_may_lose_a_commit_is_refused_by_name(postgres, fresh, execute, name):
    execute(f"ALTER DATABASE {fresh} SET {name} = off")
    with pytest.raises(SettingsError, match=name):
        open_records(postgres.server.url(fresh))


def test_a_database_that_cannot_hold_every_text_is_refused(postgres, empty):
    name = f"{empty}_ascii"
    postgres.server.execute(f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        with pytest.raises(SettingsError, match="SQL_ASCII"):
            open_records(postgres.server.url(name))
    finally:
        postgres.server.execute(f"DROP DATABASE {name}")


def test_what_a_database_and_the_environment_are_set_to_does_not_count(postgres, fresh, execute, monkeypatch):
    execute(f"ALTER DATABASE {fresh} SET default_transaction_isolation = 'repeatable read'")
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    with contextlib.closing(connect(postgres.server.url(fresh))) as connection:
        row = connection.execute(
            "SELECT current_setting('transaction_isolation') AS is, %s AS text", ["地図"]
        ).fetchone()
    assert row == {"is": "read committed", "text": "地図"}


@pytest.mark.parametrize(
    ("url", "told"),
    [("postgresql://gateway@127.0.0.1:1/none", "127.0.0.1 port 1"), ("postgresql://u:hidden@[::1]:1/n", "n at ::1")],
)
def test_a_server_that_is_not_there_is_named_without_user_and_password(url, told, monkeypatch):
    with pytest.raises(RecordsUnavailable) as caught:
        open_records(url)
    assert told in caught.value.reason
    assert "hidden" not in caught.value.reason


def test_what_is_no_url_of_postgresql_is_not_repeated():
    with pytest.raises(SettingsError) as caught:
        open_records("postgresql://user:hidden@host:no-port/name?nonsense=1")
    assert "hidden" not in str(caught.value)
