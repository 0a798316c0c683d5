"""What the rest of the gateway asks of its database about lists of files, and their columns."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from gateway.model import AuditRow, utc_text
from gateway.principal import StoredToken
from gateway.records.tokens import token_of

# Of one id.
ID_BYTES = 16
COLUMNS = (
    "id", "owner", "roles", "dataset_id", "collection", "via", "created_at", "expires_at", "count", "bytes", "files",
)  # fmt: skip
# What a list is without its files, as a token on record.
HOLDER_COLUMNS = "id, owner, roles, dataset_id, collection, created_at, expires_at"
WITHOUT = {"hash": "", "name": "", "uses": None, "used": 0, "last_used_at": None, "kind": "list", "download": True}


@dataclass(frozen=True, slots=True)
class FileList:
    """A list of files: `token` says whose rights count and until when, `via` by which token of one's own it was made.

    `dataset_ids` are in the order of the list, each once; `size_bytes` is what they came to when it was made.
    """

    token: StoredToken
    dataset_ids: tuple[str, ...]
    size_bytes: int
    via: str | None = None


class ListRecords(Protocol):
    """Lists on record, which nothing ever changes; what holds for `Records` holds for these methods."""

    def store(self, files: FileList, most: int, row: AuditRow) -> bool:
        """Return whether the list is on record now: False where its owner has `most` that are good.

        What has ended is removed, whoever made it.
        """

    def by_id(self, list_id: str) -> FileList | None:
        """Return the list with this id; quick."""

    def token(self, list_id: str) -> StoredToken | None:
        """Return what a list is as a token on record, without its files; quick."""


def list_row(files: FileList) -> dict[str, Any]:
    """Return the columns of a list."""
    token = files.token
    return {
        "id": token.id,
        "owner": token.owner,
        "roles": json.dumps(sorted(token.roles)),
        "dataset_id": token.target.dataset_id,
        "collection": token.target.collection,
        "via": files.via,
        "created_at": utc_text(token.created_at),
        "expires_at": utc_text(token.expires_at),
        "count": len(files.dataset_ids),
        "bytes": files.size_bytes,
        "files": b"".join(key_of(each) for each in files.dataset_ids),
    }


def list_of(row: dict[str, Any]) -> FileList:
    """Return the list of a row."""
    return FileList(list_token_of(row), ids_of(bytes(row["files"])), row["bytes"], row["via"])


def list_token_of(row: dict[str, Any]) -> StoredToken:
    """Return what a list is as a token on record."""
    return token_of({**row, **WITHOUT})


def ids_of(files: bytes) -> tuple[str, ...]:
    """Return the ids of datasets that lie one behind the other."""
    return tuple(str(UUID(bytes=files[start : start + ID_BYTES])) for start in range(0, len(files), ID_BYTES))


def key_of(dataset_id: str) -> bytes:
    """Return an id as it lies among those of a list."""
    return UUID(dataset_id).bytes
