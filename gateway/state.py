"""What a gateway keeps, and where: its records, and the key in its state folder."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from gateway.errors import SettingsError
from gateway.records import Records, file_of, migrate_records, named, open_records, sqlite_url
from gateway.settings import Settings, read_secret

FILE = "gateway.db"


def database_url(settings: Settings) -> str:
    """Return the URL of the records: that of the settings, else that of the file in the state folder."""
    return settings.database_url or sqlite_url(settings.state_dir.absolute() / FILE)


def made_records(settings: Settings) -> Records:
    """Return the records, made where they are missing or brought up to date.

    Raises SettingsError and RecordsUnavailable.
    """
    url = database_url(settings)
    if (file := file_of(url)) is not None:
        make_file(file, settings.state_dir)
    return open_records(url, settings.database_owner_url)


def existing_records(settings: Settings, *, read_only: bool) -> Records:
    """Return the records that are there; with `read_only` nothing is brought up to date or changed.

    Raises SettingsError, with the place that was looked at, where there are none, and RecordsUnavailable.
    """
    file = file_of(database_url(settings))
    if file is not None and not file.exists():
        named = "GATEWAY_STATE_DIR, or state_dir in the settings file, names another folder"
        raise SettingsError(f"there is no catalogue in {file.absolute().parent}: {named}")
    return open_records(database_url(settings), settings.database_owner_url, read_only=read_only)


def bring_up_to_date(settings: Settings) -> None:
    """Return when the records have the tables of this release; where they are missing they are made.

    Raises SettingsError and RecordsUnavailable.
    """
    url = database_url(settings)
    if (file := file_of(url)) is not None:
        make_file(file, settings.state_dir)
    migrate_records(url, settings.database_owner_url)


def place_of_records(settings: Settings) -> str:
    """Return where the records are, for people."""
    return named(database_url(settings))


def place_of_state(settings: Settings) -> str:
    """Return the folder of the records, or the server that has them, for people."""
    file = file_of(database_url(settings))
    return place_of_records(settings) if file is None else str(file.absolute().parent)


def secret_keys(settings: Settings) -> list[bytes]:
    """Return the keys for the gateway's own tokens: those of the settings, else those of the state folder's file.

    Raises SettingsError as `require_keys` does, and where the file cannot be made or read.
    """
    require_keys(settings)
    keys = settings.secret_keys or [part.strip() for part in own_key(settings.state_dir).split(",") if part.strip()]
    return [key.encode() for key in keys]


def require_keys(settings: Settings) -> None:
    """Return unless the settings have no keys and the records are shared by nodes.

    Raises SettingsError then: each node would make another key, and refuse the tokens of the others.
    """
    if not settings.secret_keys and file_of(database_url(settings)) is None:
        told = "GATEWAY_SECRET_KEYS or GATEWAY_SECRET_KEYS_FILE must be set, the same on all nodes"
        raise SettingsError(f"with records in {place_of_records(settings)} {told}")


def new_state(settings: Settings) -> Records:
    """Return the records, made where they are missing, together with a key unless the settings have keys.

    A key is not made beside a database that is there: whoever serves it signs with another one.
    """
    file = file_of(database_url(settings))
    if file is not None and not settings.secret_keys and not file.exists():
        own_key(settings.state_dir)
    return made_records(settings)


def state_folder(path: Path) -> Path:
    """Return the state folder, made when it is missing and closed to other users then."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the state folder {path} cannot be made") from error
    return path


def make_file(path: Path, state_dir: Path) -> None:
    """Make the file of a new database, closed to other users, because it names people; so is a new state folder."""
    if path.parent == state_dir.absolute():
        state_folder(state_dir)
    try:
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise SettingsError(f"the database {path} cannot be made") from error


def own_key(state_dir: Path) -> str:
    """Return the gateway's own key from `secret.key`, made with mode 0600 on the first start.

    Several processes may start together: the file is linked into place whole, and the first one wins.
    """
    path = state_folder(state_dir) / "secret.key"
    if not path.exists():
        temporary = path.with_name(f".secret.key.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48) + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        except OSError as error:
            raise SettingsError(f"the key file {path} cannot be made") from error
    return read_secret(path)
