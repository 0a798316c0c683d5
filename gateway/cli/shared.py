"""What several commands share: settings, services, JSON lines, tables, progress."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.settings import Settings, load_settings, told_unknown

by_nul = click.option(
    "-0", "--null", is_flag=True, help="Names on stdin end with a NUL, as find -print0 writes them."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text.")

# Commands that become the server.
LOGGING = ("serve", "demo")
# One long title must not push all others apart.
WIDEST_CELL = 40
GAP = 2
UNDECODED_OFFSET = 0xDC00
UNDECODED_FIRST, UNDECODED_LAST = UNDECODED_OFFSET + 0x80, UNDECODED_OFFSET + 0xFF


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A date or time in ISO 8601; without an offset it is in UTC."""

    name = "ISO 8601"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the moment in UTC; a date alone is its midnight."""
        try:
            moment = datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is no date or time in ISO 8601", param, ctx)


def settings_of(context: click.Context, **flags: Any) -> Settings:
    """Return the settings, with those flags that are not None on top. Raises SettingsError.

    Variables that look like settings and are none are told on stderr; the server has a line of its log for them.
    """
    config = flags.pop("config", None) or context.find_root().obj
    settings = load_settings(flags, config=config)
    if context.info_name not in LOGGING:
        for told in told_unknown(os.environ):
            click.echo(f"Warning: {printable(told)}", err=True)
    return settings


def reached_at(settings: Settings, port: int) -> str:
    """Return the origin under which this machine reaches the server."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104 - compared only
    scheme = "https" if settings.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout, in ASCII: file names need not be valid UTF-8."""
    click.echo(json.dumps(value, allow_nan=False))


def printable(text: str) -> str:
    """Return the text with control characters and undecodable bytes escaped, safe for any terminal.

    A byte of a file name that is no UTF-8 is shown in hexadecimal, as shells take it between $' and '.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    # Python keeps the byte 0xNN of a file name as U+DCNN (PEP 383).
    if UNDECODED_FIRST <= ord(character) <= UNDECODED_LAST:
        return f"\\x{ord(character) - UNDECODED_OFFSET:02x}"
    return character.encode("unicode_escape").decode()


def complain(name: str, message: str) -> None:
    """Print one line about a source on stderr."""
    click.echo(printable(f"{name}: {message}"), err=True)


def is_terminal(*, err: bool = False) -> bool:
    """Return whether stdout, or stderr, is read by a person."""
    return (sys.stderr if err else sys.stdout).isatty()


def end_of(text: str, cells: int) -> str:
    """Return a text whole or, where it takes more cells of a terminal, its end."""
    if cell_len(text) <= cells:
        return text
    text = text[-cells:]
    while cell_len(text) >= cells:
        text = text[1:]
    return "…" + text


def fitted(line: str) -> str:
    """Return a line for stdout: whole for a file or pipe, cut to the width of a terminal."""
    width = shutil.get_terminal_size().columns
    return line if not is_terminal() or len(line) <= width else line[: width - 1] + "…"


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, err: bool = False, whole: bool = False
) -> None:
    """Print a table for people on stdout, or stderr; None is shown as a dash, and text is never read as markup.

    Lists and objects are shown as JSON.

    A terminal gets lines of its width, with long cells cut, or `whole` and folded. A file or pipe gets one whole line
    for each row.
    """
    cells = [[printable(_text(cell)) for cell in row] for row in rows]
    if whole and is_terminal(err=err):
        table = Table(*columns, box=None, pad_edge=False, header_style="bold")
        for row in cells:
            table.add_row(*map(Text, row))
        Console(highlight=False, stderr=err).print(table)
        return
    widths = [max(map(cell_len, column)) for column in zip(columns, *cells, strict=True)]
    widths = _narrowed(widths) if is_terminal(err=err) else [min(WIDEST_CELL, width) for width in widths]
    for number, row in enumerate([list(columns), *cells]):
        line = _line(row, widths, cut=is_terminal(err=err))
        click.echo(click.style(line, bold=True) if number == 0 and is_terminal(err=err) else line, err=err)


def _text(cell: object) -> str:
    if isinstance(cell, list | tuple | dict):
        return json.dumps(cell, ensure_ascii=False, default=str)
    return "-" if cell is None else str(cell)


def _narrowed(widths: list[int]) -> list[int]:
    """Return the widths of columns that fit the terminal: the widest give way first."""
    room = max(shutil.get_terminal_size().columns - GAP * (len(widths) - 1), len(widths))
    while sum(widths) > room:
        widest = max(widths)
        # Down to the next one below it, or as far as is needed.
        many = [n for n, width in enumerate(widths) if width == widest]
        below = max((width for width in widths if width < widest), default=0)
        by = min(widest - below, max(1, (sum(widths) - room) // len(many)))
        for n in many[: sum(widths) - room]:
            widths[n] -= by
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], *, cut: bool) -> str:
    """Return the cells side by side; those that are wider than their column are cut, or push the others on."""
    parts = []
    for cell, width in zip(cells, widths, strict=True):
        text = Text(cell)
        if cut:
            text.truncate(width, overflow="ellipsis")
        parts.append(text.plain + " " * (width - cell_len(text.plain)))
    return (" " * GAP).join(parts).rstrip()
