"""The database: datasets, people and the audit. Every SQL statement of the gateway is in this folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

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
from gateway.records.health import old_library
from gateway.records.sqlite import open_sqlite

BACKENDS: dict[str, Callable[..., Records]] = {"sqlite": open_sqlite}


def open_records(path: Path, backend: str = "sqlite", *, read_only: bool = False) -> Records:
    """Return the records of the gateway, opened by the named backend. Raises RecordsUnavailable.

    With `read_only` nothing is made or brought up to date, and a database of an older release is read as it is.
    """
    return BACKENDS[backend](path, read_only=read_only)


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
]
