import pytest

from gateway.cli.shared import print_table, printable
from tests.cli.terminal import as_terminal


def test_a_table_for_a_file_is_never_cut_and_has_no_colour(capsys):
    print_table(("name", "value"), [("a" * 300, None), ("[red]b", 2)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["a" * 300, "-"]
    assert lines[2].split() == ["[red]b", "2"]
    assert "\x1b" not in "".join(lines)


def test_a_table_on_stderr_leaves_stdout_alone(capsys):
    print_table(("name", "value"), [("a" * 300, 1)], err=True)
    told = capsys.readouterr()
    assert told.out == ""
    assert "a" * 300 in told.err


def test_a_table_for_a_terminal_keeps_to_its_width(monkeypatch):
    terminal = as_terminal(monkeypatch, "stdout")
    print_table(("name", "value"), [("word " * 30, 1)])
    _, line = terminal.getvalue().splitlines()
    assert line.startswith("word word")
    assert "…" in line


def test_a_table_for_a_terminal_may_be_folded(monkeypatch):
    terminal = as_terminal(monkeypatch, "stdout")
    print_table(("name", "value"), [("word " * 30, 1)], whole=True)
    assert terminal.getvalue().count("word") == 30
    assert len(terminal.getvalue().splitlines()) > 3


def test_columns_of_a_file_stand_below_each_other_without_blanks_at_the_ends(capsys):
    print_table(("name", "value"), [("a" * 30, None), ("b", "c" * 99), ("d" * 99, 1)])
    lines = capsys.readouterr().out.splitlines()
    assert [line.index(word) for line, word in zip(lines, ("value", "-", "c"), strict=False)] == [42, 42, 42]
    assert lines[3] == "d" * 99 + "  1"
    assert [line for line in lines if line != line.rstrip()] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ä 漢", "plain ä 漢"),
        ("a\x1b[2Jb\n", "a\\x1b[2Jb\\n"),
        ("caf\udce9", "caf\\xe9"),
        ("\ud800", "\\ud800"),
        ("\u202e", "\\u202e"),
    ],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown
