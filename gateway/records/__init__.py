"""The database: datasets, people and the audit. Every SQL statement of the gateway is in this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from gateway.errors import SettingsError
from gateway.records.base import (
    ACTIONS,
    SORTINGS,
    AuditQuery,
    DatasetPage,
    DatasetQuery,
    DownloadSummary,
    Records,
    Standing,
    StoredAuditRow,
    UserState,
)
from gateway.records.changes import Change, Verdict
from gateway.records.sqlite import old_library, open_sqlite

SQLITE = "sqlite:///"


def sqlite_url(path: Path) -> str:
    """Return the URL of an SQLite file: its path, relative or absolute, behind three slashes."""
    return SQLITE + quote(str(path))


def _open_file(url: str, *, read_only: bool) -> Records:
    if not url.startswith(SQLITE):
        raise SettingsError("the URL of an SQLite database must look like sqlite:///PATH")
    return open_sqlite(Path(unquote(url.removeprefix(SQLITE))), read_only=read_only)


# By the scheme of a URL.
BACKENDS: dict[str, Callable[..., Records]] = {"sqlite": _open_file}


def open_records(where: str | Path, *, read_only: bool = False) -> Records:
    """Return the records in the database at a URL, or in the SQLite file at a path.

    With `read_only` nothing is made or brought up to date, and a database of an older release is read as it is.
    Raises RecordsUnavailable, and SettingsError for a URL of no database that is known here.
    """
    url = sqlite_url(where) if isinstance(where, Path) else where
    scheme = urlsplit(url).scheme
    if scheme not in BACKENDS:
        raise SettingsError(f"records are not kept in {scheme or 'what has no scheme'}: {', '.join(BACKENDS)}")
    return BACKENDS[scheme](url, read_only=read_only)


__all__ = [
    "ACTIONS",
    "BACKENDS",
    "SORTINGS",
    "AuditQuery",
    "Change",
    "DatasetPage",
    "DatasetQuery",
    "DownloadSummary",
    "Records",
    "Standing",
    "StoredAuditRow",
    "UserState",
    "Verdict",
    "old_library",
    "open_records",
    "open_sqlite",
    "sqlite_url",
]
