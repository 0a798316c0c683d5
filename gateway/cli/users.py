"""`users`: disable a user, whose tokens then fail at once, and enable them again."""

from __future__ import annotations

import click

from gateway.cli.administration import records_of
from gateway.cli.people import PERSON
from gateway.cli.shared import as_json, print_json, print_table, printable
from gateway.model import AuditRow


@click.group()
def users() -> None:
    """Disable and enable users."""


@users.command()
@click.argument("name", type=PERSON)
@as_json
@click.pass_context
def disable(context: click.Context, /, name: str, as_json: bool) -> None:
    """Refuse every token of a user from now on."""
    store(context, name, disabled=True, as_json=as_json)


@users.command()
@click.argument("name")
@as_json
@click.pass_context
def enable(context: click.Context, /, name: str, as_json: bool) -> None:
    """Take a user's tokens again."""
    store(context, name, disabled=False, as_json=as_json)


@users.command("list")
@as_json
@click.pass_context
def list_(context: click.Context, /, as_json: bool) -> None:
    """List the users who were ever disabled, and whether they are."""
    with records_of(context) as records:
        found = records.users()
    if as_json:
        for user in found:
            print_json({"name": user.name, "disabled": user.disabled})
    else:
        print_table(("name", "disabled"), ((user.name, "yes" if user.disabled else "no") for user in found))


def store(context: click.Context, name: str, *, disabled: bool, as_json: bool) -> None:
    """Store whether the user is disabled, on record, and print it."""
    if not name:
        raise click.UsageError("the name is empty", context)
    word = "disabled" if disabled else "enabled"
    with records_of(context, write=True) as records:
        records.set_disabled(name, disabled, AuditRow(f"user.{word}", detail={"name": name}))
    if as_json:
        print_json({"name": name, "disabled": disabled})
    else:
        click.echo(printable(f"{word} {name}"))
