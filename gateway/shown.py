"""Tokens on record as requests show them: looked up by their secret or their id, and how their use is noted."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.errors import BadCredential, CredentialPending, RecordsUnavailable, Unavailable
from gateway.principal import Principal, StoredToken
from gateway.records.lists import ListRecords
from gateway.records.tokens import TOUCH_EVERY, TokenRecords
from gateway.remembered import Remembered
from gateway.tokens import hash_of, kind_of

REFUSED = "The token is not accepted."
REMEMBERED = 4096
KNOWN_SECONDS = 300.0
# As long as whoever asked needs to hear of it. Nobody shows a secret that is yet to be made.
UNKNOWN_SECONDS = 2.0
Submit = Callable[..., Future[Any]]


class ShownTokens:
    """Finds tokens by what requests show, without waiting: what is not known here is looked up by `submit`.

    What a request needs to know of one never changes, so it is remembered; that it was revoked the gatekeeper sees by
    the standing.
    """

    def __init__(self, records: TokenRecords, lists: ListRecords, submit: Submit) -> None:
        self._records = records
        self._lists = lists
        self._submit = submit
        self._known: Remembered[str, StoredToken] = Remembered(REMEMBERED, KNOWN_SECONDS)
        self._unknown: Remembered[str, bool] = Remembered(REMEMBERED, UNKNOWN_SECONDS)
        self._noted: Remembered[str, bool] = Remembered(REMEMBERED, TOUCH_EVERY / timedelta(seconds=1))

    def holder(self, secret: str, now: float) -> Principal:
        """Return who shows a secret; `now` is in seconds since 1970.

        Raises BadCredential, and CredentialPending for one that is to be looked up first.
        """
        if kind_of(secret) is None:
            raise BadCredential(REFUSED)
        hash_hex = hash_of(secret)
        stored = self._found(hash_hex, self._records.by_hash)
        expires = stored.expires_at.timestamp()
        if now >= expires:
            raise BadCredential("The token has expired.")
        self._note_use(stored.id)
        return Principal(stored.owner, stored.roles, token_id=stored.id, expires=expires, stored=stored)

    def by_id(self, token_id: str) -> StoredToken:
        """Return the token with this id; raises as `holder` does."""
        return self._found(token_id, self._records.by_id)

    def list_by_id(self, list_id: str) -> StoredToken:
        """Return what a list of files with this id is as a token; raises as `holder` does."""
        return self._found(f"list {list_id}", lambda _: self._lists.token(list_id))

    def _found(self, key: str, look: Callable[[str], StoredToken | None]) -> StoredToken:
        if (stored := self._known.get(key)) is not None:
            return stored
        if self._unknown.get(key):
            raise BadCredential(REFUSED)
        raise CredentialPending(REFUSED, self._submit(self._look_up, key, look))

    def _look_up(self, key: str, look: Callable[[str], StoredToken | None]) -> None:
        stored = look(key)
        if stored is None:
            self._unknown.keep(key, True)
        else:
            self._known.keep(key, stored)

    def _note_use(self, token_id: str) -> None:
        """Have it written down that the token was used, now and then, by whoever has time for it."""
        if self._noted.get(token_id) is None:
            self._noted.keep(token_id, True)
            with suppress(Unavailable):
                self._submit(self._touch, token_id, datetime.now(UTC))

    def _touch(self, token_id: str, at: datetime) -> None:
        # It is noted at another time.
        with suppress(RecordsUnavailable):
            self._records.touch(token_id, at)
