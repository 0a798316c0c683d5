"""What the commands for tokens of one's own and for links share: life, makers, and how they are listed and ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from gateway import issuing
from gateway.cli.administration import PREFIX, NoSuch, records_of
from gateway.cli.people import PERSON
from gateway.cli.shared import Moment, print_json, print_table, printable
from gateway.errors import NotFound, SettingsError
from gateway.issuing import Issued
from gateway.model import Principal, utc_text
from gateway.principal import StoredKind, StoredToken
from gateway.records import Records, TokenQuery

WORDS = {StoredKind.OWN: "token", StoredKind.LINK: "link"}
COLUMNS = {
    StoredKind.OWN: ("id", "owner", "name", "scope", "for", "expires_at", "last_used_at"),
    StoredKind.LINK: ("id", "made_by", "right", "for", "expires_at", "uses", "used"),
}

token_id = click.argument("token_id", metavar="ID")
of_user = click.option("--user", metavar="NAME", help="Only those of this user.")
by_user = click.option(
    "--user", "--sub", "user", required=True, type=PERSON, metavar="NAME", help="Whose rights it has."
)
with_roles = click.option("--role", "roles", multiple=True, type=PERSON, metavar="ROLE",
                          help="A role that it has; may be given again.")  # fmt: skip
days = click.option("--days", type=click.IntRange(1), metavar="N", help="Its life in days.")
expires_at = click.option("--expires-at", type=Moment(), metavar="MOMENT", help="Its end, in ISO 8601.")


def end_of_life(context: click.Context, days: int | None, expires_at: datetime | None) -> str | None:
    """Return the moment at which a new one ends, None for the usual one; raises UsageError where both are given."""
    if days is not None and expires_at is not None:
        raise click.UsageError("give one of --days and --expires-at", context)
    if days is not None:
        try:
            # A second less: what is asked for in whole days may be the longest life.
            expires_at = datetime.now(UTC) + timedelta(days=days) - timedelta(seconds=1)
        except OverflowError:
            raise click.UsageError("--days is too long", context) from None
    return None if expires_at is None else utc_text(expires_at)


def put_on_record(records: Records, make: Callable[[], Issued]) -> Issued:
    """Return what `make` makes, on record; raises NoSuch for what is not there, and what `make` raises."""
    try:
        made = make()
    except NotFound as error:
        raise NoSuch(error.told.rstrip(".")) from None
    most = issuing.MOST[made.token.kind]
    if not records.tokens.store(made.token, most, issuing.row_of("created", made.token)):
        raise SettingsError(f"{made.token.owner} has {most} already: revoke what is not needed")
    return made


def maker_of(records: Records, user: str, roles: tuple[str, ...]) -> Principal:
    """Return who makes something; raises SettingsError for a disabled user, who would have nothing of it."""
    if any(state.name == user and state.disabled for state in records.users()):
        raise SettingsError(f"{user} is disabled")
    return Principal(user, frozenset(roles))


def list_all(context: click.Context, kind: StoredKind, user: str | None, *, as_json: bool) -> None:
    """Print what is on record, of all or of one user, the newest first; secrets nobody has."""
    with records_of(context) as records:
        found = records.tokens.find(TokenQuery(kind, owner=user))
    told = [{"owner": token.owner, **issuing.told_of(token)} for token in found]
    if as_json:
        for each in told:
            print_json(each)
        return
    print_table(COLUMNS[kind], ([_cell(name, each) for name in COLUMNS[kind]] for each in told))


def _cell(name: str, told: dict[str, Any]) -> object:
    if name == "for" and "for" not in told:
        return f"dataset:{told['dataset']}" if told["dataset"] else f"collection:{told['collection']}"
    value = told[name]
    return ", ".join(value) if isinstance(value, list) else value


def end(context: click.Context, kind: StoredKind, given: str, *, as_json: bool) -> None:
    """Revoke the one whose id begins so, on record, and print it; raises NoSuch."""
    with records_of(context, write=True) as records:
        token = _found(records, kind, given)
        if not records.tokens.revoke(token.id, issuing.row_of("revoked", token)):
            raise NoSuch(f"there is no {WORDS[kind]} {token.id} any more")
    if as_json:
        print_json(issuing.told_of(token))
    else:
        click.echo(printable(f"revoked {token.id}: {WORDS[kind]} of {token.owner}"))


def _found(records: Records, kind: StoredKind, given: str) -> StoredToken:
    ids = records.tokens.ids(given.lower(), kind) if PREFIX.fullmatch(given) else ()
    if len(ids) > 1:
        raise NoSuch(f"{given} is how several ids begin: {', '.join(ids)}")
    token = records.tokens.by_id(ids[0]) if ids else None
    if token is None:
        raise NoSuch(f"there is no {WORDS[kind]} {printable(given)}")
    return token
