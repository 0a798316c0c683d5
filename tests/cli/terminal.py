"""A terminal in place of a standard stream."""

import io
import sys


class Terminal(io.StringIO):
    def isatty(self):
        return True


def as_terminal(monkeypatch, stream, columns=40):
    """Return a terminal in place of a standard stream; for the body of a test only."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    terminal = Terminal()
    monkeypatch.setattr(sys, stream, terminal)
    return terminal
