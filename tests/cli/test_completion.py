import os
import shutil
import subprocess
import sys

import pytest
from click.testing import CliRunner

from gateway.__main__ import cli
from tests.cli.test_main import run


def asking(words):
    """Return the variables in which bash tells which words there are, the last of them to be completed."""
    words = ["cog-gateway", *words.split(" ")]
    return {
        "_COG_GATEWAY_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": str(len(words) - 1),
    }


def completed(words):
    """Return the lines that bash gets when the last of the words is completed."""
    return CliRunner().invoke(cli, [], env=asking(words), prog_name="cog-gateway").stdout.splitlines()


def test_the_command_itself_completes():
    code = "from gateway.__main__ import main; main()"
    environment = {**os.environ, **asking("ch")}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "plain,check\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_what_completes_the_command(shell):
    told = run("completion", shell).stdout
    assert "_COG_GATEWAY_COMPLETE" in told
    assert "cog-gateway" in told
    if shutil.which(shell):
        assert subprocess.run([shell, "-n"], input=told, text=True, check=False).returncode == 0


def test_an_unknown_shell_is_wrong_usage():
    assert run("completion", "tcsh").exit_code == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("ch", ["check"]),
        ("datasets re", ["recheck", "remove"]),
        ("check --de", ["--depth"]),
        ("--ver", ["--version"]),
    ],
)
def test_commands_and_options_are_completed(words, found):
    assert [line.partition(",")[2] for line in completed(words)] == found


@pytest.mark.parametrize(
    "words", ["check arch", "ingest --convert arch", "check --config g", "--config g", "backup b"]
)
def test_names_of_files_are_left_to_the_shell(words):
    assert completed(words) == [f"file,{words.split(' ')[-1]}"]
