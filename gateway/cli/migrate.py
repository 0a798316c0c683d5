"""`migrate`: the tables of the records as this release wants them."""

from __future__ import annotations

import click

from gateway.cli.shared import printable, settings_of
from gateway.state import bring_up_to_date, place_of_records


@click.command()
@click.pass_context
def migrate(context: click.Context, /) -> None:
    """Bring the tables of the records up to date.

    In PostgreSQL it also makes the next months of the audit and gives the server's role its rights, by the role of
    DATABASE_OWNER_URL. A server and commands that write do the same where their role may.
    """
    settings = settings_of(context)
    bring_up_to_date(settings)
    click.echo(printable(f"up to date: {place_of_records(settings)}"))
