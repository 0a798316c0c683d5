"""Links to share: made, listed and revoked by owners and administrators, and opened by whoever has one."""

from __future__ import annotations

import time
from datetime import datetime
from http import HTTPStatus
from typing import Any

from gateway import issuing
from gateway.errors import BadCredential
from gateway.gatekeeper import Action
from gateway.handlers.access import LINK, SIGNED_IN, access
from gateway.handlers.audited import AuditedHandler
from gateway.handlers.linkuse import use_of, used
from gateway.handlers.owntokens import StoredTokenHandler, StoredTokensHandler
from gateway.issuing import Issued
from gateway.model import TokenKind
from gateway.principal import StoredKind
from gateway.tokens import mint_of_link, within


class LinksHandler(StoredTokensHandler):
    """Links to share a dataset or a collection with people who do not sign in."""

    kind = StoredKind.LINK
    name = "links"

    @access(SIGNED_IN)
    async def post(self) -> None:
        """Make a link, told this once: what it is for, the right, its end, and how often it may be used."""
        made = await self.make()
        url = issuing.url_of(made, self.public_url(""), self.services.settings.prefix)
        self.send_json({**issuing.told_of(made.token), "url": url}, HTTPStatus.CREATED)

    def asked(self, body: Any, now: datetime) -> Issued:
        """Return the link that is asked for; raises BadParameter, NotFound, and Forbidden for who may not share."""
        made = issuing.link(body, self.principal, self.services.settings.link_days, now)
        right = Action.DOWNLOAD if made.token.download else Action.VIEW
        issuing.require_right(self.services.records, self.principal, made.token.target, right)
        issuing.require_sharer(self.services.records, self.principal, made.token.target)
        return made


class LinkHandler(StoredTokenHandler):
    """One link to share."""

    kind = StoredKind.LINK


class LinkTokenHandler(AuditedHandler):
    """What the page exchanges a link for: a token with which it asks, for an hour and for what the link gives."""

    @access(LINK)
    async def post(self) -> None:
        """Use the link, once for all that one client does within an hour, and send the token."""
        link = self.principal.stored
        if link is None or not self.principal.shows_link:
            raise BadCredential("This is no link.")
        await self.spend_shared("mint", None)
        await self.in_thread(self.services.gatekeeper.check_enabled, self.principal)
        lifetime_seconds = within(self.principal, self.services.policy.lifetimes[TokenKind.TILES], time.time())
        token, token_id = mint_of_link(self.services.keys, link, lifetime_seconds, time.time())
        row = self.row("link.used", dataset_id=link.target.dataset_id, status=200, detail={"minted": token_id})
        await used(self.services, self.results, use_of(self.trace, link.id, None, joins=True), row)
        self.set_header("Cache-Control", "no-store")
        told = {"dataset": link.target.dataset_id, "collection": link.target.collection}
        right = "download" if link.download else "view"
        self.send_json({"token": token, "expires_in": lifetime_seconds, **told, "right": right})
