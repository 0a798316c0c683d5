"""`tokens`: users' own tokens, for programs that cannot sign in."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from gateway import issuing
from gateway.cli import onrecord
from gateway.cli.administration import id_or_exit, records_of
from gateway.cli.shared import as_json, print_json, printable, settings_of
from gateway.gatekeeper import Action
from gateway.issuing import Issued
from gateway.principal import StoredKind
from gateway.records import Records

RIGHTS = click.Choice(issuing.RIGHTS)


@click.group()
def tokens() -> None:
    """List, create and revoke users' own tokens."""


@tokens.command("list")
@onrecord.of_user
@as_json
@click.pass_context
def list_(context: click.Context, /, user: str | None, as_json: bool) -> None:
    """List the tokens on record, and when they were used last."""
    onrecord.list_all(context, StoredKind.OWN, user, as_json=as_json)


@tokens.command()
@onrecord.by_user
@onrecord.with_roles
@click.option("--name", default="token", show_default=True, help="What it is for, in words.")
@click.option("--scope", multiple=True, type=RIGHTS, default=("view",), show_default=True,
              help="A right; download has view in it.")  # fmt: skip
@click.option("--for", "what", default="all", show_default=True, metavar="TARGET",
              help="all, collection:ID or dataset:ID.")  # fmt: skip
@onrecord.days
@onrecord.expires_at
@as_json
@click.pass_context
def create(  # noqa: PLR0913, PLR0917 - the options of a command
    context: click.Context, /, user: str, roles: tuple[str, ...], name: str, scope: tuple[str, ...], what: str,
    days: int | None, expires_at: datetime | None, as_json: bool,
) -> None:  # fmt: skip
    """Print a new token of a user, once: only its hash is on record."""
    ends, settings = onrecord.end_of_life(context, days, expires_at), settings_of(context)
    with records_of(context, write=True) as records:
        body = {"name": name, "scope": list(scope), "for": whole(records, what), "expires_at": ends}
        maker = onrecord.maker_of(records, user, roles)

        def make() -> Issued:
            made = issuing.own_token(body, maker, settings.own_token_days, datetime.now(UTC))
            issuing.require_right(records, maker, made.token.target, Action.VIEW)
            return made

        made = onrecord.put_on_record(records, make)
    if as_json:
        print_json({**issuing.told_of(made.token), "token": made.secret})
    else:
        click.echo(made.secret)
        click.echo(printable(f"until {made.token.expires_at:%Y-%m-%d}, for {made.token.target}"), err=True)


@tokens.command()
@onrecord.token_id
@as_json
@click.pass_context
def revoke(context: click.Context, /, token_id: str, as_json: bool) -> None:
    """Refuse a token from now on, and all that came about through it."""
    onrecord.end(context, StoredKind.OWN, token_id, as_json=as_json)


def whole(records: Records, target: str) -> str:
    """Return what a token is for, with the whole id of a dataset of which only the beginning was given."""
    kind, _, named = target.partition(":")
    return f"dataset:{id_or_exit(records, named)}" if kind == "dataset" else target
