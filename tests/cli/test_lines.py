import pytest
from rich.cells import cell_len

from gateway.cli.lines import is_alone, tell
from gateway.cog.rules import RULES
from tests.cli.terminal import as_terminal

REASON = "An image is stored in strips"


def test_a_file_or_pipe_gets_all_of_a_line_and_no_colour(capsys):
    tell("not-tiled", "folder/" * 30 + "a.tif", REASON * 5, colour="red")
    assert capsys.readouterr().out == f"{'not-tiled':<26}  {'folder/' * 30}a.tif  {REASON * 5}\n"


@pytest.mark.parametrize("name", ["a.tif", "2023/north/scene_003.tif", "folder/" * 30 + "a.tif", "漢" * 60 + ".tif"])
@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_one_line_of_its_width_with_the_end_of_the_name(monkeypatch, name, columns):
    terminal = as_terminal(monkeypatch, "stderr", columns)
    monkeypatch.setenv("NO_COLOR", "1")
    tell("not-tiled", name, REASON * 9, colour="red", err=True)
    (line,) = terminal.getvalue().splitlines()
    assert cell_len(line) <= columns
    assert name[-5:] in line
    assert "An image is stored" in line


def test_the_word_is_coloured_on_a_terminal_unless_its_owner_says_no(monkeypatch):
    terminal = as_terminal(monkeypatch, "stdout")
    monkeypatch.delenv("NO_COLOR", raising=False)
    tell("failed", "a.tif", colour="red")
    monkeypatch.setenv("NO_COLOR", "1")
    tell("failed", "a.tif", colour="red")
    coloured, plain = terminal.getvalue().splitlines()
    assert coloured.startswith("\x1b[31mfailed\x1b[0m ")
    assert plain == f"{'failed':<26}  a.tif"


def test_names_stand_below_each_other_after_any_rule(capsys):
    for rule in RULES:
        tell(rule, "a.tif")
    assert len({line.index("a.tif") for line in capsys.readouterr().out.splitlines()}) == 1


@pytest.mark.parametrize(
    ("sources", "alone"),
    [
        (["a.tif"], True), ([""], True), (["none[1].tif"], False), (["-"], False), (["."], False), (["*.tif"], False),
        (["a.tif", "b.tif"], False), (["s3://bucket/a.tif"], True), (["s3://bucket/prefix"], False),
    ],
)  # fmt: skip
def test_one_file_is_alone_and_a_folder_pattern_or_list_is_not(sources, alone):
    assert is_alone(sources) is alone
