"""`grants`: rights of users and roles on private datasets."""

from __future__ import annotations

import click

from gateway.cli.administration import NoSuch, id_or_exit, records_of
from gateway.cli.people import PERSON
from gateway.cli.shared import as_json, print_json, print_table, printable
from gateway.model import AuditRow, Grant, Level

LEVELS = click.Choice([level.value for level in Level])
COLUMNS = ("dataset_id", "user", "role", "level")

dataset_id = click.argument("dataset_id", metavar="ID")
# Whatever is on record can be taken away; what is added must be a name.
of_user = click.option("--user", metavar="NAME", help="The user.")
of_role = click.option("--role", metavar="NAME", help="The role.")
to_user = click.option("--user", type=PERSON, metavar="NAME", help="The user.")
to_role = click.option("--role", type=PERSON, metavar="NAME", help="The role.")


@click.group()
def grants() -> None:
    """Let users and roles have private datasets."""


@grants.command()
@dataset_id
@to_user
@to_role
@click.option("--level", type=LEVELS, default=Level.DOWNLOAD.value, show_default=True, help="download implies view.")
@as_json
@click.pass_context
def add(
    context: click.Context, /, dataset_id: str, user: str | None, role: str | None, level: str, as_json: bool
) -> None:
    """Grant a right on a dataset to a user or a role.

    A second grant to the same one replaces the level.
    """
    require_one(context, user, role)
    with records_of(context, write=True) as records:
        grant = Grant(id_or_exit(records, dataset_id), Level(level), user, role)
        detail = {"user": user, "role": role, "level": level}
        records.add_grant(grant, AuditRow("grant.added", dataset_id=grant.dataset_id, detail=detail))
    tell(grant, "granted", as_json=as_json)


@grants.command()
@dataset_id
@of_user
@of_role
@as_json
@click.pass_context
def remove(context: click.Context, /, dataset_id: str, user: str | None, role: str | None, as_json: bool) -> None:
    """Take a grant away; exit code 1 where there is none."""
    require_one(context, user, role)
    with records_of(context, write=True) as records:
        known = id_or_exit(records, dataset_id)
        row = AuditRow("grant.removed", dataset_id=known, detail={"user": user, "role": role})
        removed = records.remove_grant(known, row, user=user, role=role)
    if removed is None:
        raise NoSuch(f"there is no such grant on {known}")
    tell(removed, "removed", as_json=as_json)


@grants.command("list")
@dataset_id
@as_json
@click.pass_context
def list_(context: click.Context, /, dataset_id: str, as_json: bool) -> None:
    """List the grants on a dataset."""
    with records_of(context) as records:
        found = records.grants(id_or_exit(records, dataset_id))
    if as_json:
        for grant in found:
            tell(grant, "", as_json=True)
    else:
        print_table(COLUMNS, ((g.dataset_id, g.user, g.role, g.level) for g in found))


def require_one(context: click.Context, user: str | None, role: str | None) -> None:
    """Return when exactly one of user and role is named; raises UsageError."""
    if bool(user) == bool(role):
        raise click.UsageError("give exactly one of --user NAME and --role NAME", context)


def tell(grant: Grant, word: str, *, as_json: bool) -> None:
    """Print one grant."""
    if as_json:
        print_json(dict(zip(COLUMNS, (grant.dataset_id, grant.user, grant.role, grant.level), strict=True)))
    else:
        who = f"user {grant.user}" if grant.user else f"role {grant.role}"
        click.echo(printable(f"{word} {grant.level} on {grant.dataset_id}: {who}"))
