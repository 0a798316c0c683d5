import json
import os
import shlex
import subprocess
import sys

import pytest
import rasterio

from gateway.cli.check import siblings_of
from gateway.cli.workers import DIED
from gateway.model import Finding, Report, Severity
from tests.rasters import write_cog, write_striped

KEYS = {"source", "valid", "depth", "errors", "warnings", "mend"}


def with_warning(monkeypatch):
    from gateway.model import Inspection

    report = Report("blocks", (Finding("slack", "There is a gap.", Severity.WARNING),))
    monkeypatch.setattr("gateway.cli.check.inspect", lambda *_, **__: Inspection(report, None))


def test_a_true_cog_is_said_to_be_one_as_rio_cogeo_says_it(gateway):
    path = write_cog(gateway.data / "a.tif")
    result = gateway.run("check", path)
    assert result.stdout == f"{path} is a valid cloud optimized GeoTIFF\n"


def test_what_is_no_cog_exits_with_1_and_its_errors_are_on_stderr(gateway):
    path = write_striped(gateway.data / "a.tif")
    result = gateway.run("check", path, exit_code=1)
    assert result.stdout == f"{path} is NOT a valid cloud optimized GeoTIFF\n"
    assert "The following errors were found:\n- " in result.stderr


def test_the_command_that_makes_a_cog_stands_under_the_errors(gateway):
    path = write_striped(gateway.data / "it's a.tif")
    errors, line = gateway.run("check", path, exit_code=1).stderr.split("This makes a COG of it:\n")
    assert "strips" in errors
    assert shlex.split(line)[:5] == ["gdal_translate", "-if", "GTiff", "-of", "COG"]
    assert shlex.split(line)[-2:] == [str(path), str(gateway.data / "it's a.cog.tif")]
    (told,) = gateway.json("check", path, exit_code=1)
    assert told["mend"] == line.strip()


def test_no_command_is_told_for_a_cog_or_for_what_none_mends(gateway):
    path = write_striped(gateway.data / "a.tif")
    path.write_bytes(path.read_bytes()[:-100])
    assert "This makes" not in gateway.run("check", path, exit_code=1).stderr
    told = gateway.json("check", path, write_cog(gateway.data / "b.tif"), exit_code=1)
    assert [t["mend"] for t in told] == [None, None]


def test_warnings_are_told_and_fail_only_when_strict(gateway, monkeypatch):
    with_warning(monkeypatch)
    path = write_cog(gateway.data / "a.tif")
    result = gateway.run("check", path)
    assert "The following warnings were found:\n- There is a gap.\n" in result.stderr
    assert "NOT" in gateway.run("check", "--strict", path, exit_code=1).stdout
    (told,) = gateway.json("check", "--strict", path, exit_code=1)
    assert told["valid"] is False


def test_json_is_one_object_for_each_file_in_order(gateway):
    good, bad = write_cog(gateway.data / "b.tif"), write_striped(gateway.data / "a.tif")
    told = gateway.json("check", good, bad, exit_code=1)
    assert [(t["source"], t["valid"]) for t in told] == [(str(good), True), (str(bad), False)]
    assert all(set(t) == KEYS for t in told)
    assert set(told[1]["errors"][0]) == {"rule", "message", "ifd", "block", "offset"}


@pytest.mark.parametrize("depth", ["header", "blocks", "full"])
def test_the_depth_is_the_one_that_was_asked_for(gateway, depth):
    (told,) = gateway.json("check", "--depth", depth, write_cog(gateway.data / "a.tif"))
    assert (told["depth"], told["valid"]) == (depth, True)


def test_an_unknown_depth_is_wrong_usage(gateway):
    gateway.run("check", "--depth", "deepest", "x.tif", exit_code=2)


@pytest.mark.parametrize("name", ["pipe", "empty.tif", "folder", "text.tif"])
def test_what_is_there_and_is_no_cog_exits_with_1(gateway, name):
    os.mkfifo(gateway.data / "pipe")
    (gateway.data / "empty.tif").touch()
    (gateway.data / "text.tif").write_text("no raster")
    (gateway.data / "folder").mkdir()
    (told,) = gateway.json("check", gateway.data / name, exit_code=1)
    assert told["valid"] is False
    assert told["errors"]


def test_a_folder_without_a_raster_has_a_rule_of_its_own(gateway):
    (told,) = gateway.json("check", gateway.data, exit_code=1)
    assert [e["rule"] for e in told["errors"]] == ["no-raster"]


@pytest.mark.parametrize("source", ["none.tif", "none/*.tif", "https://example.org/a.tif", ""])
def test_a_source_that_is_missing_exits_with_2_and_one_line(gateway, source):
    result = gateway.run("check", source, exit_code=2)
    assert result.stdout == ""
    assert result.stderr.startswith(f"{source}: ")
    assert result.stderr.count("\n") == 1


def test_a_missing_source_wins_over_a_bad_one_and_the_rest_is_still_judged(gateway):
    write_striped(gateway.data / "a.tif")
    result = gateway.run("check", gateway.data / "none.tif", gateway.data, exit_code=2)
    assert "a.tif is NOT a valid" in result.stdout


def test_a_file_that_may_not_be_read_exits_with_2(gateway, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("gateway.cli.check.open_file", refuse)
    result = gateway.run("check", write_cog(gateway.data / "a.tif"), exit_code=2)
    assert "cannot be read: permission denied" in result.stderr


def test_folders_patterns_and_stdin_are_taken(gateway):
    for name in ("a.tif", "b.tif"):
        write_cog(gateway.data / name)
    by_folder = gateway.json("check", gateway.data)
    by_pattern = gateway.json("check", f"{gateway.data}/*.tif")
    by_stdin = gateway.json("check", "-", stdin=f"{gateway.data}/a.tif\n\n{gateway.data}/b.tif\n")
    assert by_folder == by_pattern == by_stdin
    assert len(by_folder) == 2


def test_a_list_on_stdin_may_hold_names_that_are_no_utf8(gateway):
    result = gateway.run("check", "-", stdin=b"/none/\xff.tif\n", exit_code=2)
    assert result.stderr == "/none/\\udcff.tif: no such file or folder\n"


def test_control_characters_of_a_name_never_reach_the_terminal(gateway):
    path = write_striped(gateway.data / "a.tif").rename(gateway.data / "\x1b[31m.tif")
    result = gateway.run("check", path, exit_code=1)
    assert "\x1b" not in result.output
    assert "\\x1b[31m.tif is NOT" in result.stdout


def test_jobs_judge_in_processes_and_tell_in_order(gateway):
    for number in range(5):
        write_cog(gateway.data / f"{number}.tif", seed=number)
    write_striped(gateway.data / "2.tif")
    told = gateway.json("check", "--jobs", "2", gateway.data, exit_code=1)
    assert [t["valid"] for t in told] == [True, True, False, True, True]
    assert told == gateway.json("check", gateway.data, exit_code=1)


def test_a_worker_that_dies_is_a_failed_source(gateway, monkeypatch):
    monkeypatch.setattr("gateway.cli.check.in_order", lambda work, items, jobs: ((item, DIED) for item in items))
    result = gateway.run("check", "--jobs", "2", write_cog(gateway.data / "a.tif"), exit_code=2)
    assert DIED in result.stderr


def without_overviews(folder):
    path = write_cog(folder / "a.tif")
    target = folder / "flat.tif"
    rasterio.shutil.copy(path, target, driver="COG", overviews="NONE", blocksize=256)
    return target


def test_missing_overviews_are_an_error_unless_allowed_by_flag_or_setting(gateway, monkeypatch):
    path = without_overviews(gateway.data)
    gateway.run("check", path, exit_code=1)
    (told,) = gateway.json("check", "--allow-missing-overviews", path)
    assert told["warnings"]
    monkeypatch.setenv("GATEWAY_ALLOW_MISSING_OVERVIEWS", "true")
    gateway.run("check", path)


def test_check_makes_no_state(gateway):
    gateway.run("check", write_cog(gateway.data / "a.tif"))
    assert not (gateway.folder / "state").exists()


def test_names_beside_a_file_are_none_where_the_folder_cannot_be_listed(tmp_path):
    (tmp_path / "a.tif").touch()
    assert siblings_of(tmp_path / "a.tif") == {"a.tif"}
    assert siblings_of(tmp_path / "none" / "a.tif") == frozenset()


def test_the_module_runs_as_a_command(tmp_path):
    path = write_cog(tmp_path / "a.tif")
    command = [sys.executable, "-m", "gateway", "check", "--json", "--jobs", "2", str(path), str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    valid, missing = map(json.loads, done.stdout.splitlines())
    assert valid["valid"] is True
    assert (missing["valid"], missing["depth"], missing["errors"][0]["rule"]) == (False, None, "unreadable")
    assert done.stderr == f"{tmp_path / 'none'}: no such file or folder\n"
