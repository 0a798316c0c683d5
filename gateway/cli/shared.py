"""What several commands share: settings, services, JSON lines, tables, progress."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from gateway.settings import Settings, load_settings

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs instead of text.")


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
    """Return the settings, with those flags that are not None on top. Raises SettingsError."""
    config = flags.pop("config", None) or context.find_root().obj
    return load_settings(flags, config=config)


def stdin_lines() -> Iterator[str]:
    """Yield the lines of stdin; bytes that are no UTF-8 are kept as the file system's functions keep them."""
    return (os.fsdecode(line) for line in sys.stdin.buffer)


def print_json(value: Any) -> None:
    """Print one JSON value on one line of stdout, in ASCII: file names need not be valid UTF-8."""
    click.echo(json.dumps(value, allow_nan=False))


def printable(text: str) -> str:
    """Return the text with control characters and undecodable bytes escaped, safe for any terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def complain(name: str, message: str) -> None:
    """Print one line about a source on stderr."""
    click.echo(printable(f"{name}: {message}"), err=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, err: bool = False) -> None:
    """Print a table for people on stdout, or stderr; None is shown as a dash, and text is never read as markup."""
    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text("-" if cell is None else printable(str(cell))) for cell in row))
    # A file or pipe gets whole lines; a terminal gets its own width.
    width = None if (sys.stderr if err else sys.stdout).isatty() else 10_000
    console = Console(width=width, highlight=False, stderr=err)
    console.print(table, soft_wrap=False)
