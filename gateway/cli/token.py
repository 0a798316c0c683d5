"""`token`: a bearer token, signed with the gateway's own key."""

from __future__ import annotations

import time

import click

from gateway.cli.shared import settings_of
from gateway.errors import SettingsError
from gateway.services import secret_keys
from gateway.tokens import HmacKeys, mint_bearer


@click.command()
@click.option("--sub", required=True, metavar="NAME", help="The user.")
@click.option("--role", "roles", multiple=True, metavar="ROLE", help="A role of the user; may be given again.")
@click.option(
    "--seconds", type=click.IntRange(1, 31_536_000), default=3600, show_default=True, help="Life of the token."
)
@click.pass_context
def token(context: click.Context, /, sub: str, roles: tuple[str, ...], seconds: int) -> None:
    """Print a bearer token (a JWT) and nothing else."""
    settings = settings_of(context)
    if settings.oidc_issuer is not None:
        raise SettingsError(f"bearer tokens come from {settings.oidc_issuer}: the gateway takes none of its own")
    state = settings.state_dir.absolute()
    if not settings.secret_keys and (state / "gateway.db").exists() and not (state / "secret.key").exists():
        # A new key would be one that the server does not know.
        named = "name them here as well, by GATEWAY_SECRET_KEYS_FILE or GATEWAY_SECRET_KEYS"
        raise SettingsError(f"there is no secret.key in {state}: the server has its keys from its settings; {named}")
    keys = HmacKeys(secret_keys(settings))
    click.echo(mint_bearer(keys, sub, roles, seconds, time.time(), settings.roles_claim))
