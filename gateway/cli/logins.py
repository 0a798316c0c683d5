"""What `login` leaves behind: a token of one's own for each gateway, in files that nobody else may read."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from gateway.errors import SettingsError

NAME = "cog-gateway"


@dataclass(frozen=True, slots=True)
class Login:
    """A gateway by the URL of its API, and the token that it takes until a moment in ISO 8601."""

    api: str
    token: str
    expires_at: str


def folder() -> Path:
    """Return the folder of these files, in the user's configuration folder."""
    return Path(click.get_app_dir(NAME))


def token_for(url: str) -> str | None:
    """Return the token for an address below the API of a gateway that somebody signed in to, None without one.

    Raises SettingsError for a file that cannot be read.
    """
    for login in every_login():
        if url == login.api or url.startswith((f"{login.api}/", f"{login.api}?")):
            return login.token
    return None


def every_login() -> list[Login]:
    """Return what is kept. Raises SettingsError for a file that cannot be read, or that others may read."""
    path = folder() / "login.json"
    try:
        with path.open(encoding="utf-8") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise SettingsError(f"{path} is open to other users: chmod 600 it")
            found: dict[str, Any] = json.load(file)
        return [Login(api, each["token"], each["expires_at"]) for api, each in found["gateways"].items()]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{path} cannot be read: {type(error).__name__}") from None


def keep(login: Login) -> Path:
    """Return the file in which the login is kept now, in place of an older one to the same gateway.

    Beside it lies a `netrc` for curl (--netrc-file) and GDAL (GDAL_HTTP_NETRC_FILE). Raises SettingsError.
    """
    logins = {each.api: each for each in every_login()} | {login.api: login}
    told = {api: {"token": each.token, "expires_at": each.expires_at} for api, each in logins.items()}
    lines = [
        f"machine {urlsplit(api).hostname} login cog-gateway password {each.token}\n" for api, each in logins.items()
    ]
    place = folder()
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write(place / "netrc", "".join(lines))
        _write(place / "login.json", json.dumps({"gateways": told}, indent=2) + "\n")
    except OSError as error:
        raise SettingsError(f"{place} cannot be written: {(error.strerror or '').lower()}") from error
    return place / "login.json"


def _write(path: Path, text: str) -> None:
    """Put a file in place whole, readable by its owner alone from its first moment."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(
            os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
