"""check --resume: what a report tells already is not judged again, and the exit code is that of the whole."""

import fcntl
import json
import os

import pytest

from tests.rasters import write_cog, write_striped


@pytest.fixture
def report(gateway):
    return gateway.folder / "report.jsonl"


def told(report):
    return [json.loads(line) for line in report.read_text().splitlines()]


def check(gateway, report, *more, exit_code=0):
    """Judge the folder; returns the names of the files that were judged now."""
    found = gateway.json("check", gateway.data, "--resume", report, *more, exit_code=exit_code)
    return [os.path.basename(line["source"]) for line in found]


def test_a_report_is_begun_and_a_second_run_judges_nothing_again(gateway, report):
    for name in "ab":
        write_cog(gateway.data / f"{name}.tif")
    assert check(gateway, report) == ["a.tif", "b.tif"]
    lines = report.read_bytes()
    assert [line["source"] for line in told(report)] == [str(gateway.data / f"{name}.tif") for name in "ab"]
    assert check(gateway, report) == []
    assert report.read_bytes() == lines


def test_the_lines_of_a_report_that_was_printed_go_on_as_well(gateway, report):
    write_cog(gateway.data / "a.tif")
    report.write_text(gateway.run("check", gateway.data, "--json").stdout)
    write_cog(gateway.data / "b.tif")
    assert check(gateway, report) == ["b.tif"]


@pytest.mark.parametrize("torn", [1, 9, 40])
def test_a_torn_last_line_is_dropped_and_its_file_judged(gateway, report, torn):
    for name in "ab":
        write_cog(gateway.data / f"{name}.tif")
    check(gateway, report)
    whole = report.read_bytes().splitlines(keepends=True)
    report.write_bytes(whole[0] + whole[1][:torn])
    assert check(gateway, report) == ["b.tif"]
    assert [line["source"] for line in told(report)] == [str(gateway.data / f"{name}.tif") for name in "ab"]


def test_a_file_that_changed_is_judged_again_and_its_new_verdict_counts(gateway, report):
    write_cog(gateway.data / "a.tif")
    check(gateway, report)
    write_striped(gateway.data / "a.tif")
    assert check(gateway, report, exit_code=1) == ["a.tif"]
    write_cog(gateway.data / "a.tif", seed=3)
    assert check(gateway, report) == ["a.tif"]


def test_what_was_told_before_counts_for_the_exit_code(gateway, report):
    write_striped(gateway.data / "a.tif")
    check(gateway, report, exit_code=1)
    assert check(gateway, report, exit_code=1) == []
    result = gateway.run("check", gateway.data, "--resume", report, exit_code=1)
    assert "1 were judged before; of them, 1 fail" in result.stderr
    # What is no source of this run does not count.
    gateway.run("check", write_cog(gateway.data / "b.tif"), "--resume", report)


def test_what_could_not_be_read_is_tried_again(gateway, report):
    (gateway.data / "a.tif").symlink_to("nowhere")
    check(gateway, report, exit_code=2)
    (gateway.data / "a.tif").unlink()
    write_cog(gateway.data / "a.tif")
    assert check(gateway, report) == ["a.tif"]


def test_a_deeper_look_is_taken_where_the_report_tells_of_a_shallower_one(gateway, report):
    write_cog(gateway.data / "a.tif")
    check(gateway, report)
    assert check(gateway, report, "--depth", "full") == ["a.tif"]
    assert check(gateway, report) == []


def test_warnings_that_were_told_fail_once_they_are_to(gateway, report, monkeypatch):
    write_cog(gateway.data / "a.tif")
    check(gateway, report)
    line = {**told(report)[0], "warnings": [{"rule": "slack"}]}
    report.write_text(json.dumps(line) + "\n")
    assert check(gateway, report) == []
    assert check(gateway, report, "--strict", exit_code=1) == []


@pytest.mark.parametrize("content", [b"notes\n", b"notes", b"[1]\n", b'{"source": "a"}\n', b"\xff\xfe\n"])
def test_a_file_that_is_no_report_is_left_as_it_is(gateway, report, content):
    report.write_bytes(content)
    result = gateway.run("check", gateway.data, "--resume", report, exit_code=2)
    assert "is no report of check --json: line 1 is none of its lines" in result.stderr
    assert report.read_bytes() == content


def test_two_commands_do_not_write_one_report(gateway, report):
    with report.open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        result = gateway.run("check", gateway.data, "--resume", report, exit_code=2)
    assert f"another command writes {report}" in result.stderr


@pytest.mark.parametrize("depth", ["[1]", '{"a": 1}', '"deepest"', "[" * 50_000])
def test_lines_of_a_report_that_nobody_wrote_are_refused_in_words(gateway, report, depth):
    report.write_text(f'{{"source": "a.tif", "errors": [], "warnings": [], "version": "1", "depth": {depth}}}\n')
    result = gateway.run("check", gateway.data, "--resume", report, exit_code=2)
    assert "line 1 is none of its lines" in result.stderr


def test_what_never_ends_is_no_report(gateway):
    assert "no regular file" in gateway.run("check", gateway.data, "--resume", "/dev/full", exit_code=2).stderr
