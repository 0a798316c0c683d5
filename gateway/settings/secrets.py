"""Settings that nobody else may read: from a file that is closed to others, wherever the file is named."""

from __future__ import annotations

import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from gateway.errors import SettingsError

# Each is also read from the file that the setting of this name with `_file` names.
SECRETS = ("secret_keys", "database_url", "database_owner_url", "valkey_url")
SECRETS_OF_ROOTS = ("secret_access_key", "session_token")


def with_secrets(source: Callable[[], Mapping[str, Any]]) -> Callable[[], dict[str, Any]]:
    """Return `source`, one of the places of settings, with the secrets in the files that it names.

    It raises SettingsError as `read_secret` does.
    """

    def read() -> dict[str, Any]:
        found = dict(source())
        for name in SECRETS:
            if path := found.get(f"{name}_file"):
                found[name] = read_secret(Path(str(path)))
        return found

    return read


def read_secret(path: Path) -> str:
    """Return the text of a secret file without its final newline.

    Raises SettingsError when it cannot be read, or when others than its owner and group may read it.
    """
    try:
        if is_open(path):
            raise SettingsError(f"the secret file {path} is open to every user: chmod o= it")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret file {path} cannot be read") from error


def require_closed(path: Path, found: Mapping[str, Any]) -> None:
    """Raise SettingsError when what was found in the settings file at `path` is secret and others may read it."""
    roots = found.get("roots")
    tables = (
        [found, *(root for root in roots.values() if isinstance(root, dict))] if isinstance(roots, dict) else [found]
    )
    names = [name for table in tables for name in (*SECRETS, *SECRETS_OF_ROOTS) if name in table]
    if names and is_open(path):
        raise SettingsError(f"the settings file {path} holds {names[0]} and is open to every user: chmod o= it")


def is_open(path: Path) -> bool:
    """Return whether users who are neither the owner nor of the group may read or write the file."""
    return bool(path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
