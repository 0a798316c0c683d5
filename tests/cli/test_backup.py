"""A copy of the catalogue is whole, as of one moment, and of what is really there."""

import stat
import threading

import pytest

from gateway.model import AuditRow
from gateway.records import open_records


def test_a_backup_taken_while_others_write_is_a_state_to_go_on_with(gateway):
    dataset = gateway.dataset(visibility="public")
    records = open_records(gateway.folder / "state" / "gateway.db")
    stop = threading.Event()

    def write():
        while not stop.is_set():
            records.append_audit([AuditRow("download.cog", dataset_id=dataset)])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        (told,) = gateway.json("backup", gateway.folder / "copy.db")
    finally:
        stop.set()
        writer.join()
        records.close()
    copy = gateway.folder / "copy.db"
    assert (told["file"], told["size_bytes"]) == (str(copy), copy.stat().st_size)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    restored = gateway.folder / "restored"
    restored.mkdir()
    copy.rename(restored / "gateway.db")
    assert ("catalogue.copied", {"file": "copy.db"}) in gateway.actions()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWAY_STATE_DIR", str(restored))
        assert [each["id"] for each in gateway.json("datasets", "list")] == [dataset]
        gateway.run("users", "disable", "ben")
    again = open_records(restored / "gateway.db")
    assert again.is_whole(5)
    again.close()


@pytest.mark.parametrize("name", ["taken.db", "missing/copy.db", "link.db"])
def test_a_backup_that_cannot_be_made_is_told_in_a_line(gateway, name):
    gateway.dataset()
    (gateway.folder / "taken.db").write_text("mine")
    (gateway.folder / "link.db").symlink_to(gateway.folder / "nowhere")
    result = gateway.run("backup", gateway.folder / name, exit_code=2)
    assert result.stderr.count("\n") == 1
    assert "cannot be written" in result.stderr
    assert (gateway.folder / "taken.db").read_text() == "mine"
    assert list(gateway.folder.rglob("*.part")) == []
    # What has not happened is not on record.
    assert [action for action, _ in gateway.actions()] == ["dataset.ingested"]


def test_there_is_no_backup_of_nothing(gateway):
    result = gateway.run("backup", gateway.folder / "copy.db", exit_code=2)
    assert "there is no catalogue" in result.stderr
    assert not (gateway.folder / "copy.db").exists()
    assert not (gateway.folder / "state").exists()


def test_a_backup_for_people_is_one_line(gateway):
    gateway.dataset()
    assert "bytes in" in gateway.run("backup", gateway.folder / "copy.db").stdout
