"""Answers that wait for their audit row."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.errors import RecordsUnavailable
from gateway.handlers.base import BaseHandler
from gateway.model import AuditRow


class AuditedHandler(BaseHandler):
    """A handler whose grants are durable on record before anything of them leaves."""

    async def on_record(self, row: AuditRow) -> None:
        """Return when the row is durable; raises RecordsUnavailable, and then nothing may be sent."""
        if self.services.audit.failing:
            # The writer finds out by itself when it works again; meanwhile nobody has to wait for a refusal.
            raise RecordsUnavailable("The audit cannot be written.")
        recorded = self.mailbox.expect(self.services.audit.record(row))
        try:
            async with asyncio.timeout(self.services.settings.audit_wait_seconds):
                await recorded
        except TimeoutError:
            raise RecordsUnavailable("The audit cannot be written.") from None

    def row(self, action: str, **facts: Any) -> AuditRow:
        """Return an audit row with what is known of every request; tokens are named by their id alone."""
        return self.trace.row(action, self.principal, **facts)
