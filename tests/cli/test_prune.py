"""Retention: archived first, on record, then deleted; and nothing else ever is."""

import errno
import hashlib
import json
import stat

import pytest

from gateway.cli import prune
from gateway.model import AuditRow
from gateway.records import Archived, open_records
from gateway.records.sqlite.pruning import SLICE_ROWS
from tests.cli.test_audit import moment, rows  # noqa: F401 - a fixture


def listed(gateway):
    return [json.loads(line) for line in gateway.run("audit", "list", "--json").stdout.splitlines()]


def test_old_rows_are_archived_then_deleted_and_the_pruning_is_on_record(rows):  # noqa: F811
    before, archive = listed(rows), rows.folder / "old.jsonl"
    result = rows.run("audit", "prune", "--before", "2026-01-03", "--archive", str(archive), "--json")
    assert [json.loads(line) for line in archive.read_text().splitlines()] == before[:3]
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert [path.name for path in rows.folder.iterdir() if "part" in path.name] == []
    *left, act = listed(rows)
    assert left == before[3:]
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    told = {"rows": 3, "first_id": before[0]["id"], "last_id": before[2]["id"], "sha256": digest}
    assert act["action"] == "audit.pruned"
    assert act["detail"] == {"before": "2026-01-03T00:00:00.000Z", "archive": "old.jsonl", **told}
    assert json.loads(result.stdout) == {
        "before": "2026-01-03T00:00:00.000Z", "dry_run": False, "archive": str(archive), **told
    }  # fmt: skip
    assert "download.cog" in rows.run("audit", "list").stdout
    assert rows.run("audit", "downloads", "--json").stdout.count("\n") == 1


def test_nothing_old_leaves_neither_a_file_nor_a_row(rows):  # noqa: F811
    before = listed(rows)
    result = rows.run("audit", "prune", "--before", "2025-01-01", "--archive", str(rows.folder / "old.jsonl"))
    assert result.stdout == "0 rows were archived and deleted\n"
    assert not (rows.folder / "old.jsonl").exists()
    assert listed(rows) == before


def test_a_dry_run_only_counts(rows):  # noqa: F811
    before = listed(rows)
    path = str(rows.folder / "old.jsonl")
    result = rows.run("audit", "prune", "--before", "2026-01-03", "--archive", path, "--dry-run")
    assert result.stdout == "3 rows would be archived and deleted\n"
    assert not (rows.folder / "old.jsonl").exists()
    assert listed(rows) == before


@pytest.mark.parametrize("name", ["taken.jsonl", "missing/old.jsonl", "link.jsonl"])
def test_an_archive_that_cannot_be_made_deletes_nothing(rows, name):  # noqa: F811
    (rows.folder / "taken.jsonl").write_text("mine")
    (rows.folder / "link.jsonl").symlink_to(rows.folder / "nowhere")
    before = listed(rows)
    result = rows.run("audit", "prune", "--before", "2026-01-03", "--archive", str(rows.folder / name), exit_code=2)
    assert result.stderr.count("\n") == 1
    assert (rows.folder / "taken.jsonl").read_text() == "mine"
    assert listed(rows) == before


def test_an_archive_that_appears_meanwhile_is_not_overwritten(rows, monkeypatch):  # noqa: F811
    before, archive = listed(rows), rows.folder / "old.jsonl"
    write = prune._write

    def slowly(file, found):
        archive.write_text("somebody else's")
        return write(file, found)

    monkeypatch.setattr(prune, "_write", slowly)
    rows.run("audit", "prune", "--before", "2026-01-03", "--archive", str(archive), exit_code=2)
    assert archive.read_text() == "somebody else's"
    assert listed(rows) == before


def test_a_disk_that_is_full_leaves_no_part_and_deletes_nothing(rows, monkeypatch):  # noqa: F811
    before = listed(rows)
    write = prune._write

    def full(file, found):
        write(file, found)
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(prune, "_write", full)
    path = str(rows.folder / "old.jsonl")
    result = rows.run("audit", "prune", "--before", "2026-01-03", "--archive", path, exit_code=2)
    assert result.stderr == f"Error: the archive {path} cannot be written: no space left on device\n"
    assert [path.name for path in rows.folder.iterdir() if "old" in path.name] == []
    assert listed(rows) == before


def test_a_moment_that_has_not_come_is_refused(rows):  # noqa: F811
    result = rows.run("audit", "prune", "--before", "2999-01-01", "--archive", str(rows.folder / "a"), exit_code=2)
    assert "future" in result.stderr


def test_after_a_kill_between_archive_and_deletion_the_next_run_goes_on(rows, monkeypatch):  # noqa: F811
    before = listed(rows)

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("gateway.records.sqlite.SqliteRecords.prune_audit", killed)
        rows.run("audit", "prune", "--before", "2026-01-03", "--archive", str(rows.folder / "a"), exit_code=130)
    assert listed(rows)[: len(before)] == before
    rows.run("audit", "prune", "--before", "2026-01-03", "--archive", str(rows.folder / "b"))
    assert (rows.folder / "a").read_bytes() == (rows.folder / "b").read_bytes()
    assert listed(rows)[:2] == before[3:]


def test_many_rows_go_in_slices_and_new_ones_stay(gateway):
    (gateway.folder / "state").mkdir()
    records = open_records(gateway.folder / "state" / "gateway.db")
    count = 2 * SLICE_ROWS + 7
    records.append_audit([AuditRow("download.cog", at=moment(1 + n % 2)) for n in range(count)])
    # Old by its time, but written after the archive was.
    archived = Archived(count, 1, count)
    records.append_audit([AuditRow("download.cog", at=moment(1))])
    assert records.prune_audit(moment(2), archived, AuditRow("audit.pruned")) == (count + 1) // 2
    assert len(listed(gateway)) == count // 2 + 2
    records.close()
