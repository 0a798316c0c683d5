"""One request as logs and audit tell of it: its id, and what its client sent, cut and without tokens."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from gateway.logs import told
from gateway.model import AuditRow, Principal

log = logging.getLogger("gateway")
ID_BYTES = 16


def new_request_id() -> str:
    """Return an id that nobody else has, and that says nothing of other requests."""
    return secrets.token_hex(ID_BYTES)


@dataclass(frozen=True, slots=True)
class Trace:
    """What logs and audit may know of a request; texts of the client are cut and redacted when it is made.

    `client_request_id` is the client's own name for it. `began` is monotonic.
    """

    method: str
    path: str
    route: str
    ip: str
    user_agent: str | None = None
    range_header: str | None = None
    client_request_id: str | None = None
    request_id: str = field(default_factory=new_request_id)
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, method: str, path: str, route: str, ip: str, headers: Mapping[str, str]) -> Self:
        """Return the trace of a request with these headers."""
        return cls(
            told(method) or "",
            told(path) or "",
            route,
            ip,
            told(headers.get("User-Agent")),
            told(headers.get("Range")),
            told(headers.get("X-Request-ID")),
        )

    def row(self, action: str, principal: Principal, **facts: Any) -> AuditRow:
        """Return an audit row with what is known of the request; tokens are named by their id alone.

        `through` is the token on record by which the one that is named came about.
        """
        stored = principal.stored
        if stored is not None and facts.get("token_id", principal.token_id) != stored.id:
            facts["detail"] = {**facts.get("detail", {}), "through": stored.id}
        if self.client_request_id is not None:
            facts["detail"] = {**facts.get("detail", {}), "client_request_id": self.client_request_id}
        return AuditRow(
            action,
            **{
                "user_id": principal.person,
                "token_id": principal.token_id,
                "request_id": self.request_id,
                "ip": self.ip,
                "user_agent": self.user_agent,
                **facts,
            },
        )

    def log(self, status: int, bytes_sent: int, user: str | None) -> None:
        """Write the access line; `bytes_sent` counts body bytes of files."""
        if log.isEnabledFor(logging.INFO):
            names = ("request_id", "client_request_id", "method", "path", "route", "ip")
            extra = {name: getattr(self, name) for name in names}
            seconds = round(time.monotonic() - self.began, 4)
            log.info(
                "request", extra={**extra, "status": status, "bytes": bytes_sent, "seconds": seconds, "user": user}
            )
