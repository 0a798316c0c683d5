"""What the answers of a store mean: absent, changed, archived, and the facts of an object."""

from __future__ import annotations

from datetime import UTC
from typing import Any

from botocore.exceptions import ClientError

from gateway.errors import Archived
from gateway.model import ObjectStat

ABSENT = {"404", "NoSuchKey", "NotFound", "NoSuchVersion"}
# Not GLACIER_IR, which is read like any other.
ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}
CHANGED = {"412", "PreconditionFailed"}
UNRESTORED = {"InvalidObjectState"}


def reason_of(error: Exception) -> str:
    """Return the store's error code, else the kind of the failure: words only, because messages may tell of keys."""
    code = str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""
    return code if code.isascii() and code.isalnum() else type(error).__name__


def refuse_archived(found: dict[str, Any]) -> None:
    """Return for an object that can be read; `found` is the answer of HeadObject (Amazon S3 API reference).

    `ArchiveStatus` is there while an object of INTELLIGENT_TIERING lies in one of its archive tiers.
    """
    restored: str | None = found.get("Restore")
    archived = found.get("StorageClass") in ARCHIVES or "ArchiveStatus" in found
    if archived and (restored is None or 'ongoing-request="false"' not in restored):
        raise Archived(restoring=restored is not None)


def stat_of(found: dict[str, Any]) -> ObjectStat:
    """Return the facts of an object; `found` is the answer of HeadObject."""
    version_id = found.get("VersionId")
    return ObjectStat(
        version=version_of(found),
        size_bytes=found["ContentLength"],
        modified_at=found["LastModified"].astimezone(UTC),
        # A bucket whose versioning is suspended calls every version null.
        version_id=version_id if version_id != "null" else None,
    )


def version_of(found: dict[str, Any]) -> str:
    """Return the version of an object: its entity tag without quotes."""
    return str(found["ETag"]).strip('"')
