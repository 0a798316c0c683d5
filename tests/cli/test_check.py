import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import rasterio

from gateway.cli.workers import DIED
from gateway.model import Finding, Report, Severity
from tests.rasters import write_cog, write_striped

KEYS = {"source", "valid", "depth", "errors", "warnings", "mend", "version"}


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
    assert f"The following errors were found:\n- {path}: " in result.stderr


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
    assert f"The following warnings were found:\n- {path}: There is a gap.\n" in result.stderr
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


@pytest.mark.parametrize("source", ["none.tif", "https://example.org/a.tif", ""])
def test_a_source_that_is_missing_exits_with_2_and_one_line(gateway, source):
    result = gateway.run("check", source, exit_code=2)
    assert result.stdout == ""
    assert result.stderr.startswith(f"{source}: ")
    assert result.stderr.count("\n") == 1


def test_a_missing_source_wins_over_a_bad_one_and_the_rest_is_still_judged(gateway):
    write_striped(gateway.data / "a.tif")
    result = gateway.run("check", gateway.data / "none.tif", gateway.data, exit_code=2)
    assert f"unreadable                  {gateway.data / 'none.tif'}  no such file or folder\n" in result.stderr
    assert "a.tif  " in result.stderr


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
    assert result.stderr.startswith("unreadable                  /none/\\xff.tif  no such file or folder\n")


def test_control_characters_of_a_name_never_reach_the_terminal(gateway):
    path = write_striped(gateway.data / "a.tif").rename(gateway.data / "\x1b[31m.tif")
    result = gateway.run("check", path, exit_code=1)
    assert "\x1b" not in result.output
    assert "\\x1b[31m.tif is NOT" in result.stdout


def test_jobs_judge_in_processes_and_tell_in_order_when_sorted(gateway):
    for number in range(5):
        write_cog(gateway.data / f"{number}.tif", seed=number)
    write_striped(gateway.data / "2.tif")
    in_one = gateway.json("check", gateway.data, exit_code=1)
    assert [t["valid"] for t in in_one] == [True, True, False, True, True]
    assert gateway.json("check", "--jobs", "2", "--sorted", gateway.data, exit_code=1) == in_one
    as_ready = gateway.json("check", "--jobs", "2", gateway.data, exit_code=1)
    assert sorted(as_ready, key=lambda told: told["source"]) == in_one


@pytest.mark.parametrize(("flags", "runs"), [((), ["as_they_come"]), (("--sorted",), ["in_order"])])
def test_only_sorted_waits_for_the_order(gateway, monkeypatch, flags, runs):
    ran = []
    for name in ("as_they_come", "in_order"):
        monkeypatch.setattr(
            f"gateway.cli.runs.{name}",
            lambda work, items, jobs, name=name: (ran.append(name), ((i, work(i)) for i in items))[1],
        )
    gateway.run("check", "--jobs", "2", *flags, write_cog(gateway.data / "a.tif"))
    assert ran == runs


def test_only_files_modified_since_a_moment_are_judged(gateway):
    old, new = write_cog(gateway.data / "a.tif"), write_cog(gateway.data / "b.tif")
    os.utime(old, (0, 0))
    (told,) = gateway.json("check", "--since", "1970-01-02", gateway.data)
    assert told["source"] == str(new)
    assert gateway.json("check", "--since", "2100-01-01T00:00:00+02:00", gateway.data) == []
    gateway.run("check", "--since", "2100-01-01", gateway.data / "none.tif", exit_code=2)
    gateway.run("check", "--since", "yesterday", gateway.data, exit_code=2)


@pytest.mark.parametrize("flags", [(), ("--jobs", "2"), ("--jobs", "2", "--sorted")])
def test_fail_fast_stops_at_the_first_file_that_fails(gateway, flags):
    bad = write_striped(gateway.data / "a.tif")
    assert len(gateway.json("check", *flags, "--fail-fast", bad, *["none.tif"] * 50, exit_code=None)) == 1
    (told,) = gateway.json("check", "--fail-fast", bad, "none.tif", exit_code=1)
    assert told["source"] == str(bad)
    (told,) = gateway.json("check", "--fail-fast", "none.tif", bad, exit_code=2)
    assert told["source"] == "none.tif"


def test_fail_fast_goes_on_while_files_are_true_cogs(gateway):
    for name in ("a.tif", "b.tif"):
        write_cog(gateway.data / name)
    assert len(gateway.json("check", "--fail-fast", gateway.data)) == 2


def test_results_are_told_before_the_next_source_is_looked_up(gateway, monkeypatch):
    from gateway.cli import check, named

    order = []
    expand, tell = named.expand, check.tell
    monkeypatch.setattr(named, "expand", lambda *a: (order.append("found") or each for each in expand(*a)))
    monkeypatch.setattr(check, "tell", lambda *a, **k: order.append("told") or tell(*a, **k))
    for name in ("a.tif", "b.tif"):
        write_cog(gateway.data / name)
    gateway.run("check", gateway.data)
    assert order == ["found", "told", "found", "told"]


def test_a_summary_of_many_files_is_on_stderr_only(gateway, monkeypatch):
    write_cog(gateway.data / "a.tif")
    for name in ("b.tif", "c.tif"):
        write_striped(gateway.data / name)
    result = gateway.run("check", gateway.data, gateway.data / "none.tif", exit_code=2)
    rows = [line.rsplit(maxsplit=1) for line in result.stderr.splitlines()]
    for row in (
        ["valid", "1"],
        ["not valid", "2"],
        ["unreadable", "1"],
        ["not-tiled", "2"],
    ):
        assert row in rows
    assert "valid with warnings" not in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("flags", [("--json", "a.tif", "b.tif"), ("a.tif",)])
def test_one_file_and_programs_get_no_summary(gateway, monkeypatch, flags):
    monkeypatch.chdir(gateway.data)
    for name in ("a.tif", "b.tif"):
        write_cog(gateway.data / name)
    assert gateway.run("check", *flags).stderr == ""


def of(folder, *kinds):
    """Write files of these kinds into a folder: good, striped, cut."""
    for kind in kinds:
        path = (write_cog if kind == "good" else write_striped)(folder / f"{kind}.tif")
        if kind == "cut":
            path.write_bytes(path.read_bytes()[:-100])


def test_of_many_files_a_bad_one_gets_one_line_with_its_name_and_a_good_one_none(gateway, monkeypatch):
    monkeypatch.chdir(gateway.data)
    of(gateway.data, "good", "striped", "cut")
    result = gateway.run("check", ".", exit_code=1)
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "not-tiled                   cut.tif  An image is stored in strips",
        "not-tiled                   striped.tif  An image is stored in strips",
        "outcome    files",
        "valid      1",
        "not valid  2",
        "rule       files",
        "not-tiled  2",
        "1 can be mended: cog-gateway ingest --convert ., or -vv for each command",
    ]


def test_verbose_tells_of_good_files_too_and_whole_findings_and_twice_the_commands(gateway, monkeypatch):
    monkeypatch.chdir(gateway.data)
    of(gateway.data, "good", "striped", "cut")
    once, twice = (gateway.run("check", flag, ".", exit_code=1) for flag in ("-v", "-vv"))
    assert once.stdout == twice.stdout == "good.tif is a valid cloud optimized GeoTIFF\n"
    assert "striped.tif  An image is stored in strips. Rewrite it with" in once.stderr
    assert "gdal_translate -if" not in once.stderr
    assert twice.stderr.count("gdal_translate -if") == 1
    assert "striped.tif striped.cog.tif\n" in twice.stderr
    assert "-vv" not in twice.stderr


def test_warnings_of_one_of_many_files_are_a_line_too(gateway, monkeypatch):
    with_warning(monkeypatch)
    write_cog(gateway.data / "a.tif")
    result = gateway.run("check", gateway.data)
    assert result.stderr.splitlines()[0].split("  ")[-1] == "warning: There is a gap"


def test_what_needs_more_memory_than_there_is_may_not_stop_the_batch(gateway, monkeypatch):
    def exhaust(*_, **__):
        raise MemoryError

    monkeypatch.setattr("gateway.cli.check.inspect", exhaust)
    result = gateway.run("check", write_cog(gateway.data / "a.tif"), exit_code=2)
    assert "cannot be read: out of memory" in result.stderr


def test_a_worker_that_dies_is_a_failed_source(gateway, monkeypatch):
    monkeypatch.setattr("gateway.cli.runs.as_they_come", lambda work, items, jobs: ((item, DIED) for item in items))
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


def test_sidecars_are_told_of_beside_their_raster_and_are_no_files_of_the_folder(gateway):
    path = write_cog(gateway.data / "a.tif")
    for suffix in (".ovr", ".msk", ".aux.xml"):
        Path(f"{path}{suffix}").write_bytes(b"II*\0<PAMDataset><SRS>EPSG:3857</SRS></PAMDataset>")
    for source in (gateway.data, f"{gateway.data}/*"):
        (told,) = gateway.json("check", source)
        assert [found["rule"] for found in told["warnings"]] == [
            "sidecar-overviews", "sidecar-mask", "sidecar-georeferencing",
        ]  # fmt: skip
    gateway.run("check", f"{path}.ovr", exit_code=1)


def test_a_link_that_leads_nowhere_is_a_missing_file_inside_of_a_folder_too(gateway):
    write_cog(gateway.data / "a.tif")
    (gateway.data / "gone.tif").symlink_to(gateway.data / "none")
    (gateway.data / "round.tif").symlink_to("round.tif")
    for command in ("check", "ingest"):
        result = gateway.run(command, gateway.data, exit_code=2)
        assert "gone.tif  a link that leads nowhere" in result.stderr
        assert "round.tif  a link that leads back to itself" in result.stderr


def test_hidden_names_are_told_of_once_below_the_summary(gateway):
    write_cog(gateway.data / "a.tif")
    for name in (".a.tif", ".b.tif"):
        (gateway.data / name).write_bytes(b"II*\0")
    for command in ("check", "ingest"):
        told = gateway.run(command, gateway.data).stderr.splitlines()
        assert [line for line in told if "hidden" in line] == told[-1:]
        assert told[-1].startswith("2 hidden names were passed over: ")
        assert not gateway.run(command, gateway.data, "--json").stderr


def test_a_name_that_is_no_utf_8_is_shown_alike_by_all_commands(gateway):
    path = write_cog(gateway.data / "a.tif").rename(gateway.data / os.fsdecode(b"caf\xe9.tif"))
    shown = f"{gateway.data}/caf\\xe9.tif"
    assert gateway.run("check", path).stdout == f"{shown} is a valid cloud optimized GeoTIFF\n"
    assert gateway.run("check", gateway.data, "-v").stdout == f"{shown} is a valid cloud optimized GeoTIFF\n"
    alone, among = gateway.run("ingest", path, exit_code=2), gateway.run("ingest", gateway.data, exit_code=2)
    for told in (alone, among):
        assert shown in told.stderr
        assert "path is no UTF-8" in told.stderr
    sources = [gateway.json(command, gateway.data, exit_code=code)[0]["source"]
               for command, code in (("check", 0), ("ingest", 2))]  # fmt: skip
    assert sources == [str(path)] * 2


@pytest.mark.parametrize("option", ["-0", "--null"])
@pytest.mark.parametrize("command", ["check", "ingest"])
def test_names_on_stdin_may_end_with_a_nul(gateway, command, option):
    paths = [write_cog(gateway.data / name) for name in ("a.tif", "b\n.tif")]
    told = gateway.json(command, "-", option, stdin="".join(f"{path}\0" for path in paths))
    assert [Path(each["source"]).name for each in told] == ["a.tif", "b\n.tif"]


def test_the_module_runs_as_a_command(tmp_path):
    path = write_cog(tmp_path / "a.tif")
    flags = ["--json", "--jobs", "2", "--sorted"]
    command = [sys.executable, "-m", "gateway", "check", *flags, str(path), str(tmp_path / "none")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    valid, missing = map(json.loads, done.stdout.splitlines())
    assert valid["valid"] is True
    assert (missing["valid"], missing["depth"], missing["errors"][0]["rule"]) == (False, None, "unreadable")
    assert done.stderr == f"{tmp_path / 'none'}: no such file or folder\n"
