import sqlite3

import pytest

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records import AuditQuery, open_records, pruning
from tests.cli.test_audit import moment


@pytest.fixture
def records(tmp_path):
    opened = open_records(tmp_path / "gateway.db")
    opened.append_audit([AuditRow("download.cog", at=moment(day)) for day in (1, 2, 3)])
    yield opened
    opened.close()


def numbers(records):
    return [stored.id for stored in records.audit_rows(AuditQuery())]


def refuses_deletes(tmp_path) -> bool:
    connection = sqlite3.connect(tmp_path / "gateway.db")
    try:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM audit")
    finally:
        connection.close()
    return True


def test_only_old_rows_of_the_span_are_deleted(records, tmp_path):
    assert records.prune_audit(moment(3), 2, 3) == 1
    assert numbers(records) == [1, 3]
    assert refuses_deletes(tmp_path)


def test_a_failure_half_way_leaves_rows_and_trigger(records, tmp_path, monkeypatch):
    monkeypatch.setattr(pruning, "NO_DELETE", "no SQL at all")
    with pytest.raises(RecordsUnavailable):
        records.prune_audit(moment(3), 1, 3)
    assert numbers(records) == [1, 2, 3]
    assert refuses_deletes(tmp_path)


def test_numbers_are_never_used_again(records):
    records.prune_audit(moment(9), 1, 3)
    records.append_audit([AuditRow("download.cog", at=moment(4))])
    assert numbers(records) == [4]
