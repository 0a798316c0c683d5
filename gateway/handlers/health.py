"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

from collections.abc import Callable

from gateway.errors import GatewayError
from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler


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
        parts = await self.in_thread(self.examine)
        ready = all(state == "ok" for state in parts.values())
        self.set_header("Cache-Control", "no-store")
        if not ready:
            self.set_header("Retry-After", "2")
        self.send_json({"status": "ready" if ready else "not ready", "parts": parts}, 200 if ready else 503)

    head = get

    def examine(self) -> dict[str, str]:
        """Return the state of every part by its name."""
        parts = {"database": _state(self.services.records.ping)}
        parts["audit"] = "failing" if self.services.audit.failing else "ok"
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
