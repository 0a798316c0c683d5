"""Minting of scoped tokens: two minutes for one download, an hour for one dataset's tiles."""

from __future__ import annotations

import time
from dataclasses import replace
from urllib.parse import urlencode

from gateway.gatekeeper import Action, Admitted
from gateway.handlers.access import CALLER, access
from gateway.handlers.audited import AuditedHandler
from gateway.handlers.tiles import DEFAULT_GRID
from gateway.model import Principal, TokenKind
from gateway.tokens import mint_scoped, within


class TokenHandler(AuditedHandler):
    """Mints one kind of token for one dataset, for whoever may do with it what the token is for."""

    kind: TokenKind
    action: Action
    path: str

    @access(CALLER)
    async def post(self, dataset_id: str) -> None:
        """Send token, lifetime in seconds, and the URL that the token opens; the minting is on record before."""
        await self.spend_shared("mint", self.principal.person)
        admitted = await self.admitted(dataset_id)
        lifetime_seconds = within(self.principal, self.services.policy.lifetimes[self.kind], time.time())
        token, token_id = self.mint(admitted, lifetime_seconds)
        await self.on_record(
            self.row(
                "token.minted",
                dataset_id=admitted.dataset.id,
                version=admitted.dataset.version,
                status=200,
                token_id=token_id,
                detail={"typ": self.kind, "lifetime_seconds": lifetime_seconds},
            )
        )
        self.services.metrics.tokens.add(self.kind)
        self.set_header("Cache-Control", "no-store")
        self.send_json({"token": token, "expires_in": lifetime_seconds, **self.opened(admitted.dataset.id, token)})

    def opened(self, dataset_id: str, token: str) -> dict[str, str | list[str]]:
        """Return the URL that the token opens."""
        return {"url": self.with_token(dataset_id, self.path, token)}

    def with_token(self, dataset_id: str, path: str, token: str) -> str:
        """Return the URL of a resource of the dataset that the token opens."""
        return f"{self.public_url(f'/datasets/{dataset_id}')}{path}?{urlencode({'token': token})}"

    async def admitted(self, dataset_id: str) -> Admitted:
        """Return the dataset for a caller who may do with it what the token is for; raises as the gatekeeper does."""
        return await self.in_thread(self.services.gatekeeper.admit, dataset_id, self.principal, self.action)

    def mint(self, admitted: Admitted, lifetime_seconds: int) -> tuple[str, str]:
        """Return token and token id; of the caller's roles only those go in that the right came through."""
        holder = Principal(self.principal.user, admitted.through_roles, stored=self.principal.stored)
        dataset_id = admitted.dataset.id
        return mint_scoped(self.services.keys, self.kind, dataset_id, holder, lifetime_seconds, time.time())


class DownloadTokenHandler(TokenHandler):
    """For the file: only for those who may download it."""

    kind = TokenKind.DOWNLOAD
    action = Action.DOWNLOAD
    path = "/download/cog"

    async def admitted(self, dataset_id: str) -> Admitted:
        """Return the dataset only where its file may be had now; raises NotFound for one that is gone, NotACog."""
        dataset, admitted = await self.vouched(dataset_id, self.action)
        return replace(admitted, dataset=dataset)


class TileTokenHandler(TokenHandler):
    """For tiles, metadata and preview: for those who may view the dataset."""

    kind = TokenKind.TILES
    action = Action.VIEW
    path = ""

    def opened(self, dataset_id: str, token: str) -> dict[str, str | list[str]]:
        """Return the URLs that the token opens: record, TileJSON, WMTS, and templates of tiles as in TileJSON."""
        paths = {"tilejson": "/tilejson.json", "wmts": "/WMTSCapabilities.xml"}
        documents = {name: self.with_token(dataset_id, path, token) for name, path in paths.items()}
        tiles = self.with_token(dataset_id, f"/tiles/{DEFAULT_GRID}/{{z}}/{{x}}/{{y}}", token)
        return {**super().opened(dataset_id, token), **documents, "tiles": [tiles]}
