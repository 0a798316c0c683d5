"""Request ids, and the access line of a finished request."""

from __future__ import annotations

import itertools
import logging
import re
import secrets
import time
from dataclasses import dataclass, field

from gateway.logs import redact

log = logging.getLogger("gateway")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Ids that no other worker or start gives: a random part of this process and a running number."""

    def __init__(self) -> None:
        self._process = secrets.token_hex(8)
        self._numbers = itertools.count(1)

    def take(self, given: str | None = None) -> str:
        """Return the id that a client or proxy gave, if it is harmless in logs and headers, else a new one."""
        if given is not None and REQUEST_ID.fullmatch(given) and redact(given) == given:
            return given
        return f"{self._process}-{next(self._numbers):x}"


@dataclass(slots=True)
class Access:
    """One request as the log tells of it; `bytes_sent` counts body bytes of files, `began` is monotonic."""

    request_id: str
    method: str
    path: str
    route: str
    ip: str
    began: float = field(default_factory=time.monotonic)

    def log(self, status: int, bytes_sent: int, user: str | None) -> None:
        """Write the access line."""
        if log.isEnabledFor(logging.INFO):
            told = {name: getattr(self, name) for name in ("request_id", "method", "path", "route", "ip")}
            seconds = round(time.monotonic() - self.began, 4)
            log.info(
                "request", extra={**told, "status": status, "bytes": bytes_sent, "seconds": seconds, "user": user}
            )
