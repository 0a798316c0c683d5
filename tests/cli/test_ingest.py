import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from gateway.cog.convert import CannotConvert
from tests.rasters import write_cog, write_striped

KEYS = {"source", "status", "id", "findings", "mend", "report"}


def test_all_in_exits_with_0_and_a_second_run_changes_nothing(gateway):
    write_cog(gateway.data / "a.tif")
    write_cog(gateway.data / "b.tif", seed=2)
    first = gateway.json("ingest", gateway.data)
    again = gateway.json("ingest", gateway.data)
    assert [t["status"] for t in first] == ["registered", "registered"]
    assert [t["status"] for t in again] == ["unchanged", "unchanged"]
    assert [t["id"] for t in first] == [t["id"] for t in again]
    assert all(set(t) == KEYS for t in first + again)


def test_some_refused_exits_with_1_and_the_others_are_in(gateway):
    write_cog(gateway.data / "b.tif")
    write_striped(gateway.data / "a.tif")
    refused, registered = gateway.json("ingest", gateway.data, exit_code=1)
    assert (refused["status"], refused["id"], registered["status"]) == ("refused", None, "registered")
    assert set(refused["findings"][0]) == {"rule", "message", "ifd", "block", "offset"}


def test_people_get_a_line_for_each_source_and_the_reasons_on_stderr(gateway):
    write_cog(gateway.data / "b.tif")
    write_striped(gateway.data / "a.tif")
    result = gateway.run("ingest", gateway.data, gateway.data / "none.tif", exit_code=2)
    assert [line.split()[0] for line in result.stdout.splitlines()] == ["registered"]
    assert result.stderr.splitlines() == [
        f"{'not-tiled':<26}  {gateway.data / 'a.tif'}  An image is stored in strips",
        f"{'failed':<26}  {gateway.data / 'none.tif'}  no such file or folder",
        "outcome     files",
        "registered  1",
        "refused     1",
        "failed      1",
        "rule       files",
        "not-tiled  1",
        f"1 can be mended: cog-gateway ingest --convert {gateway.data} {gateway.data / 'none.tif'}, "
        "or -vv for each command",
    ]


def test_what_is_as_it_was_is_counted_and_gets_a_line_only_when_asked_for(gateway):
    write_cog(gateway.data / "a.tif")
    gateway.run("ingest", gateway.data)
    result = gateway.run("ingest", gateway.data)
    assert (result.stdout, result.stderr.splitlines()[-1]) == ("", "unchanged   1")
    assert gateway.run("ingest", "-v", gateway.data).stdout.split()[::2] == ["unchanged", f"{gateway.data / 'a.tif'}"]
    assert gateway.run("ingest", gateway.data / "a.tif").stdout.startswith("unchanged ")


def test_a_conversion_is_told_and_covers_its_source_until_that_changes(gateway):
    path = write_striped(gateway.data / "a.tif")
    tried = gateway.run("ingest", path, "--convert", "--dry-run")
    assert tried.stdout == f"{'would convert':<26}  -  {path} -> a.cog.tif\n"
    made = gateway.run("ingest", gateway.data, "--convert").stdout.split()
    assert made == ["converted", made[1], str(path), "->", "a.cog.tif"]
    for flags in ((), ("--convert",)):
        again = gateway.run("ingest", "-v", gateway.data, *flags)
        assert f"{'covered':<26}  {made[1]}  {path} -> a.cog.tif\n" in again.stdout
        told = gateway.json("ingest", path, *flags)
        assert [(t["status"], t["id"], t["message"]) for t in told] == [
            ("unchanged", made[1], "its conversion a.cog.tif is registered")
        ]
    write_striped(path, seed=5)
    gateway.run("ingest", path, exit_code=1)


def test_a_conversion_that_is_gone_or_no_true_cog_any_more_covers_nothing(gateway):
    path = write_striped(gateway.data / "a.tif")
    gateway.run("ingest", path, "--convert")
    write_striped(gateway.data / "a.cog.tif", seed=2)
    gateway.run("datasets", "recheck", exit_code=1)
    gateway.run("ingest", path, exit_code=1)
    (gateway.data / "a.cog.tif").unlink()
    gateway.run("ingest", path, exit_code=1)


def test_options_reach_what_covers_a_source(gateway):
    path = write_striped(gateway.data / "a.tif")
    gateway.run("ingest", path, "--convert")
    (told,) = gateway.json("ingest", path, "--visibility", "public")
    assert told["status"] == "updated"
    assert [d["visibility"] for d in gateway.json("datasets", "list")] == ["public"]


def test_what_would_be_done_is_told_as_such(gateway):
    path = write_cog(gateway.data / "a.tif")
    assert gateway.run("ingest", "--dry-run", path).stdout == f"{'would register':<26}  -  {path}\n"
    gateway.run("ingest", path)
    assert gateway.run("ingest", "--dry-run", "--title", "T", path).stdout.startswith("would update ")


def test_files_below_no_root_are_told_once_with_the_roots_and_the_lines_that_make_one(gateway):
    folder = gateway.folder / "My archive"
    folder.mkdir()
    for name in ("a.tif", "b.tif"):
        write_cog(folder / name)
    result = gateway.run("ingest", folder, exit_code=2)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "outcome     files",
        "registered  0",
        "failed      2",
        "2 files lie below no storage root. The roots are:",
        f"  data: file:{gateway.data}",
        "--copy-to ROOT copies files into one of them.",
        "These two lines in the settings file (--config, GATEWAY_CONFIG) make a root of their folder:",
        "  [roots.my-archive]",
        f'  uri = "file:{gateway.folder}/My%20archive"',
        "Name the root above there as well: it is there only as long as none is named.",
    ]
    assert gateway.run("ingest", "-v", folder, exit_code=2).stderr.count("a.tif  lies below no storage root") == 1
    (line, *_) = gateway.run("ingest", folder / "a.tif", exit_code=2).stderr.splitlines()
    assert line.endswith("a.tif: lies below no storage root: --copy-to ROOT copies it into one")


def test_the_lines_that_make_a_root_make_one(gateway):
    folder = gateway.folder / "data" / ".." / "däta 2"
    folder.mkdir()
    path = write_cog(folder / "a.tif")
    told = gateway.run("ingest", path, exit_code=2).stderr.splitlines()
    lines = [line for line in told if line.lstrip().startswith(("[roots.", "uri = "))]
    (gateway.folder / "gateway.toml").write_text("\n".join(lines))
    gateway.run("--config", gateway.folder / "gateway.toml", "ingest", path)


def test_titles_are_stems_and_paths_below_the_root_where_those_say_nothing(gateway):
    for name in ("a/scene.tif", "b/scene.tif", "b/other.tif"):
        (gateway.data / name).parent.mkdir(exist_ok=True)
        write_cog(gateway.data / name)
    gateway.run("ingest", gateway.data)
    gateway.dataset("c/other.tif")
    titles = [(d["key"], d["title"]) for d in gateway.json("datasets", "list", "--sort", "title")]
    assert titles == [
        ("a/scene.tif", "a/scene"), ("b/scene.tif", "b/scene"), ("c/other.tif", "c/other"), ("b/other.tif", "other"),
    ]  # fmt: skip


def test_only_files_modified_since_a_moment_are_taken(gateway):
    old, new = write_cog(gateway.data / "a.tif"), write_cog(gateway.data / "b.tif", seed=2)
    os.utime(old, (0, 0))
    (told,) = gateway.json("ingest", "--since", "1970-01-02", gateway.data)
    assert told["source"] == str(new)


def test_a_folder_without_a_raster_is_refused(gateway):
    (told,) = gateway.json("ingest", gateway.data, exit_code=1)
    assert (told["status"], told["findings"][0]["rule"]) == ("refused", "no-raster")


def test_a_pipe_is_refused(gateway):
    os.mkfifo(gateway.data / "pipe")
    (told,) = gateway.json("ingest", gateway.data / "pipe", exit_code=1)
    assert told["status"] == "refused"


def test_a_missing_source_fails_with_2_and_says_so_in_json(gateway):
    (told,) = gateway.json("ingest", "none.tif", exit_code=2)
    assert told == {
        "source": "none.tif",
        "status": "failed",
        "id": None,
        "findings": [],
        "mend": None,
        "report": None,
        "message": "no such file or folder",
    }


@pytest.mark.parametrize(
    "flags",
    [
        ("--visibility", "private", "--download", "public"),
        ("--copy-to", "nowhere"),
        ("--visibility", "everybody"),
        ("--jobs", "0"),
    ],
)
def test_wrong_usage_exits_with_2_before_anything_is_registered(gateway, flags):
    path = write_cog(gateway.data / "a.tif")
    gateway.run("ingest", path, *flags, exit_code=2)
    assert not (gateway.folder / "state").exists()


def test_the_options_reach_the_dataset(gateway):
    path = write_cog(gateway.data / "a.tif")
    gateway.run("ingest", path, "--visibility", "public", "--download", "internal", "--title", "T", "--owner", "ana")
    (dataset,) = gateway.json("datasets", "list")
    assert [dataset[n] for n in ("visibility", "download", "title", "owner")] == ["public", "internal", "T", "ana"]


def test_copy_to_and_convert_reach_the_root(gateway):
    outside = gateway.folder / "outside"
    (outside / "deep").mkdir(parents=True)
    write_cog(outside / "a.tif")
    write_striped(outside / "deep" / "b.tif")
    told = gateway.json("ingest", outside, "--copy-to", "data", "--convert")
    assert [t["status"] for t in told] == ["registered", "registered"]
    assert [d["key"] for d in gateway.json("datasets", "list")] == ["a.tif", "deep/b.tif"]
    assert [t["status"] for t in gateway.json("ingest", outside, "--copy-to", "data", "--convert")] == [
        "unchanged"
    ] * 2


def test_people_are_told_why_a_file_cannot_be_converted(gateway, monkeypatch):
    def fail(*_):
        raise CannotConvert("GDAL cannot make a COG of it.")

    monkeypatch.setattr("gateway.judging.convert", fail)
    result = gateway.run("ingest", "--convert", write_striped(gateway.data / "a.tif"), exit_code=1)
    assert "a.tif  GDAL cannot make a COG of it\n" in result.stderr
    assert "gdal_translate -if" not in result.stderr


def test_people_are_told_the_command_that_makes_a_cog(gateway):
    path = write_striped(gateway.data / "a.tif")
    result = gateway.run("ingest", path, exit_code=1)
    assert f"mend it with --convert, or: {gateway.json('check', path, exit_code=1)[0]['mend']}\n" in result.stderr


def spoil_a_block(path):
    """Overwrite the middle of a block behind the first, which no structure tells of."""
    with rasterio.open(path) as raster:
        offset = int(raster.get_tag_item("BLOCK_OFFSET_1_0", "TIFF", bidx=1))
        size = int(raster.get_tag_item("BLOCK_SIZE_1_0", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset + size // 2)
        file.write(b"\xff" * 64)


@pytest.mark.parametrize(("depth", "status", "code"), [("blocks", "registered", 0), ("full", "refused", 1)])
def test_a_spoilt_block_is_refused_at_depth_full(gateway, depth, status, code):
    path = write_cog(gateway.data / "a.tif")
    spoil_a_block(path)
    (told,) = gateway.json("ingest", path, "--depth", depth, exit_code=code)
    assert (told["status"], told["report"]["depth"]) == (status, depth)


def test_what_is_on_record_is_judged_again_only_to_look_deeper(gateway):
    path = write_cog(gateway.data / "a.tif")
    found = [gateway.json("ingest", path, *flags)[0] for flags in ([], ["--depth", "full"], ["--depth", "full"], [])]
    assert [told["status"] for told in found] == ["registered", "updated", "unchanged", "unchanged"]
    assert [told["report"]["depth"] for told in found] == ["blocks", "full", "full", "full"]


def test_dry_run_writes_nothing(gateway):
    path = write_cog(gateway.data / "a.tif")
    gateway.catalogue()
    (told,) = gateway.json("ingest", path, "--dry-run")
    assert (told["status"], told["id"]) == ("registered", None)
    assert gateway.json("datasets", "list") == []
    assert gateway.actions() == []


def test_jobs_judge_in_processes_and_tell_in_order(gateway):
    for number in range(4):
        write_cog(gateway.data / f"{number}.tif", seed=number)
    write_striped(gateway.data / "2.tif")
    told = gateway.json("ingest", "--jobs", "2", gateway.data, gateway.data / "none.tif", exit_code=2)
    assert [t["status"] for t in told] == ["registered", "registered", "refused", "registered", "failed"]
    assert len(gateway.json("datasets", "list")) == 3
    again = gateway.json("ingest", "--jobs", "2", gateway.data, exit_code=1)
    assert [t["status"] for t in again] == ["unchanged", "unchanged", "refused", "unchanged"]


def test_a_list_on_stdin_is_taken(gateway):
    path = write_cog(gateway.data / "a.tif")
    (told,) = gateway.json("ingest", "-", stdin=f"{path}\n")
    assert told["status"] == "registered"


def test_a_root_of_the_settings_file_is_found(gateway):
    rasters = gateway.folder / "rasters"
    rasters.mkdir()
    config = gateway.folder / "gateway.toml"
    config.write_text(f'[roots.maps]\nuri = "file:{rasters}"\n')
    gateway.run("--config", config, "ingest", write_cog(rasters / "a.tif"))
    assert [d["root"] for d in gateway.json("datasets", "list")] == ["maps"]


def test_the_script_is_the_command(gateway):
    path = write_cog(gateway.data / "a.tif")
    script = Path(__file__).parents[2] / "scripts" / "ingest.py"
    done = subprocess.run([sys.executable, script, "--json", path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["status"] == "registered"


def test_a_working_directory_whose_name_is_no_utf_8_is_no_traceback(gateway, monkeypatch):
    folder = Path(os.fsdecode(bytes(gateway.folder / "d") + b"\xff"))
    folder.mkdir()
    write_cog(gateway.folder / "a.tif").rename(folder / "a.tif")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(folder / "state"))
    told = gateway.run("ingest", "a.tif", exit_code=2).stderr
    assert told == "a.tif: its path is no UTF-8; records and URLs need one that is: rename it\n"
    assert gateway.json("datasets", "list") == gateway.json("datasets", "recheck") == []
    assert (folder / "state" / "gateway.db").exists()
