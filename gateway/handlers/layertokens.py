"""Minting of tile tokens for layers."""

from __future__ import annotations

import time
from urllib.parse import urlencode

from gateway.handlers.access import CALLER, access
from gateway.handlers.layers import LayerHandler
from gateway.handlers.tiles import DEFAULT_GRID
from gateway.members import Layer
from gateway.model import Principal, TokenKind
from gateway.tokens import mint_scoped, within


class LayerTokenHandler(LayerHandler):
    """For tiles, documents and pictures of a layer: what is seen with it is what its holder may see."""

    @access(CALLER)
    async def post(self, layer_id: str) -> None:
        """Send token, lifetime in seconds, and the URLs that the token opens; the minting is on record before."""
        await self.spend_shared("mint", self.principal.person)
        layer = await self.layer(layer_id)
        members = self.services.members
        await self.searched(members.require_seen, layer, self.principal)
        roles = await self.searched(members.roles_of, layer, self.principal)
        holder = Principal(self.principal.user, roles, stored=self.principal.stored)
        lifetime_seconds = within(holder, self.services.policy.lifetimes[TokenKind.TILES], time.time())
        token, token_id = mint_scoped(
            self.services.keys, TokenKind.TILES, layer.name, holder, lifetime_seconds, time.time()
        )
        detail = {"typ": TokenKind.TILES, "lifetime_seconds": lifetime_seconds, "scope": layer.name.scope}
        await self.on_record(self.row("token.minted", status=200, token_id=token_id, detail=detail))
        self.services.metrics.tokens.add(TokenKind.TILES)
        self.set_header("Cache-Control", "no-store")
        self.send_json({"token": token, "expires_in": lifetime_seconds, **self.opened(layer, token)})

    def opened(self, layer: Layer, token: str) -> dict[str, str | list[str]]:
        """Return the URLs that the token opens."""
        paths = {"url": "/tilejson.json", "tilejson": "/tilejson.json", "wmts": "/WMTSCapabilities.xml"}
        base, query = self.public_url(layer.name.path), urlencode({"token": token})
        tiles = f"{base}/tiles/{DEFAULT_GRID}/{{z}}/{{x}}/{{y}}?{query}"
        return {**{name: f"{base}{path}?{query}" for name, path in paths.items()}, "tiles": [tiles]}
