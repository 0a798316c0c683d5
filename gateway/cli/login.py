"""`login`: a token of one's own from a gateway, by signing in with its issuer on any device."""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import click

from gateway.cli.deviceflow import WEB, Refused, answer, device_token
from gateway.cli.logins import Login, keep
from gateway.cli.shared import printable
from gateway.errors import SettingsError

METADATA = "/.well-known/oauth-protected-resource"
AUDIENCE_PARAMETERS = ("resource", "audience")
LOOPBACK = ("localhost", "127.0.0.1", "::1")


@click.command()
@click.argument("url", metavar="URL")
@click.option("--with-token", is_flag=True, help="Read a bearer token from stdin instead of signing in.")
@click.option("--scope", type=click.Choice(("view", "download")), default="download", show_default=True,
              help="What the new token may do.")  # fmt: skip
def login(url: str, with_token: bool, scope: str) -> None:
    """Sign in to the gateway at URL, and keep a token of one's own for it.

    It is kept in login.json in the folder cog-gateway of the user's configuration, and for curl and GDAL in netrc
    beside it. It is one among those that the page and `tokens list` show, and is revoked there.
    """
    url = url.rstrip("/")
    host = urlsplit(url).hostname
    if not url.startswith(WEB) or host is None:
        raise SettingsError(f"{url} is no address such as https://maps.example.org")
    if url.startswith("http:") and host not in LOOPBACK:
        click.echo(printable(f"Warning: whoever is on the way to {host} can read what is sent by http"), err=True)
    try:
        found = answer(url + METADATA)
    except Refused:
        raise SettingsError(f"{url} is no gateway: {METADATA} is not there") from None
    api, issuers, client = found.get("resource"), found.get("authorization_servers"), found.get("client_id")
    if not isinstance(api, str) or urlsplit(api).hostname != host:
        raise SettingsError(f"{url} says that it is another one: {str(api)[:80]}")
    if with_token:
        bearer = sys.stdin.readline().strip()
    elif isinstance(issuers, list) and issuers and isinstance(client, str):
        bearer = device_token(str(issuers[0]), {"client_id": client, **asked_for(found)}, tell, time.sleep)
    else:
        raise SettingsError("the gateway has no issuer with a client for people: use --with-token")
    made = own_token(api, bearer, scope)
    path = keep(made)
    click.echo(printable(f"signed in to {api} until {made.expires_at}: {path}"))


def asked_for(found: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what the gateway says that its issuer is asked for: a scope, and the audience.

    What lives on while nobody is there (`offline_access`) is not: a token of one's own takes the place of this one.
    """
    scopes, parameters = found.get("scopes_supported"), found.get("parameters")
    words = [str(each) for each in scopes] if isinstance(scopes, list) else ["openid"]
    more = parameters.items() if isinstance(parameters, dict) else ()
    scope = " ".join(word for word in words if word != "offline_access")
    return {"scope": scope, **{name: str(value) for name, value in more if name in AUDIENCE_PARAMETERS}}


def tell(address: str, code: str) -> None:
    """Print where to sign in, and the code to enter there."""
    click.echo(printable(f"Open {address} in a browser and enter the code {code}"), err=True)


def own_token(api: str, bearer: str, scope: str) -> Login:
    """Return a new token of whoever the bearer token is of. Raises SettingsError."""
    name = f"login on {platform.node() or 'some machine'}"[:255]
    body = json.dumps({"name": name, "scope": [scope]}).encode()
    if not bearer.isascii() or not bearer.isprintable():
        raise SettingsError("this is no bearer token")
    try:
        told = answer(f"{api}/auth/tokens", body, Authorization=f"Bearer {bearer}")
    except Refused as refused:
        raise SettingsError(f"the gateway refuses: {refused.told.get('detail') or refused.status}") from None
    return Login(api, str(told["token"]), str(told["expires_at"]))
