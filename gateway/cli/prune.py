"""Retention: old audit rows written to an archive, and only then taken out of the table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from gateway.cli.newfile import new_file
from gateway.errors import SettingsError
from gateway.model import AuditRow, utc_text
from gateway.records import Archived, Records


def prune(records: Records, rows: Iterable[dict[str, Any]], until: datetime, archive: Path) -> Archived:
    """Return what was taken out of the audit: archived, durable and on record before it is deleted.

    `rows` are those older than `until`, oldest first. Nothing is written where there are none. Raises SettingsError
    when the archive is there already or cannot be written, and RecordsUnavailable where another role prunes; then
    nothing is deleted.
    """
    # Before the archive: one that nothing is deleted after would be in the way of the next.
    records.require_pruner()
    try:
        archived = write_archive(archive, rows)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise SettingsError(f"the archive {archive} cannot be written: {reason}") from error
    if archived.rows:
        detail = {"before": utc_text(until), "archive": archive.name, **asdict(archived)}
        row = AuditRow("audit.pruned", detail=detail)
        records.prune_audit(until, archived, row)
    return archived


def write_archive(archive: Path, rows: Iterable[dict[str, Any]]) -> Archived:
    """Return what was written: the rows as JSON lines in a new file for the operator alone, whole and on the disk.

    Raises FileExistsError and other OSErrors; nothing of a new archive is left then, nor where there are no rows.
    """
    with new_file(archive) as temporary:
        with temporary.open("wb") as file:
            archived = _write(file, rows)
        if not archived.rows:
            temporary.unlink()
    return archived


def _write(file: BinaryIO, rows: Iterable[dict[str, Any]]) -> Archived:
    digest, count, first, last = hashlib.sha256(), 0, 0, 0
    for row in rows:
        line = json.dumps(row, allow_nan=False).encode() + b"\n"
        digest.update(line)
        file.write(line)
        count, first, last = count + 1, min(first or row["id"], row["id"]), max(last, row["id"])
    return Archived(count, first, last, digest.hexdigest()) if count else Archived()


def require_past(before: datetime) -> None:
    """Return when `before` has come; raises SettingsError for a moment that lies ahead."""
    if before > datetime.now(UTC):
        raise SettingsError(f"{utc_text(before)} lies in the future: rows of today would not be old")
