import io
import sys

import pytest

from gateway.cli.shared import print_table, printable, with_progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def as_terminal(monkeypatch, stream):
    """Return a terminal of 40 columns in place of a standard stream; for the body of a test only."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "40")
    terminal = Terminal()
    monkeypatch.setattr(sys, stream, terminal)
    return terminal


def test_a_terminal_gets_a_progress_bar_on_stderr_and_every_item_comes(monkeypatch):
    terminal = as_terminal(monkeypatch, "stderr")
    assert list(with_progress("abc", 3, "checking")) == ["a", "b", "c"]
    assert "checking" in terminal.getvalue()
    assert "2/3" in terminal.getvalue()


def test_a_file_gets_no_progress_bar(capsys):
    assert list(with_progress("abc", 3, "checking")) == ["a", "b", "c"]
    assert capsys.readouterr().err == ""


def test_a_table_for_a_file_is_never_cut_and_has_no_colour(capsys):
    print_table(("name", "value"), [("a" * 300, None), ("[red]b", 2)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["a" * 300, "-"]
    assert lines[2].split() == ["[red]b", "2"]
    assert "\x1b" not in "".join(lines)


def test_a_table_for_a_terminal_keeps_to_its_width(monkeypatch):
    terminal = as_terminal(monkeypatch, "stdout")
    print_table(("name", "value"), [("word " * 30, 1)])
    assert "word" in terminal.getvalue()
    assert len(terminal.getvalue().splitlines()) > 3


@pytest.mark.parametrize(
    ("text", "shown"),
    [("plain ä 漢", "plain ä 漢"), ("a\x1b[2Jb\n", "a\\x1b[2Jb\\n"), ("\udcff", "\\udcff"), ("\u202e", "\\u202e")],
)
def test_what_a_terminal_would_obey_is_escaped(text, shown):
    assert printable(text) == shown
