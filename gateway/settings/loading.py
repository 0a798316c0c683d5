"""How the settings of a process are found, and what is said of those that cannot be read."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import SettingsError as SourceError

from gateway.errors import SettingsError
from gateway.settings.model import Settings

SECRETS = ("secret_keys",)


def load_settings(flags: Mapping[str, Any] | None = None, *, config: str | None = None) -> Settings:
    """Return the settings of this process; `flags` are those given on the command line, None left out.

    Raises SettingsError with one line that names the setting, never its value.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    config = config or os.environ.get("GATEWAY_CONFIG")
    if config and not Path(config).is_file():
        raise SettingsError(f"the settings file {config} cannot be read")
    for name in SECRETS:
        path = os.environ.get(f"GATEWAY_{name.upper()}_FILE")
        if path and name not in given:
            given[name] = read_secret(Path(path))
    try:
        return Settings(config=config, **given)
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(e) for e in error.errors())) from None
    except SourceError as error:
        # Its text quotes the name of the setting and not the value.
        field = re.search(r'field "(\w+)"', str(error))
        raise SettingsError(f"setting {field[1]}: is no JSON" if field else str(error)) from None
    except ValueError as error:
        raise SettingsError(f"the settings file {config} is no TOML: {error}") from None


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the variables that look like settings and are none, by name."""
    names = {name.upper() for name in Settings.model_fields}
    known = names | {"CONFIG"} | {f"{name.upper()}_FILE" for name in SECRETS}
    given = {name for name in environment if name.upper().startswith("GATEWAY_")}
    return sorted(name for name in given if name.upper().removeprefix("GATEWAY_") not in known)


def _sentence(error: Any) -> str:
    name, told = ".".join(str(part) for part in error["loc"]), error["msg"].removeprefix("Value error, ")
    return f"setting {name}: {told}" if name else told


def read_secret(path: Path) -> str:
    """Return the text of a secret file without its final newline.

    Raises SettingsError when it cannot be read, or when others than its owner and group may read it.
    """
    try:
        if path.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            raise SettingsError(f"the secret file {path} is open to every user: chmod o= it")
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"the secret file {path} cannot be read") from error
