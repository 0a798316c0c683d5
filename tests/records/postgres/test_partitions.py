from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records import Archived, AuditQuery, open_records
from gateway.records.postgres import partitions, pruning
from gateway.records.postgres.connection import connect
from gateway.records.postgres.health import ping
from gateway.records.postgres.upkeep import Upkeep

FEBRUARY, MARCH, APRIL = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4))
PRUNED = AuditRow("audit.pruned")


@pytest.fixture
def owner(postgres, fresh):
    connection = connect(postgres.server.url(fresh), long=True)
    yield connection
    connection.close()


def actions(records):
    return [stored.row.action for stored in records.audit_rows(AuditQuery())]


@pytest.mark.parametrize(
    ("moment", "month"),
    [(datetime(2026, 3, 31, 23, 59, 59, 999_000, tzinfo=UTC), MARCH), (MARCH, MARCH),
     (datetime.fromisoformat("2026-03-01T00:30:00+02:00"), FEBRUARY)],
)  # fmt: skip
def test_a_row_lies_in_the_month_of_its_time_in_utc(records, owner, moment, month):
    records.append_audit([AuditRow("a", moment)])
    found = owner.execute("SELECT tableoid::regclass::text AS name FROM audit").fetchall()
    assert found == [{"name": partitions.partition_of(month)}]


def test_months_follow_one_another_over_the_year():
    december = datetime(2026, 12, 31, 23, tzinfo=UTC)
    assert partitions.after(partitions.month_of(december)) == datetime(2027, 1, 1, tzinfo=UTC)
    assert len(list(partitions.months(FEBRUARY, december))) == 11
    assert partitions.month_in("audit_2026_03") == MARCH
    assert partitions.month_in("audit_by_user") is None


def test_the_next_three_months_are_there_at_the_start(records, owner):
    now = datetime.now(UTC)
    there = partitions.attached(owner)
    assert partitions.months_ahead(there, now) == partitions.AHEAD_MONTHS == records.months_ahead()
    assert partitions.months_ahead([month for month in there if month < partitions.month_of(now)], now) == -1


def test_a_row_of_a_month_that_nobody_made_is_not_stored_and_says_why(records):
    with pytest.raises(RecordsUnavailable) as caught:
        records.append_audit([AuditRow("good"), AuditRow("bad", datetime(1999, 1, 1, tzinfo=UTC))])
    assert "migrate" in caught.value.reason
    assert actions(records) == []
    records.append_audit([AuditRow("good")])


def test_without_the_month_of_now_or_with_another_clock_nothing_is_ready(records, owner, execute):
    records.ping()
    with pytest.raises(RecordsUnavailable) as caught:
        ping(owner, datetime.now(UTC) + timedelta(hours=1))
    assert "clocks" in caught.value.reason
    execute(f"ALTER TABLE audit DETACH PARTITION {partitions.partition_of(datetime.now(UTC))}")
    with pytest.raises(RecordsUnavailable):
        records.ping()
    assert records.months_ahead() == partitions.AHEAD_MONTHS


def test_months_are_made_again_by_who_may(postgres, fresh, execute, caplog):
    upkeep = Upkeep(postgres.server.url(fresh))
    assert upkeep.months_ahead() == -1
    later = partitions.after(partitions.month_of(datetime.now(UTC)), 3)
    execute(f"DROP TABLE {partitions.partition_of(later)}")
    upkeep._due = 0.0
    upkeep.months_ahead()
    upkeep.close()
    assert upkeep.months_ahead() == 3
    assert caplog.messages == []


def test_who_may_not_make_months_says_how_many_are_left(roles, caplog):
    url, owner_url = roles
    open_records(url, owner_url).close()
    upkeep = Upkeep(url)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "AHEAD_MONTHS", 9)
        upkeep.make_ahead()
        assert caplog.messages == []
        patch.setattr("gateway.records.postgres.upkeep.LEAST_MONTHS_AHEAD", 4)
        upkeep.make_ahead()
    assert caplog.messages == ["the audit takes rows of 3 months ahead and no more: run `cog-gateway migrate`"]


def test_months_that_cannot_be_made_are_told(caplog):
    Upkeep("postgresql://gateway@127.0.0.1:1/none").make_ahead()
    (told,) = caplog.messages
    assert "no months of the audit were made" in told


@pytest.fixture
def old(records):
    rows = [AuditRow(f"{month.month}", month + timedelta(days=3)) for month in (FEBRUARY, MARCH, MARCH, APRIL)]
    records.append_audit(rows)
    return records


def archived(records, until):
    ids = [stored.id for stored in records.audit_rows(AuditQuery(until=until))]
    return Archived(len(ids), min(ids), max(ids))


def test_whole_months_are_pruned_and_the_act_is_on_record(old):
    until = old.prunable_until(APRIL + timedelta(days=20))
    assert until == APRIL
    assert old.prune_audit(until, archived(old, until), PRUNED) == 3
    assert actions(old) == ["4", "audit.pruned"]


def test_a_row_that_came_after_the_archive_keeps_its_month(old, owner):
    known = archived(old, APRIL)
    old.append_audit([AuditRow("late", FEBRUARY)])
    with pytest.raises(RecordsUnavailable) as caught:
        old.prune_audit(APRIL, known, PRUNED)
    assert "archive them again" in caught.value.reason
    assert actions(old) == ["late", "2", "3", "3", "4"]
    # And takes rows as before, which nobody can change.
    old.append_audit([AuditRow("later", MARCH)])
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute("DELETE FROM audit_2026_03")
    with pytest.raises(psycopg.errors.RestrictViolation):
        owner.execute("TRUNCATE audit_2026_03")


@pytest.mark.parametrize("place", ["detached", "counted"])
def test_a_prune_that_was_cut_off_has_lost_nothing(old, monkeypatch, place):
    known = archived(old, APRIL)
    with monkeypatch.context() as patch:

        def cut(*_):
            raise KeyboardInterrupt

        patch.setattr(pruning if place == "detached" else pruning.audit_rows,
                      "_count" if place == "detached" else "append", cut)  # fmt: skip
        with pytest.raises(KeyboardInterrupt):
            old.prune_audit(APRIL, known, PRUNED)
    assert old.prune_audit(APRIL, known, PRUNED) == 3
    assert actions(old) == ["4", "audit.pruned"]


def test_others_write_and_read_while_months_are_detached(old, monkeypatch):
    known, alter = archived(old, APRIL), pruning._alter

    def beside(connection, change, month):
        old.append_audit([AuditRow("beside")])
        alter(connection, change, month)
        old.append_audit([AuditRow("beside")])

    monkeypatch.setattr(pruning, "_alter", beside)
    assert old.prune_audit(APRIL, known, PRUNED) == 3
    assert actions(old).count("beside") >= 4
