"""`migrate`: the tables of the records as this release wants them, or all of them in another database."""

from __future__ import annotations

from contextlib import closing
from dataclasses import fields
from pathlib import Path

import click

from gateway.cli.shared import printable, settings_of
from gateway.copying import Contents, copy_records
from gateway.errors import SettingsError
from gateway.records import file_of, named
from gateway.settings import Settings, database_address
from gateway.state import bring_up_to_date, database_url, existing_records, made_records, place_of_records


@click.command()
@click.option("--to", metavar="URL", help="Copy catalogue and audit there: postgresql://USER@HOST/NAME or "
              "sqlite:///PATH.")  # fmt: skip
@click.pass_context
def migrate(context: click.Context, /, to: str | None) -> None:
    """Bring the tables of the records up to date, or copy the records into another database.

    In PostgreSQL it also makes the next months of the audit and gives the server's role its rights, by the role of
    DATABASE_OWNER_URL. A server and commands that write do the same where their role may.

    With --to nothing of the records changes: stop the servers first, and set DATABASE_URL to the new one afterwards.
    Counts and digests of both are compared. A copy that was cut off goes on when the same is run again; a database in
    which something was done since is left as it is. From one PostgreSQL to another the URL is that of the owner.
    """
    settings = settings_of(context)
    if to is None:
        bring_up_to_date(settings)
        click.echo(printable(f"up to date: {place_of_records(settings)}"))
        return
    copied = copy_to(settings, to)
    for field in fields(Contents):
        digest = getattr(copied, field.name)
        click.echo(f"{digest.count} {field.name}, the same in both: {digest.text[:16]}")
    click.echo(printable(f"{place_of_records(settings)} is in {named(to)}: set GATEWAY_DATABASE_URL to it"))


def copy_to(settings: Settings, to: str) -> Contents:
    """Return what was copied. Raises SettingsError and RecordsUnavailable."""
    try:
        database_address(to)
    except ValueError as error:
        raise SettingsError(f"--to {error}") from None
    here = database_url(settings)
    if to == here or is_same_file(file_of(to), file_of(here)):
        raise SettingsError("--to names the database from which it would be copied")
    # The owner's URL names one database: the source, unless that is a file.
    owner = settings.database_owner_url if file_of(here) else None
    there = settings.model_copy(update={"database_url": to, "database_owner_url": owner})
    with closing(existing_records(settings, read_only=True)) as source, closing(made_records(there)) as target:
        return copy_records(source, target, place_of_records(settings))


def is_same_file(one: Path | None, other: Path | None) -> bool:
    """Return whether both are names of one file that is there."""
    return one is not None and other is not None and one.exists() and other.exists() and one.samefile(other)
