"""What the rest of the gateway asks of its database about tokens on record, and their columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from gateway.model import AuditRow, utc_moment, utc_text
from gateway.principal import StoredKind, StoredToken, Target

# So long all ranges of one client are one use of a link.
USE_LASTS = timedelta(hours=1)
# What has expired is listed so long, and goes when its owner makes another one.
KEPT_EXPIRED = timedelta(days=30)
# The last use of a token is written down no sooner than so long after the one before.
TOUCH_EVERY = timedelta(minutes=1)
COLUMNS = (
    "id", "kind", "hash", "owner", "roles", "name", "download", "dataset_id", "collection", "created_at",
    "expires_at", "uses", "used", "last_used_at",
)  # fmt: skip
# Of those that have no other order.
PAGE = 1000


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """Which tokens are wanted; None is any. `of_datasets_of` adds those that are for a dataset of this user."""

    kind: StoredKind | None = None
    owner: str | None = None
    of_datasets_of: str | None = None


@dataclass(frozen=True, slots=True)
class LinkUse:
    """A use of a link at a moment (UTC) by one client; one that `joins` is part of the client's use of this hour."""

    token_id: str
    client: str
    at: datetime
    joins: bool = False


class TokenRecords(Protocol):
    """Tokens on record; what holds for `Records` holds for these methods."""

    def by_hash(self, hash_hex: str) -> StoredToken | None:
        """Return the token whose secret has this SHA-256; quick."""

    def by_id(self, token_id: str) -> StoredToken | None:
        """Return the token with this id; quick."""

    def ids(self, prefix: str, kind: StoredKind) -> tuple[str, ...]:
        """Return the first few ids of tokens of a kind that begin like this, of lower case."""

    def find(self, query: TokenQuery) -> tuple[StoredToken, ...]:
        """Return the tokens of the query, the newest first."""

    def every(self) -> Iterator[StoredToken]:
        """Yield all tokens by id, read as they are taken."""

    def store(self, token: StoredToken, most: int, row: AuditRow) -> bool:
        """Return whether the token is on record now: False where its owner has `most` of that kind that are good.

        What of theirs expired long ago is removed.
        """

    def revoke(self, token_id: str, row: AuditRow) -> bool:
        """Return whether there was such a token. It is gone then, and with it all that came about through it."""

    def touch(self, token_id: str, at: datetime) -> None:
        """Note that the token was used at a moment, unless a use of the minute before is noted."""

    def may_use(self, use: LinkUse) -> bool:
        """Return whether `use` would be granted now; nothing is counted."""

    def use(self, use: LinkUse, row: AuditRow) -> bool:
        """Return whether the use is granted and on record: counted, unless it joins, in one transaction with the row.

        The row gets the number of the use in `detail`. False where the link is gone, has expired or is used up.
        """

    def clear(self) -> None:
        """Remove all tokens, for those of another database to be copied in. No audit row tells of it."""

    def copy_in(self, tokens: Sequence[StoredToken]) -> None:
        """Store tokens of another database, as they are there. No audit row tells of it: those are copied as well."""


def token_row(token: StoredToken) -> dict[str, Any]:
    """Return the columns of a token."""
    return {
        "id": token.id,
        "kind": token.kind.value,
        "hash": token.hash,
        "owner": token.owner,
        "roles": json.dumps(sorted(token.roles)),
        "name": token.name,
        "download": token.download,
        "dataset_id": token.target.dataset_id,
        "collection": token.target.collection,
        "created_at": utc_text(token.created_at),
        "expires_at": utc_text(token.expires_at),
        "uses": token.uses,
        "used": token.used,
        "last_used_at": utc_text(token.last_used_at) if token.last_used_at else None,
    }


def token_of(row: dict[str, Any]) -> StoredToken:
    """Return the token of a row; its moments may be text."""
    last = row["last_used_at"]
    return StoredToken(
        **{name: row[name] for name in ("id", "hash", "owner", "name", "uses", "used")},
        kind=StoredKind(row["kind"]),
        roles=frozenset(json.loads(row["roles"])),
        download=bool(row["download"]),
        target=Target(row["dataset_id"], row["collection"]),
        created_at=_moment(row["created_at"]),
        expires_at=_moment(row["expires_at"]),
        last_used_at=None if last is None else _moment(last),
    )


def _moment(value: datetime | str) -> datetime:
    return utc_moment(value if isinstance(value, str) else utc_text(value))
