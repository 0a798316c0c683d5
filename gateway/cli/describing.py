"""Options that say what a dataset shows: its collection, its dates, its properties."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gateway.catalogue.collections import collection_id
from gateway.catalogue.dating import NamePattern, dates_of_option
from gateway.catalogue.properties import properties_of
from gateway.errors import BadParameter

F = TypeVar("F", bound=Callable[..., Any])


class Told(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """A text that a function makes a value of; what it refuses is wrong usage."""

    def __init__(self, name: str, value_of: Callable[[str], Any]) -> None:
        self.name = name
        self._value_of = value_of

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value."""
        if not isinstance(value, str):
            return value
        try:
            return self._value_of(value)
        except BadParameter as error:
            self.fail(str(error).rstrip("."), param, ctx)


def of_file(value_of: Callable[[str], Any]) -> Callable[[str], Any]:
    """Return the function that reads a file and makes a value of its text."""

    def read(name: str) -> Any:
        try:
            text = Path(name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "is no UTF-8"
            raise BadParameter(f"{name} cannot be read: {reason.lower()}.") from None
        return value_of(text)

    return read


COLLECTION = Told("ID", collection_id)
PATTERN = Told("REGEX", NamePattern)


def described(command: F) -> F:
    """Return a command with `--collection`, `--datetime`, `--datetime-pattern` and `--properties`."""
    for option in (
        click.option("--properties", type=Told("FILE", of_file(properties_of)), metavar="FILE.json",
                     help="A JSON object of properties, in place of those that are on record."),
        click.option("--datetime-pattern", "pattern", type=PATTERN, metavar="REGEX",
                     help="When it was so by the file's name: groups year, month, day, hour, minute, second."),
        click.option("--datetime", "moments", type=Told("ISO", dates_of_option), metavar="ISO[/ISO]",
                     help="When it was so: a day, a moment or an interval; UTC without an offset."),
        click.option("--collection", type=COLLECTION, metavar="ID",
                     help="Collection that it is in, made when missing; a new dataset's is its root's name."),
    ):  # fmt: skip
        command = option(command)
    return command
