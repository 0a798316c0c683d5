"""`token`: a bearer token, signed with the gateway's own key."""

from __future__ import annotations

import time

import click

from gateway.cli.people import PERSON
from gateway.cli.shared import printable, settings_of
from gateway.errors import SettingsError
from gateway.settings import Settings
from gateway.state import require_keys, secret_keys
from gateway.tokens import HmacKeys, mint_bearer


@click.command()
@click.option("--sub", required=True, type=PERSON, metavar="NAME", help="The user.")
@click.option("--role", "roles", multiple=True, type=PERSON, metavar="ROLE",
              help="A role of the user; may be given again.")  # fmt: skip
@click.option(
    "--seconds", type=click.IntRange(1, 31_536_000), default=3600, show_default=True, help="Life of the token."
)
@click.pass_context
def token(context: click.Context, /, sub: str, roles: tuple[str, ...], seconds: int) -> None:
    """Print a bearer token (a JWT) and nothing else."""
    settings = settings_of(context)
    if settings.oidc_issuer is not None:
        raise SettingsError(f"bearer tokens come from {settings.oidc_issuer}: the gateway takes none of its own")
    keys = HmacKeys(own_keys(settings))
    click.echo(mint_bearer(keys, sub, roles, seconds, time.time(), settings.roles_claim))


def own_keys(settings: Settings) -> list[bytes]:
    """Return the keys that the server will know, with a line on stderr where one had to be made.

    Raises SettingsError where it would be made beside a catalogue, or in a folder that nobody named.
    """
    require_keys(settings)
    state = settings.state_dir.absolute()
    made = not settings.secret_keys and not (state / "secret.key").exists()
    if made and (state / "gateway.db").exists():
        named = "name them here as well, by GATEWAY_SECRET_KEYS_FILE or GATEWAY_SECRET_KEYS"
        raise SettingsError(f"there is no secret.key in {state}: the server has its keys from its settings; {named}")
    if made and "state_dir" not in settings.model_fields_set:
        begin = "cog-gateway ingest and serve make one where they run"
        named = "GATEWAY_STATE_DIR, or state_dir in the settings file, names another folder"
        raise SettingsError(f"there is no secret.key in {state}: {begin}; {named}")
    keys = secret_keys(settings)
    if made:
        click.echo(printable(f"made a new key: {state / 'secret.key'}"), err=True)
    return keys
