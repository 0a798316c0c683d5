"""Answers that wait for their audit row."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from gateway.errors import GatewayError, RecordsUnavailable
from gateway.handlers.base import BaseHandler
from gateway.model import AuditRow, dataset_uuid

REFUSALS = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


class AuditedHandler(BaseHandler):
    """A handler whose grants are durable on record before anything of them leaves."""

    @property
    def gives_file(self) -> bool:
        """Return whether what is asked for is the file or a part of it, so that its refusal goes on record."""
        return False

    def refused(self, error: GatewayError) -> None:
        """Note a refusal of the file, without delaying its answer. Of a 404 only that of a dataset which exists."""
        if not self.gives_file or error.status not in REFUSALS:
            return
        if error.status == HTTPStatus.NOT_FOUND and error.dataset_id is None:
            return
        named = error.dataset_id or dataset_uuid(self.path_args[0])
        range_header, detail = self.trace.range_header, {"reason": error.detail}
        self.services.audit.note(
            self.row(
                "download.refused", dataset_id=named, status=error.status, range_header=range_header, detail=detail
            )
        )

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
