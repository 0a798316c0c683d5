"""`links`: what is shared with people who do not sign in."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gateway import issuing
from gateway.cli import onrecord
from gateway.cli.administration import id_or_exit, records_of
from gateway.cli.shared import as_json, print_json, printable, reached_at, settings_of
from gateway.gatekeeper import Action
from gateway.issuing import Issued
from gateway.principal import StoredKind

RIGHTS = click.Choice(issuing.RIGHTS)


@click.group()
def links() -> None:
    """List, create and revoke links to share."""


@links.command("list")
@onrecord.of_user
@as_json
@click.pass_context
def list_(context: click.Context, /, user: str | None, as_json: bool) -> None:
    """List the links on record, and how often they were used."""
    onrecord.list_all(context, StoredKind.LINK, user, as_json=as_json)


@links.command()
@click.option("--dataset", metavar="ID", help="The dataset.")
@click.option("--collection", metavar="ID", help="The collection.")
@onrecord.by_user
@onrecord.with_roles
@click.option("--right", type=RIGHTS, default="view", show_default=True, help="download is the file itself.")
@onrecord.days
@onrecord.expires_at
@click.option(
    "--uses", type=click.IntRange(1), metavar="N", help="How often it may be used; else any number of times."
)
@as_json
@click.pass_context
def create(  # noqa: PLR0913, PLR0917 - the options of a command
    context: click.Context, /, dataset: str | None, collection: str | None, user: str, roles: tuple[str, ...],
    right: str, days: int | None, expires_at: datetime | None, uses: int | None, as_json: bool,
) -> None:  # fmt: skip
    """Print a new link, this once: only its hash is on record.

    It is made by --user, who must own the dataset or have the role admin, and it ends with their right to it.
    """
    if bool(dataset) == bool(collection):
        raise click.UsageError("give exactly one of --dataset ID and --collection ID", context)
    ends, settings = onrecord.end_of_life(context, days, expires_at), settings_of(context)
    with records_of(context, write=True) as records:
        known = id_or_exit(records, dataset) if dataset else None
        body = {"dataset": known, "collection": collection, "right": right, "uses": uses, "expires_at": ends}
        maker = onrecord.maker_of(records, user, roles)

        def make() -> Issued:
            made = issuing.link(body, maker, settings.link_days, datetime.now(UTC))
            action = Action.DOWNLOAD if made.token.download else Action.VIEW
            issuing.require_right(records, maker, made.token.target, action)
            issuing.require_sharer(records, maker, made.token.target)
            return made

        made = onrecord.put_on_record(records, make)
    origin = settings.public_url or reached_at(settings, settings.port)
    url = issuing.url_of(made, origin + settings.prefix, settings.prefix)
    if as_json:
        print_json({**issuing.told_of(made.token), "url": url})
    else:
        click.echo(url)
        click.echo(printable(f"until {made.token.expires_at:%Y-%m-%d}, for {made.token.target}"), err=True)
        if settings.public_url is None:
            click.echo(f"PUBLIC_URL is not set: the link is for {origin}", err=True)


@links.command()
@onrecord.token_id
@as_json
@click.pass_context
def revoke(context: click.Context, /, token_id: str, as_json: bool) -> None:
    """End a link from now on, for whoever has it."""
    onrecord.end(context, StoredKind.LINK, token_id, as_json=as_json)
