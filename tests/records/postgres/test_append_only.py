"""Rows of the audit stay as they are, whoever tries."""

from contextlib import closing
from datetime import UTC, datetime

import psycopg
import pytest

from gateway.cli.prune import prune
from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow, Grant, Level
from gateway.records import AuditQuery, Change, Holder, open_records
from gateway.records.postgres.partitions import month_of, partition_of
from tests.records.conftest import START, act, dataset

MONTH = partition_of(month_of(START))
CHANGES = ["UPDATE {} SET user_id = 'eve'", "DELETE FROM {}", "TRUNCATE {}"]


def kept(records):
    return [stored.row.user_id for stored in records.audit_rows(AuditQuery())]


@pytest.mark.parametrize("table", ["audit", MONTH])
@pytest.mark.parametrize("change", CHANGES)
def test_the_owner_of_the_table_changes_and_empties_nothing(records, execute, change, table):
    records.append_audit([AuditRow("a", START, user_id="ana")])
    with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        execute(change.format(table))
    assert kept(records) == ["ana"]


@pytest.mark.parametrize(
    "statement",
    [*CHANGES, "DROP TABLE {}", "ALTER TABLE {} DISABLE TRIGGER ALL", "ALTER TABLE {} ADD COLUMN x int",
     "INSERT INTO " + MONTH + " (at, action, row_id) VALUES ('2026-03-01', 'x', gen_random_uuid())",
     "ALTER TABLE {} DETACH PARTITION " + MONTH, "SET session_replication_role = replica",
     "DELETE FROM steps"],
)  # fmt: skip
def test_the_servers_role_adds_rows_and_can_do_nothing_else(roles, as_role, statement):
    url, owner_url = roles
    with pytest.MonkeyPatch.context() as patch:
        # So that the month of the tests' rows is there.
        patch.setattr("gateway.records.postgres.partitions.AHEAD_MONTHS", 0)
        open_records(url, owner_url).close()
    as_role(owner_url, "SELECT 1")
    from contextlib import closing

    from gateway.records.postgres.connection import connect
    from gateway.records.postgres.partitions import make

    with closing(connect(owner_url, long=True)) as connection:
        make(connection, START, START)
    records = open_records(url, owner_url)
    records.append_audit([AuditRow("a", START, user_id="ana")])
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        as_role(url, statement.format("audit"))
    assert kept(records) == ["ana"]
    records.close()


def test_the_servers_role_may_do_all_that_the_records_do(roles):
    url, owner_url = roles
    records = open_records(url, owner_url)
    now = AuditRow("now").at
    known = dataset(1, created_at=now, updated_at=now)
    assert records.register_dataset(known, act(now))
    assert records.change_dataset(known.id, Change(title="New"), act(now)).title == "New"
    records.add_grant(Grant(known.id, Level.VIEW, user="ben"), act(now))
    records.set_disabled("ben", True, act(now))
    assert records.standing(known.id, Holder("ben")).refused
    assert records.remove_grant(known.id, act(now), user="ben")
    assert records.find_datasets is not None
    assert records.remove_dataset(known.id, act(now))
    records.append_audit([])
    records.ping()
    assert len(list(records.audit_rows(AuditQuery()))) == 6
    records.close()


def test_a_prune_by_the_servers_role_is_refused_before_it_writes_an_archive(roles, tmp_path):
    url, owner_url = roles
    open_records(url, owner_url=owner_url).close()
    with (
        closing(open_records(url)) as records,
        pytest.raises(RecordsUnavailable, match="cannot be pruned") as refused,
    ):
        prune(records, iter([{"id": 1}]), datetime(2026, 3, 1, tzinfo=UTC), tmp_path / "archive")
    assert "DATABASE_OWNER_URL" in refused.value.told
    assert list(tmp_path.iterdir()) == []
    with closing(open_records(url, owner_url=owner_url)) as records:
        records.require_pruner()
