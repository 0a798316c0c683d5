"""Tile tokens that stand in documents: the same text for a while, on record once."""

from __future__ import annotations

import json
import time
import uuid
from datetime import UTC, datetime

from gateway.catalogue.layers import LayerName
from gateway.handlers.audited import AuditedHandler
from gateway.model import Dataset, Principal, TokenKind, utc_text
from gateway.tokens import mint_scoped, within

REMEMBERED = 4096


class HandedOut:
    """Ids of tokens that are on record, the last ones: who asks for the same document again waits for no row."""

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def holds(self, token_id: str) -> bool:
        """Return whether the token is known to be on record."""
        return token_id in self._ids

    def keep(self, token_id: str) -> None:
        """Remember that the token is on record; the oldest one is forgotten for it."""
        if len(self._ids) >= REMEMBERED:
            self._ids.pop(next(iter(self._ids)))
        self._ids[token_id] = None


class HandingHandler(AuditedHandler):
    """A handler whose documents carry tile tokens; `counted` tells that this one has counted for MINT_RATE."""

    counted = False

    async def tile_token(self, dataset: Dataset, through_roles: frozenset[str]) -> str:
        """Return a tile token of a dataset for the caller, as `handed_token` does."""
        return await self.handed_token(dataset.id, dataset, through_roles)

    async def handed_token(
        self, opens: str | LayerName, dataset: Dataset | None, through_roles: frozenset[str]
    ) -> str:
        """Return a tile token for the caller: the one they came with, else the one of the current step of the clock.

        It opens a dataset, by its id, or a layer; then `dataset` is None.

        The first new one of a document counts for MINT_RATE, and each is on record before it leaves; one that
        is on record already counts for nothing, whichever worker or node handed it out, nor does HEAD, which hands
        out none. Raises TooManyRequests and RecordsUnavailable.
        """
        if self.principal.kind is TokenKind.TILES:
            return self.credential.tokens[0]
        policy, handed = self.services.policy, self.application.settings["handed_out"]
        began = policy.step_begin(time.time())
        stored = self.principal.stored
        holder = Principal(user=self.principal.user, roles=through_roles, stored=stored)
        lifetime_seconds = within(holder, policy.longest_seconds(TokenKind.TILES), began)
        via = stored and stored.id
        # No two of these texts are alike that should differ: a name may hold any character.
        scope = opens if isinstance(opens, str) else opens.scope
        name = json.dumps([scope, holder.user, sorted(holder.roles), began, lifetime_seconds, via])
        token, token_id = mint_scoped(
            self.services.keys, TokenKind.TILES, opens, holder, lifetime_seconds, began,
            token_id=str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
        )  # fmt: skip
        if self.request.method != "HEAD" and not handed.holds(token_id):
            await self._recorded(scope, dataset, (began, lifetime_seconds), token_id)
            handed.keep(token_id)
        return token

    async def _recorded(self, scope: str, dataset: Dataset | None, life: tuple[float, int], token_id: str) -> None:
        """Return when the token is on record; one that was not counts for MINT_RATE."""
        began, lifetime_seconds = life
        detail = {
            "typ": TokenKind.TILES, "lifetime_seconds": lifetime_seconds,
            "handed_out_at": utc_text(datetime.now(UTC)), **({} if dataset else {"scope": scope}),
        }  # fmt: skip
        row = self.row(
            "token.minted", dataset_id=dataset and dataset.id, version=dataset and dataset.version, status=200,
            token_id=token_id, detail=detail,
            # The same key in every worker and node: whoever comes second adds no row.
            at=datetime.fromtimestamp(began, UTC), row_id=token_id,
        )  # fmt: skip
        if await self.in_thread(self.services.records.holds, row):
            return
        if not self.counted:
            await self.spend_shared("mint", self.principal.person)
            self.counted = True
        await self.on_record(row)
        self.services.metrics.tokens.add(TokenKind.TILES)
