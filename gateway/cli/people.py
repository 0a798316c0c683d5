"""Names of users and roles on the command line."""

from __future__ import annotations

from typing import Any

import click

from gateway.tokens import NAMES, is_name


class PersonName(click.ParamType):  # type: ignore[type-arg]  # generic in newer releases only
    """The name of a user or role that a token can bear: another one could never be met. `empty` lets "" through."""

    name = "name"

    def __init__(self, *, empty: bool = False) -> None:
        self._empty = empty

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is."""
        if not is_name(value) and not (self._empty and value == ""):
            self.fail(NAMES, param, ctx)
        return str(value)


PERSON = PersonName()
PERSON_OR_NONE = PersonName(empty=True)
