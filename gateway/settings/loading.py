"""How the settings of a process are found, and what is said of those that cannot be read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import ValidationError
from pydantic_settings import SettingsError as SourceError

from gateway.errors import SettingsError
from gateway.settings.model import Settings

# Of commands and no settings: the settings file, and the token of `fetch`.
OF_COMMANDS = {"CONFIG", "TOKEN"}


def load_settings(flags: Mapping[str, Any] | None = None, *, config: str | None = None) -> Settings:
    """Return the settings of this process; `flags` are those given on the command line, None left out.

    Raises SettingsError with one line that names the setting, never its value.
    """
    given = {name: value for name, value in (flags or {}).items() if value is not None}
    config = config or os.environ.get("GATEWAY_CONFIG")
    try:
        if config and not Path(config).is_file():
            raise SettingsError(f"the settings file {config} cannot be read")
        return Settings(config=config, **given)
    except OSError as error:
        # Its owner has changed, or a disk is away; of `.env` as well.
        name, reason = error.filename or config, error.strerror
        raise SettingsError(f"the settings file {name} cannot be read: {reason}") from None
    except ValidationError as error:
        raise SettingsError("; ".join(_sentence(e) for e in error.errors())) from None
    except SourceError as error:
        # Its text quotes the name of the setting and not the value.
        field = re.search(r'field "(\w+)"', str(error))
        raise SettingsError(f"setting {field[1]}: is no JSON" if field else str(error)) from None
    except UnicodeDecodeError:
        raise SettingsError(f"the settings file {config or '.env'} is no UTF-8 text") from None
    except ValueError as error:
        raise SettingsError(f"the settings file {config} is no TOML: {error}") from None


def unknown_settings(environment: Mapping[str, str]) -> list[str]:
    """Return the variables, also those of `.env`, that look like settings and are none, by name."""
    known = {name.upper() for name in Settings.model_fields} | OF_COMMANDS
    given = {name for name in (*environment, *_names_in_dotenv()) if name.upper().startswith("GATEWAY_")}
    return sorted(name for name in given if name.upper().removeprefix("GATEWAY_") not in known)


def told_unknown(environment: Mapping[str, str]) -> list[str]:
    """Return a sentence for each variable that looks like a setting and is none."""
    names = sorted(f"GATEWAY_{name.upper()}" for name in Settings.model_fields)
    told = []
    for name in unknown_settings(environment):
        nearest = get_close_matches(name.upper(), names, n=1)
        hint = f": did you mean {nearest[0]}?" if nearest else ""
        told.append(f"{name} names no setting and is ignored{hint}")
    return told


def _names_in_dotenv() -> list[str]:
    """Return the names of the variables in the file `.env`, none where there is no such file."""
    path = Settings.model_config.get("env_file")
    return list(dotenv_values(str(path))) if path and Path(str(path)).is_file() else []


def _sentence(error: Any) -> str:
    name, told = ".".join(str(part) for part in error["loc"]), error["msg"].removeprefix("Value error, ")
    return f"setting {name}: {told}" if name else told
