import errno
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gateway import __version__
from gateway.__main__ import COMMANDS, LazyGroup, Shelved, cli, main
from gateway.errors import SettingsError

HEAVY = {"rasterio", "tornado", "boto3", "sqlite_utils", "numpy", "pydantic"}


def run(*arguments):
    return CliRunner().invoke(cli, arguments)


def test_help_lists_every_command_and_imports_nothing_heavy():
    code = (
        "import sys\nfrom gateway.__main__ import main\n"
        "try:\n    main(['--help'])\nfinally:\n    print(sorted(m for m in sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(name in done.stdout for name in COMMANDS)
    assert not HEAVY & set(eval(done.stderr))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_shelved_command_is_there_and_has_help(name):
    module, _, attribute = COMMANDS[name].target.partition(":")
    assert isinstance(getattr(importlib.import_module(module), attribute), click.Command)
    result = run(name, "--help")
    assert result.exit_code == 0
    assert "Usage: cog-gateway " + name in result.output


def test_the_version_is_that_of_the_package():
    assert run("--version").output == f"cog-gateway, version {__version__}\n"


@pytest.mark.parametrize("arguments", [("nonsense",), ("check",), ("check", "--nonsense", "x"), ("--nonsense",)])
def test_wrong_usage_exits_with_2(arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_a_shelf_line_that_names_no_command_is_an_error(monkeypatch):
    monkeypatch.setitem(COMMANDS, "odd", Shelved("json:dumps", "no command"))
    with pytest.raises(TypeError, match="json:dumps is no command"):
        LazyGroup("x").get_command(click.Context(cli), "odd")


def fails_with(monkeypatch, error):
    @click.command()
    def failing():
        raise error

    monkeypatch.setattr("gateway.cli.check.check", failing)
    return run("check")


def test_an_error_of_the_gateway_is_one_line_and_exit_2(monkeypatch):
    result = fails_with(monkeypatch, SettingsError("the folder\nis full"))
    assert (result.exit_code, result.stderr) == (2, "Error: the folder is full\n")


def test_ctrl_c_is_quiet(monkeypatch):
    result = fails_with(monkeypatch, KeyboardInterrupt())
    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_settings_file_that_is_missing_is_one_line_and_exit_2(tmp_path, place):
    words = ["datasets", "list"]
    words[place:place] = ["--config", str(tmp_path / "none.toml")]
    if place == 1:
        # A group has no settings; its commands have.
        words = ["check", "--config", str(tmp_path / "none.toml"), "x.tif"]
    result = run(*words)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "none.toml cannot be read" in result.stderr


def test_a_bad_setting_names_the_setting_and_not_its_value(monkeypatch):
    monkeypatch.setenv("GATEWAY_PORT", "secret-value")
    result = run("check", "x.tif")
    assert result.exit_code == 2
    assert "port" in result.stderr
    assert "secret-value" not in result.output


def test_main_ends_the_process_with_the_exit_code(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"cog-gateway, version {__version__}\n"


def test_a_reader_that_goes_away_is_no_traceback(tmp_path):
    command = f"{sys.executable} -m gateway --help | true"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("script", "command"), [("check", "check"), ("ingest", "ingest"), ("mint_token", "token")])
def test_each_script_is_its_command(script, command, tmp_path):
    path = Path(__file__).parents[2] / "scripts" / f"{script}.py"
    done = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert os.access(path, os.X_OK)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: cog-gateway {command}")


def test_json_is_readable(tmp_path):
    (tmp_path / "empty.tif").touch()
    assert json.loads(run("check", "--json", str(tmp_path / "empty.tif")).stdout)["valid"] is False


@pytest.mark.parametrize(
    ("words", "meant"), [(["chek"], "check"), (["datasets", "lst"], "list"), (["ingest", "--dry-rum"], "--dry-run")]
)
def test_a_misspelt_command_or_option_is_told_the_nearest(words, meant):
    result = run(*words)
    assert result.exit_code == 2
    assert f"Did you mean '{meant}'?" in result.stderr


def commands(command, name="cog-gateway"):
    """Yield the name and the command, and those below it."""
    yield name, command
    if isinstance(command, click.Group):
        with click.Context(command) as context:
            for below in command.list_commands(context):
                yield from commands(command.get_command(context, below), f"{name} {below}")


def test_no_help_is_cut():
    for name, command in commands(cli):
        # What click leaves of a terminal of 80 columns; its runner for tests takes all of them.
        told = click.Context(command, info_name=name, terminal_width=78).get_help()
        assert [line for line in told.splitlines() if line.rstrip().endswith("...") and "Usage" not in line] == []


def test_a_variable_that_is_no_setting_is_told_with_the_nearest(monkeypatch, tmp_path):
    monkeypatch.setenv("GATEWAY_PROT", "9")
    # Of `fetch`.
    monkeypatch.setenv("GATEWAY_TOKEN", "cgw_")
    result = run("check", str(tmp_path / "none.tif"))
    assert [line for line in result.stderr.splitlines() if "Warning" in line] == [
        "Warning: GATEWAY_PROT names no setting and is ignored: did you mean GATEWAY_PORT?"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--config", "\x1b[31m.toml", "datasets", "list"),
        ("datasets", "list"),
        ("ingest", "--copy-to", "\x1b[31m", "a.tif"),
    ],
)
def test_errors_reach_a_terminal_without_control_characters(arguments, tmp_path, monkeypatch):
    monkeypatch.setenv("GATEWAY_STATE_DIR", str(tmp_path / "\x1b[31m"))
    result = CliRunner().invoke(cli, arguments, color=True)
    assert result.exit_code == 2
    assert "\\x1b[31m" in result.stderr
    assert "\x1b" not in result.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_end_in_no_traceback_and_the_exit_code_tells_of_a_lost_output(closed):
    script = f"{sys.executable} -m gateway completion bash {closed}"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == (2 if " >&-" in f" {closed}" else 0)
    assert done.stderr == ("Error: cannot go on: Bad file descriptor\n" if closed == ">&-" else "")
    assert bool(done.stdout) is (" >&-" not in f" {closed}")


def test_a_closed_stream_lends_its_number_to_no_file(tmp_path):
    kept = tmp_path / "kept"
    code = f"import os\nfrom gateway.__main__ import open_streams\nopen_streams()\nprint(os.open({str(kept)!r}, os.O_CREAT))"
    shell = ["bash", "-c", 'exec "$0" -c "$1" <&- 2>&-', sys.executable, code]
    done = subprocess.run(shell, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 2


def test_what_may_not_be_opened_is_told_with_its_name(monkeypatch):
    result = fails_with(monkeypatch, PermissionError(errno.EACCES, "Permission denied", "/srv/\x1b/gateway.db"))
    assert (result.exit_code, result.stderr) == (2, "Error: cannot go on: Permission denied: /srv/\\x1b/gateway.db\n")


@pytest.mark.parametrize("words", ["--help", "check --help", "--version", "completion bash"])
def test_a_full_disk_is_one_line_for_whatever_is_written(words):
    script = f"{sys.executable} -m gateway {words} > /dev/full"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "Error: cannot go on: No space left on device\n")
