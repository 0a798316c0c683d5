"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.errors import GatewayError
from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler

# Longer than a busy audit takes, shorter than the patience of who asks.
AUDIT_SECONDS = 1.0


class LiveHandler(BaseHandler):
    """The process answers: that is all it says."""

    @access(OPEN)
    def get(self) -> None:
        """Send 200."""
        self.set_header("Cache-Control", "no-store")
        self.send_json({"status": "ok"})

    head = get


class ReadyHandler(BaseHandler):
    """Whether new requests should come here: catalogue, audit and storage roots work, and no drain is on."""

    @access(OPEN)
    async def get(self) -> None:
        """Send 200 with every part `ok`, or 503 with the failing ones named."""
        audit, others = await asyncio.gather(self.audit_state(), self.in_thread(self.examine))
        parts = {"audit": audit, **others}
        ready = all(state == "ok" for state in parts.values())
        self.set_header("Cache-Control", "no-store")
        if not ready:
            self.set_header("Retry-After", "2")
        self.send_json({"status": "ready" if ready else "not ready", "parts": parts}, 200 if ready else 503)

    head = get

    async def audit_state(self) -> str:
        """Return whether a row can be written; one is tried where none was written a moment ago."""
        try:
            async with asyncio.timeout(AUDIT_SECONDS):
                await self.mailbox.expect(self.services.audit.probe())
        except (GatewayError, TimeoutError):
            return "failing"
        return "ok"

    def examine(self) -> dict[str, str]:
        """Return the state of every other part by its name."""
        parts = {"database": _state(self.services.records.ping)}
        for name, storage in self.services.storages.items():
            parts[f"root {name}"] = _state(storage.ping)
        if self.application.settings["load"].draining:
            parts["server"] = "draining"
        return parts


def _state(ping: Callable[[], None]) -> str:
    try:
        ping()
    except GatewayError:
        return "failing"
    return "ok"
