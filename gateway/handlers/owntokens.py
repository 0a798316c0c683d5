"""A user's own tokens: made, listed and revoked by who signs in."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from gateway import issuing
from gateway.catalogue.jsontext import value_of
from gateway.errors import BadParameter, NotFound, TooMany
from gateway.gatekeeper import Action
from gateway.handlers.access import SIGNED_IN, access
from gateway.handlers.audited import AuditedHandler
from gateway.ids import dataset_uuid
from gateway.issuing import Issued
from gateway.model import AuditRow
from gateway.principal import StoredKind, StoredToken

NONE = {StoredKind.OWN: "There is no such token.", StoredKind.LINK: "There is no such link."}


class OnRecordHandler(AuditedHandler):
    """Acts with tokens of one kind on record."""

    kind: StoredKind

    def act(self, act: str, token: StoredToken) -> AuditRow:
        """Return the audit row of an act with a token."""
        row = issuing.row_of(act, token)
        return self.row(row.action, dataset_id=row.dataset_id, token_id=row.token_id, detail=row.detail)


class StoredTokensHandler(OnRecordHandler):
    """The tokens of one kind on record that a caller may see."""

    # The member of the list.
    name: str

    @access(SIGNED_IN)
    async def get(self) -> None:
        """Send what is on record, the newest first; secrets are told once, when they are made."""
        found = await self.in_thread(self.listed)
        self.set_header("Cache-Control", "no-store")
        self.send_json({self.name: [issuing.told_of(token) for token in found]})

    def listed(self) -> tuple[StoredToken, ...]:
        """Return the tokens, for a caller whose user is not disabled."""
        self.services.gatekeeper.check_enabled(self.principal)
        return self.services.records.tokens.find(issuing.query_of(self.principal, self.kind))

    async def make(self) -> Issued:
        """Return what the body asks for, on record."""
        body = self.body()
        await self.spend_shared("mint", self.principal.person)
        made = await self.in_thread(self.made, body, datetime.now(UTC))
        self.set_header("Cache-Control", "no-store")
        self.set_status(HTTPStatus.CREATED)
        return made

    def body(self) -> Any:
        """Return the JSON of the body; raises BadParameter."""
        try:
            return value_of(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise BadParameter("The body is a JSON object.") from None

    def made(self, body: Any, now: datetime) -> Issued:
        """Return what is asked for, on record; raises BadParameter, NotFound, Forbidden and TooMany."""
        self.services.gatekeeper.check_enabled(self.principal)
        made = self.asked(body, now)
        self.store(made.token)
        return made

    def asked(self, body: Any, now: datetime) -> Issued:
        """Return what is asked for, which the caller may have."""
        raise NotImplementedError

    def store(self, token: StoredToken) -> None:
        """Put a token on record, together with its row; raises TooMany."""
        most = issuing.MOST[token.kind]
        if not self.services.records.tokens.store(token, most, self.act("created", token)):
            raise TooMany(f"There are {most} already: revoke what is not needed.")


class StoredTokenHandler(OnRecordHandler):
    """One token on record."""

    @access(SIGNED_IN)
    async def delete(self, token_id: str) -> None:
        """Revoke it: it ends at once on all nodes, and with it what came about through it."""
        await self.in_thread(self.revoke, token_id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()

    def revoke(self, token_id: str) -> None:
        """Return when it is revoked, on record; raises NotFound for one that the caller may not end, too."""
        self.services.gatekeeper.check_enabled(self.principal)
        records, known = self.services.records, dataset_uuid(token_id)
        token = records.tokens.by_id(known) if known else None
        if token is None or token.kind is not self.kind or not issuing.may_revoke(records, self.principal, token):
            raise NotFound(NONE[self.kind])
        if not records.tokens.revoke(token.id, self.act("revoked", token)):
            raise NotFound(NONE[self.kind])


class OwnTokensHandler(StoredTokensHandler):
    """Tokens of one's own, for programs that cannot sign in."""

    kind = StoredKind.OWN
    name = "tokens"

    @access(SIGNED_IN)
    async def post(self) -> None:
        """Make a token, told this once: its name and scope, what it is for, and its end."""
        made = await self.make()
        self.send_json({**issuing.told_of(made.token), "token": made.secret}, HTTPStatus.CREATED)

    def asked(self, body: Any, now: datetime) -> Issued:
        """Return the token that is asked for; raises BadParameter, and NotFound for what the caller may not see."""
        made = issuing.own_token(body, self.principal, self.services.settings.own_token_days, now)
        issuing.require_right(self.services.records, self.principal, made.token.target, Action.VIEW)
        return made


class OwnTokenHandler(StoredTokenHandler):
    """One of one's own tokens."""

    kind = StoredKind.OWN
