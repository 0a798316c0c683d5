"""The database: datasets, people and the audit. Every SQL statement of the gateway is in this folder."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from urllib.parse import quote, unquote_to_bytes, urlsplit

from gateway.errors import SettingsError
from gateway.records.actions import ACTIONS
from gateway.records.audiences import audiences_of
from gateway.records.base import (
    LEAST_MONTHS_AHEAD,
    SORTINGS,
    Archived,
    AuditQuery,
    DatasetPage,
    DatasetQuery,
    DownloadSummary,
    Records,
    StoredAuditRow,
    UserState,
)
from gateway.records.changes import Change, Verdict
from gateway.records.jobs import Job, JobStatus
from gateway.records.lists import FileList
from gateway.records.rows import collection_row, dataset_row, overview_row, search_row, values_of
from gateway.records.smallpictures import Crowd, SmallPicture
from gateway.records.sqlite import old_library, open_sqlite
from gateway.records.standing import NOBODY, Holder, NotRemembered, Remembering, Revision, Standing
from gateway.records.tokens import LinkUse, TokenQuery, token_row

SQLITE = "sqlite:///"


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file: its path, relative or absolute, behind three slashes."""
    return SQLITE + quote(os.fsencode(path))


def file_of(url: str) -> Path | None:
    """Return the file of an SQLite database, None for the URL of a server."""
    return _path_in(url) if urlsplit(url).scheme == "sqlite" else None


def _path_in(url: str) -> Path:
    # By the bytes: a folder's name need not be UTF-8.
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(url.removeprefix(SQLITE)))))


def named(url: str) -> str:
    """Return how a database is named to people: its file, or its server without user and password."""
    file, parts = file_of(url), urlsplit(url)
    if file is not None:
        return str(file)
    host = parts.netloc.rpartition("@")[2] or "the local socket"
    return f"PostgreSQL {parts.path.strip('/')} at {host}"


def _open_file(url: str, owner_url: str | None, *, read_only: bool) -> Records:
    if not url.startswith(SQLITE):
        raise SettingsError("the URL of an SQLite database must look like sqlite:///PATH")
    return open_sqlite(_path_in(url), read_only=read_only)


def migrate_records(url: str, owner_url: str | None = None) -> None:
    """Return when a database has the tables of this release, and the rights and months that a server needs.

    Raises RecordsUnavailable and SettingsError.
    """
    if file_of(url) is not None:
        open_records(url).close()
        return
    _postgres().bring_up(url, owner_url or url)


def _open_server(url: str, owner_url: str | None, *, read_only: bool) -> Records:
    opened: Records = _postgres().open_postgres(url, owner_url, read_only=read_only)
    return opened


def _postgres() -> ModuleType:
    """Return the room of PostgreSQL: only who has records there needs its library."""
    try:
        return importlib.import_module("gateway.records.postgres")
    except ImportError as error:
        told = "records in PostgreSQL need the extra: pip install 'cog-gateway[postgres]'"
        raise SettingsError(f"{told} ({str(error).splitlines()[0]})") from error


# By the scheme of a URL.
BACKENDS: dict[str, Callable[..., Records]] = {
    "sqlite": _open_file,
    "postgresql": _open_server,
    "postgres": _open_server,
}


def open_records(where: str | Path, owner_url: str | None = None, *, read_only: bool = False) -> Records:
    """Return the records in the database at a URL, or in the SQLite file at a path.

    Where a role of its own owns the tables, `owner_url` is that by which they are brought up to date and pruned.
    With `read_only` nothing is made or brought up to date, and a database of an older release is read as it is.
    Raises RecordsUnavailable, and SettingsError for a URL of no database that is known here.
    """
    url = sqlite_url(where) if isinstance(where, Path) else where
    scheme = urlsplit(url).scheme
    if scheme not in BACKENDS:
        raise SettingsError(f"records are not kept in {scheme or 'what has no scheme'}: {', '.join(BACKENDS)}")
    return BACKENDS[scheme](url, owner_url, read_only=read_only)


__all__ = [
    "ACTIONS",
    "BACKENDS",
    "LEAST_MONTHS_AHEAD",
    "NOBODY",
    "SORTINGS",
    "Archived",
    "AuditQuery",
    "Change",
    "Crowd",
    "DatasetPage",
    "DatasetQuery",
    "DownloadSummary",
    "FileList",
    "Holder",
    "Job",
    "JobStatus",
    "LinkUse",
    "NotRemembered",
    "Records",
    "Remembering",
    "Revision",
    "SmallPicture",
    "Standing",
    "StoredAuditRow",
    "TokenQuery",
    "UserState",
    "Verdict",
    "audiences_of",
    "collection_row",
    "dataset_row",
    "file_of",
    "migrate_records",
    "named",
    "old_library",
    "open_records",
    "open_sqlite",
    "overview_row",
    "search_row",
    "sqlite_url",
    "token_row",
    "values_of",
]
