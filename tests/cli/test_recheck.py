import os
import uuid

import pytest

from gateway.cli.workers import DIED
from tests.rasters import write_cog, write_striped

KEYS = {"id", "title", "status", "was_valid", "version", "version_before", "new", "gone", "changes", "report"}


def judged(gateway):
    return [detail for action, detail in gateway.actions() if action == "dataset.judged"]


def test_what_is_as_it_was_exits_with_0_and_stays_as_it_is_on_record(gateway):
    dataset_id = gateway.dataset()
    before = gateway.json("datasets", "show", dataset_id)
    (told,) = gateway.json("datasets", "recheck")
    assert set(told) == KEYS
    assert (told["id"], told["status"], told["was_valid"], told["changes"]) == (dataset_id, "valid", True, [])
    assert gateway.json("datasets", "show", dataset_id) == before
    assert judged(gateway) == [{"valid": True, "depth": "blocks", "new": [], "gone": []}]


def test_a_file_that_is_no_cog_any_more_exits_with_1_and_its_verdict_is_stored(gateway):
    dataset_id = gateway.dataset()
    write_striped(gateway.data / "a.tif")
    (told,) = gateway.json("datasets", "recheck", exit_code=1)
    assert (told["status"], told["was_valid"]) == ("not-valid", True)
    assert "not-tiled" in told["new"]
    assert told["version"] != told["version_before"]
    assert told["changes"][:2] == ["was valid, is not", "the version changed"]
    (shown,) = gateway.json("datasets", "show", dataset_id)
    assert (shown["version"], shown["report"]["valid"], shown["sha256"]) == (told["version"], False, None)
    assert judged(gateway)[-1]["replaced"] == told["version_before"]


def test_a_mended_file_is_told_and_has_its_digest_again(gateway):
    dataset_id = gateway.dataset()
    digest = gateway.json("datasets", "show", dataset_id)[0]["sha256"]
    write_striped(gateway.data / "a.tif")
    gateway.run("datasets", "recheck", exit_code=1)
    write_cog(gateway.data / "a.tif")
    (told,) = gateway.json("datasets", "recheck")
    assert "not-tiled" in told["gone"]
    assert told["changes"][0] == "was not valid, is now"
    assert gateway.json("datasets", "show", dataset_id)[0]["sha256"] == digest


def test_people_get_a_line_for_each_dataset_its_changes_and_a_summary(gateway):
    first, second = gateway.dataset("\x1b[31mNorth.tif"), gateway.dataset("b.tif")
    (gateway.data / "b.tif").unlink()
    result = gateway.run("datasets", "recheck", exit_code=1)
    assert result.stdout.splitlines() == [
        f"missing                     {second}  data:b.tif  the object is gone",
    ]
    assert gateway.run("datasets", "recheck", "-v", exit_code=1).stdout.splitlines()[0] == (
        f"valid                       {first}  data:\\x1b[31mNorth.tif"
    )
    assert ["missing", "1"] in [line.split() for line in result.stderr.splitlines()]


def test_a_missing_object_leaves_the_record_as_it_is(gateway):
    dataset_id = gateway.dataset()
    before = gateway.json("datasets", "show", dataset_id)
    (gateway.data / "a.tif").unlink()
    (told,) = gateway.json("datasets", "recheck", exit_code=1)
    assert (told["status"], told["changes"]) == ("missing", ["the object is gone"])
    assert gateway.json("datasets", "show", dataset_id) == before


def test_storage_that_cannot_be_reached_exits_with_2(gateway):
    gateway.dataset()
    gateway.data.rename(gateway.folder / "elsewhere")
    (told,) = gateway.json("datasets", "recheck", exit_code=2)
    assert (told["status"], len(told["changes"])) == ("unreadable", 1)


def test_a_root_that_is_not_in_the_settings_any_more_exits_with_2(gateway, monkeypatch):
    gateway.dataset()
    monkeypatch.setenv("GATEWAY_ROOTS", '{"other": {"uri": "file:data"}}')
    (told,) = gateway.json("datasets", "recheck", exit_code=2)
    assert told["changes"] == ["there is no storage root named data"]


def test_only_the_named_datasets_are_judged_each_once(gateway):
    first, second = gateway.dataset("a.tif"), gateway.dataset("b.tif")
    assert [t["id"] for t in gateway.json("datasets", "recheck", second, second.upper())] == [second]
    assert [t["id"] for t in gateway.json("datasets", "recheck", second, first)] == [second, first]


def test_an_unknown_id_exits_with_1_before_anything_is_judged(gateway):
    gateway.run("datasets", "recheck", gateway.dataset(), uuid.uuid4(), exit_code=1)
    assert judged(gateway) == []


def test_without_datasets_there_is_nothing_to_tell(gateway):
    gateway.catalogue()
    assert gateway.run("datasets", "recheck").output == ""


@pytest.mark.parametrize("depth", ["header", "blocks", "full"])
def test_the_depth_is_the_one_that_was_asked_for(gateway, depth):
    gateway.dataset()
    gateway.json("datasets", "recheck", "--depth", depth)
    assert judged(gateway)[-1]["depth"] == depth


def alter_a_name(path):
    """Change a byte of the CRS's name in place; size, time and inode stay."""
    times = os.stat(path)
    with path.open("r+b") as file:
        file.seek(path.read_bytes().index(b"UTM zone"))
        file.write(b"utm zone")
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_bytes_that_changed_in_place_are_found_at_depth_full(gateway):
    dataset_id = gateway.dataset()
    before = gateway.json("datasets", "show", dataset_id)[0]["sha256"]
    alter_a_name(gateway.data / "a.tif")
    assert gateway.json("datasets", "recheck")[0]["status"] == "valid"
    (told,) = gateway.json("datasets", "recheck", "--depth", "full", exit_code=1)
    assert (told["status"], told["new"]) == ("altered", [])
    assert told["changes"] == ["the bytes changed, although size, time and inode did not"]
    assert judged(gateway)[-1]["sha256_before"] == before
    assert gateway.json("datasets", "show", dataset_id)[0]["sha256"] not in (before, None)


def test_a_digest_that_still_holds_is_kept(gateway):
    dataset_id = gateway.dataset()
    before = gateway.json("datasets", "show", dataset_id)[0]["sha256"]
    gateway.run("datasets", "recheck", "--depth", "full")
    shown = gateway.json("datasets", "show", dataset_id)[0]
    assert (shown["sha256"], shown["report"]["depth"]) == (before, "full")


def test_jobs_judge_in_processes_and_tell_in_order(gateway):
    ids = [gateway.dataset(f"{n}.tif") for n in range(4)]
    write_striped(gateway.data / "2.tif")
    told = gateway.json("datasets", "recheck", "--jobs", "2", exit_code=1)
    assert [t["id"] for t in told] == ids
    assert [t["status"] for t in told] == ["valid", "valid", "not-valid", "valid"]


def test_a_process_that_dies_is_an_unreadable_dataset(gateway, monkeypatch):
    gateway.dataset()
    monkeypatch.setattr("gateway.cli.runs.in_order", lambda work, items, jobs: ((item, DIED) for item in items))
    (told,) = gateway.json("datasets", "recheck", exit_code=2)
    assert told["changes"] == [DIED]


def test_another_true_cog_in_the_place_of_a_file_is_counted_as_replaced(gateway):
    dataset_id, _ = gateway.dataset("a.tif"), gateway.dataset("b.tif")
    write_cog(gateway.data / "a.tif", seed=9)
    result = gateway.run("datasets", "recheck")
    assert result.stdout == f"replaced                    {dataset_id}  data:a.tif  the version changed\n"
    assert [line.split() for line in result.stderr.splitlines()][1:] == [["valid", "1"], ["replaced", "1"]]
    assert (
        gateway.run("datasets", "recheck", dataset_id).stdout
        == f"valid                       {dataset_id}  data:a.tif\n"
    )
