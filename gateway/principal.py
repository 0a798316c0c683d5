"""Who asks: a user, nobody in particular, or whoever holds a token, and what that token is bound to."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TokenKind(StrEnum):
    """The `typ` of a scoped token; a bearer token has neither."""

    DOWNLOAD = "download"
    TILES = "tiles"


class StoredKind(StrEnum):
    """What a token on record is: a user's own one, a link to share, or that of a list of files."""

    OWN = "own"
    LINK = "link"
    LIST = "list"


@dataclass(frozen=True, slots=True)
class Target:
    """What a token on record is for: one dataset, one collection, or with neither all that its owner may have."""

    dataset_id: str | None = None
    collection: str | None = None

    def holds(self, dataset_id: str, collection: str) -> bool:
        """Return whether a dataset, which is in that collection, is part of it."""
        return self.dataset_id in (None, dataset_id) and self.collection in (None, collection)

    def __str__(self) -> str:
        """Return the form in which it is asked for and told."""
        if self.dataset_id is not None:
            return f"dataset:{self.dataset_id}"
        return "all" if self.collection is None else f"collection:{self.collection}"


@dataclass(frozen=True, slots=True)
class StoredToken:
    """A token whose facts are on record; `hash` is the SHA-256 of its secret in hex, and the secret is nowhere.

    `roles` are those of its making. Without `download` it gives the right to view alone. `uses` is how often a link
    may be used, None any number of times, `used` how often it was. Nothing but `used` and `last_used_at` ever
    changes. Times are UTC.
    """

    id: str
    kind: StoredKind
    hash: str
    owner: str
    roles: frozenset[str]
    name: str
    download: bool
    target: Target
    created_at: datetime
    expires_at: datetime
    uses: int | None = None
    used: int = 0
    last_used_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: `user` is whose rights count, None for anonymous; for a scoped token `kind` is set and what it opens.

    That is a dataset by its id, or a layer by its scope: `collection:<id>` or `search:<id>`.
    `token_id` is the token's `jti` or that of its record, where it has one; `expires` is its end in seconds since
    1970, UTC. `stored` is the token on record that was shown, or through which the one that was shown came about.
    """

    user: str | None = None
    roles: frozenset[str] = frozenset()
    kind: TokenKind | None = None
    dataset_id: str | None = None
    token_id: str | None = None
    expires: float = math.inf
    layer: str | None = None
    stored: StoredToken | None = None

    @property
    def person(self) -> str | None:
        """Return who it is, as far as is known: whoever holds a link is not the one who made it."""
        return None if self.is_by_link else self.user

    @property
    def is_by_link(self) -> bool:
        """Return whether the caller has their right by a link to share."""
        return self.stored is not None and self.stored.kind is StoredKind.LINK

    @property
    def shows_link(self) -> bool:
        """Return whether the caller shows a link itself, each use of which counts."""
        return self.stored is not None and self.is_by_link and self.token_id == self.stored.id

    def may_reach(self, dataset_id: str, collection: str, *, download: bool) -> bool:
        """Return whether the token on record, if there is one, gives that right on that dataset."""
        stored = self.stored
        return stored is None or (stored.target.holds(dataset_id, collection) and (stored.download or not download))
