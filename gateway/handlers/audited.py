"""Answers that wait for their audit row."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from typing import Any, cast

from tornado.web import RequestHandler

from gateway.errors import GatewayError
from gateway.gatekeeper import Action, Admitted, admitted
from gateway.handlers.base import BaseHandler
from gateway.handlers.connections import ClientConnection, Exchange
from gateway.handlers.deciding import Decisions
from gateway.handlers.delivery import Delivery, Granted, on_record
from gateway.ids import dataset_uuid
from gateway.model import AuditRow, Dataset

# A geometry travels in the body.
GIVING = ("GET", "POST")
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

    @property
    def refused_id(self) -> str | None:
        """Return the id of the dataset that a refusal is about, None where the request names none."""
        return dataset_uuid(self.path_args[0]) if self.path_args else None

    def refused(self, error: GatewayError) -> None:
        """Note a refused GET or POST of the file; whether there is such a dataset is looked up after its answer.

        The work until then is the same for a dataset that may not be seen and for one that does not exist.
        """
        # The method first: what Tornado refuses by its method alone has no path yet.
        if self.request.method not in GIVING or not self.gives_file or error.status not in REFUSALS:
            return
        named = self.refused_id
        if named is None:
            return
        range_header, detail = self.trace.range_header, {"reason": error.detail}
        self.services.refusals.take(
            self.row(
                "download.refused", dataset_id=named, status=error.status, range_header=range_header, detail=detail
            )
        )

    async def on_record(self, row: AuditRow) -> None:
        """Return when the row is durable; raises RecordsUnavailable, and then nothing may be sent."""
        await on_record(self.services, self.results, row)

    def row(self, action: str, **facts: Any) -> AuditRow:
        """Return an audit row with what is known of every request; tokens are named by their id alone."""
        return self.trace.row(action, self.principal, **facts)

    @property
    def decisions(self) -> Decisions:
        """Return where decisions about datasets are made."""
        decisions: Decisions = self.application.settings["decisions"]
        return decisions

    async def vouched(self, dataset_id: str, action: Action) -> tuple[Dataset, Admitted]:
        """Return the dataset as judged in the version that is there now, for a caller who may do `action` with it."""
        work = partial(admitted, self.services.gatekeeper, dataset_id, self.principal, action)
        return await self.decisions.made(dataset_id, work)

    @property
    def exchange(self) -> Exchange:
        """Return the request and answer below this handler; the server speaks HTTP/1 only."""
        return cast(Exchange, self.request.connection)

    @property
    def connection(self) -> ClientConnection:
        """Return the client's connection."""
        return self.clients.of(self.exchange.stream)

    def delivery(self, granted: Granted) -> Delivery:
        """Return the life of a granted answer: to be entered before anything of it is sent, and left after."""
        return Delivery(self.services, self.results, self.connection, self.trace, self.principal, granted)

    async def deliver(
        self, action: str, dataset: Dataset, body: bytes, detail: Mapping[str, object] | None = None
    ) -> None:
        """Finish with a body that is granted: `action` on record with `detail`, the body, its end.

        Headers and status must be set before. Raises RecordsUnavailable, and Unavailable where too many answers wait
        for their readers.
        """
        backend = self.services.gatekeeper.storage_of(dataset).backend
        size = len(body)
        granted = Granted(
            action, dataset, backend, self.get_status(), size, detail=detail or {}, in_memory_bytes=size
        )
        async with self.delivery(granted) as delivery:
            await self.send_at_once(delivery, body)

    async def send_at_once(self, delivery: Delivery, body: bytes) -> None:
        """Finish with a body that is on record and has its room; returns when the kernel has taken it."""
        try:
            if (begun := self.begin_long(len(body))) is not None:
                await begun
            await delivery.send_at_once(partial(RequestHandler.finish, self, body), len(body))
        finally:
            self.bytes_sent = delivery.sent
