from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.dates import DatedBy, Dates
from gateway.errors import ObjectMissing, StorageUnavailable, VersionChanged
from gateway.model import AuditRow, Dataset, Finding, Inspection, ObjectStat, Report, Scale, Severity
from gateway.rechecking import Look, RecheckStatus, Seen, Unseen, compare, look, settle
from gateway.records import AuditQuery, Change, open_records
from gateway.storage import open_storage
from tests.rasters import write_cog

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BAD = Finding("tile-checksum", "Tile 3 has a wrong checksum.")
SLACK = Finding("slack", "There is a gap.", Severity.WARNING)


def dataset(report=None, **facts):
    known = Dataset(
        id="3f2b0a52-52b8-4d0c-9b1c-6a8f0e7d9b11", root="data", key="a.tif", title="a", owner=None,
        visibility=Scale.PUBLIC, download=Scale.PUBLIC, version="1", size_bytes=9, report=report or Report("blocks"),
        raster=None, created_at=NOW, updated_at=NOW, sha256="aa", collection="data",
        dates=Dates(NOW, NOW, DatedBy.MODIFIED),
    )  # fmt: skip
    return replace(known, **facts)


def seen(*findings, depth="blocks", version="1", sha256=None):
    return Seen(Inspection(Report(depth, findings), None), ObjectStat(version, 9, NOW), sha256)


def test_a_shallower_look_at_the_same_bytes_does_not_clear_a_file():
    known = dataset(Report("full", (BAD,)))
    found = compare(known, seen(depth="header"))
    assert (found.status, found.now, found.gone) == (RecheckStatus.NOT_VALID, known, ())


def test_a_shallower_look_that_finds_something_stands():
    found = compare(dataset(Report("full")), seen(BAD, depth="header"))
    assert (found.status, found.now.report.depth, found.new) == (
        RecheckStatus.NOT_VALID,
        "header",
        ("tile-checksum",),
    )


@pytest.mark.parametrize(("depth", "version"), [("header", "2"), ("full", "1")])
def test_other_bytes_or_a_look_as_deep_stand(depth, version):
    found = compare(dataset(Report("full", (BAD, SLACK))), seen(depth=depth, version=version))
    assert (found.status, found.now.report.depth) == (RecheckStatus.VALID, depth)
    assert found.gone == ("slack", "tile-checksum")


def test_a_digest_is_that_of_its_version():
    assert compare(dataset(), seen()).now.sha256 == "aa"
    assert compare(dataset(), seen(version="2")).now.sha256 is None
    assert compare(dataset(), seen(version="2", sha256="bb")).status is RecheckStatus.VALID
    assert compare(dataset(sha256=None), seen(sha256="bb")).status is RecheckStatus.VALID
    assert compare(dataset(), seen(sha256="bb")).status is RecheckStatus.ALTERED


def test_altered_bytes_are_judged_by_any_look():
    found = compare(dataset(Report("full", (BAD,))), seen(depth="blocks", sha256="bb"))
    assert (found.status, found.now.report.depth) == (RecheckStatus.ALTERED, "blocks")


class Storage:
    """A storage whose objects cannot be opened."""

    def __init__(self, error):
        self.error = error

    def open(self, key):
        raise self.error


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ObjectMissing("No such object."), RecheckStatus.MISSING, "the object is gone"),
        (StorageUnavailable("It is down."), RecheckStatus.UNREADABLE, "It is down."),
        (OSError(5, "Input/output error"), RecheckStatus.UNREADABLE, "cannot be read or written: input/output error"),
        (MemoryError(), RecheckStatus.UNREADABLE, "out of memory"),
    ],
)
def test_what_cannot_be_judged_is_told_and_raises_nothing(error, status, message):
    assert look(Look(dataset(), Storage(error))) == Unseen(status, message)


def test_a_file_that_keeps_changing_is_given_up(tmp_path, monkeypatch):
    def change(*_, **__):
        raise VersionChanged("changed")

    write_cog(tmp_path / "a.tif")
    monkeypatch.setattr("gateway.rechecking.inspect", change)
    found = look(Look(dataset(), open_storage("data", f"file:{tmp_path}")))
    assert found == Unseen(RecheckStatus.UNREADABLE, "the file is being written to")


@pytest.mark.parametrize(
    ("depth", "version_known", "sha256", "digested"),
    [
        ("header", False, None, False),
        ("blocks", False, "aa", True),
        ("blocks", True, None, True),
        ("blocks", True, "aa", False),
        ("full", True, "aa", True),
    ],
)
def test_all_bytes_are_read_only_where_a_digest_is_due(tmp_path, depth, version_known, sha256, digested):
    write_cog(tmp_path / "a.tif")
    storage = open_storage("data", f"file:{tmp_path}")
    version = storage.stat("a.tif").version if version_known else "old"
    found = look(Look(dataset(version=version, sha256=sha256), storage, depth))
    assert isinstance(found, Seen)
    assert (found.sha256 is not None) is digested


def test_the_same_verdict_at_a_later_moment_is_stored_and_changes_nothing_else(tmp_path):
    records, later = open_records(tmp_path / "gateway.db"), datetime(2026, 5, 1, tzinfo=UTC)
    known = dataset(Report("blocks", checked_at=NOW))
    records.register_dataset(known, AuditRow("test.act"))
    again = Seen(Inspection(Report("blocks", checked_at=later), None), ObjectStat("1", 9, NOW), None)
    assert settle(records, known, again).changes == ()
    now = records.dataset(known.id)
    assert (now, now.report.checked_at) == (known, later)
    records.close()


def test_a_record_that_was_removed_meanwhile_is_not_brought_back(tmp_path):
    records = open_records(tmp_path / "gateway.db")
    found = settle(records, dataset(), seen())
    assert (found.status, found.changes) == (RecheckStatus.MISSING, ("the record was removed meanwhile",))
    assert list(records.audit_rows(AuditQuery())) == []
    records.close()


def test_of_two_that_judge_at_once_the_second_compares_with_what_the_first_has_found(tmp_path, monkeypatch):
    records = open_records(tmp_path / "gateway.db")
    records.register_dataset(dataset(), AuditRow("test.act"))
    judge, compared = records.judge_dataset, []

    def late(known, verdict, row):
        compared.append(known.version)
        if len(compared) == 1:
            records.change_dataset(known.id, Change(visibility=Scale.PRIVATE), AuditRow("test.act"))
            judge(known, replace(verdict, version="between"), AuditRow("test.act"))
        return judge(known, verdict, row)

    monkeypatch.setattr(records, "judge_dataset", late)
    found = settle(records, dataset(), seen(version="new"))
    assert compared == [dataset().version, "between"]
    assert found.before.version == "between"
    now = records.dataset(dataset().id)
    assert (now.version, now.visibility) == ("new", Scale.PRIVATE)
    (row,) = [stored.row for stored in records.audit_rows(AuditQuery(action="dataset.judged"))]
    assert row.detail["replaced"] == "between"
    monkeypatch.setattr(records, "judge_dataset", lambda *_: None)
    assert settle(records, dataset(), seen(version="newer")).status is RecheckStatus.UNREADABLE
    records.close()
