import pytest
from sqlite_utils.utils import sqlite3

from gateway.errors import RecordsUnavailable
from gateway.model import AuditRow
from gateway.records import Archived, AuditQuery, open_records
from gateway.records.sqlite import pruning
from tests.cli.test_audit import moment


@pytest.fixture
def records(tmp_path):
    opened = open_records(tmp_path / "gateway.db")
    opened.append_audit([AuditRow("download.cog", at=moment(day)) for day in (1, 2, 3)])
    yield opened
    opened.close()


PRUNED = AuditRow("audit.pruned", at=moment(20))


def numbers(records):
    """Return the numbers of the rows, that of the act itself left out."""
    return [stored.id for stored in records.audit_rows(AuditQuery()) if stored.row.action != "audit.pruned"]


def acts(records):
    return [stored.row for stored in records.audit_rows(AuditQuery(action="audit.pruned"))]


def refuses_deletes(tmp_path) -> bool:
    connection = sqlite3.connect(tmp_path / "gateway.db")
    try:
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM audit")
    finally:
        connection.close()
    return True


def test_only_old_rows_of_the_span_are_deleted(records, tmp_path):
    assert records.prune_audit(moment(3), Archived(0, 2, 3), PRUNED) == 1
    assert numbers(records) == [1, 3]
    assert refuses_deletes(tmp_path)


def test_a_failure_in_a_later_slice_leaves_its_rows_and_the_trigger(records, tmp_path, monkeypatch):
    monkeypatch.setattr(pruning, "SLICE_ROWS", 1)
    monkeypatch.setattr(pruning, "PAUSE_SECONDS", 0)
    delete = pruning.delete

    def fail_at_the_second(database, numbers, rows):
        deleted = delete(database, numbers, rows)
        if numbers == [2]:
            raise sqlite3.OperationalError("disk I/O error")
        return deleted

    monkeypatch.setattr(pruning, "delete", fail_at_the_second)
    with pytest.raises(RecordsUnavailable):
        records.prune_audit(moment(9), Archived(0, 1, 3), PRUNED)
    assert numbers(records) == [2, 3]
    assert acts(records) == [PRUNED]
    assert refuses_deletes(tmp_path)


def test_rows_that_another_prune_took_do_not_end_this_one(records, monkeypatch):
    monkeypatch.setattr(pruning, "SLICE_ROWS", 1)
    monkeypatch.setattr(pruning, "PAUSE_SECONDS", 0)
    delete = pruning.delete
    # The first row is gone between the look and the delete.
    monkeypatch.setattr(
        pruning, "delete", lambda database, found, rows: delete(database, [] if found == [1] else found, rows)
    )
    assert records.prune_audit(moment(9), Archived(0, 1, 3), PRUNED) == 2
    assert numbers(records) == [1]
    assert acts(records) == [PRUNED]


def test_others_write_between_the_slices(records, tmp_path, monkeypatch):
    monkeypatch.setattr(pruning, "SLICE_ROWS", 1)
    other = open_records(tmp_path / "gateway.db")

    def write(_):
        other.append_audit([AuditRow("download.cog", at=moment(1))])

    monkeypatch.setattr("gateway.records.sqlite.records.time.sleep", write)
    assert records.prune_audit(moment(9), Archived(0, 1, 3), PRUNED) == 3
    assert numbers(records) == [5, 6, 7]
    other.close()


def test_the_end_of_a_download_that_was_pruned_breaks_nothing(records):
    common = {"dataset_id": "d", "request_id": "r1", "at": moment(4)}
    ended = {"outcome": "completed", "bytes_sent": 10}
    records.append_audit([AuditRow("download.cog", **common), AuditRow("download.finished", detail=ended, **common)])
    assert records.prune_audit(moment(9), Archived(0, 1, 4), PRUNED) == 4
    assert list(records.downloads(AuditQuery())) == []
    # The same id of a request again: the end that stayed is not its own.
    records.append_audit([AuditRow("download.cog", **common)])
    (line,) = records.downloads(AuditQuery())
    assert (line.requests, line.completed, line.bytes_sent) == (1, 0, 0)


def test_a_failure_half_way_leaves_rows_and_trigger(records, tmp_path, monkeypatch):
    monkeypatch.setattr(pruning, "NO_DELETE", "no SQL at all")
    with pytest.raises(RecordsUnavailable):
        records.prune_audit(moment(3), Archived(0, 1, 3), PRUNED)
    assert numbers(records) == [1, 2, 3]
    assert acts(records) == []
    assert refuses_deletes(tmp_path)


def test_numbers_are_never_used_again(records):
    records.prune_audit(moment(9), Archived(0, 1, 3), PRUNED)
    records.append_audit([AuditRow("download.cog", at=moment(4))])
    assert numbers(records) == [5]
