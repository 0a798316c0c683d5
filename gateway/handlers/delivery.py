"""One granted answer from its audit row to its end, the same for a file, a range, a part and a redirect.

The row of the grant is durable before a byte or header leaves. However the answer ends, by its last byte, a client
who leaves, a file that changes, a drain or an error of ours, exactly one row tells it, and it is counted once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from tornado.iostream import StreamClosedError

from gateway.audit import LoopAuditLog
from gateway.download import LargeBody, Redirected, SmallBody
from gateway.errors import RecordsUnavailable
from gateway.handlers.connections import ClientConnection
from gateway.handlers.linkuse import use_of, used
from gateway.handlers.results import ThreadResults
from gateway.handlers.streaming import Aborted
from gateway.handlers.trace import Trace
from gateway.model import AuditRow, Dataset, Principal
from gateway.services import Services

COMPLETED, ABORTED = "completed", "aborted"
CLIENT_LEFT, CLIENT_STALLED, STOPPED = "the client left", "the client took no more", "the server stopped"


@dataclass(frozen=True, slots=True)
class Granted:
    """What was granted to whom, as both rows say it; `action` is that of the first.

    `dataset` is None where several have a part in it; then `detail` names them.
    `bytes_expected` are those that the answer promises, of a redirect those that the client will find elsewhere.
    `in_memory_bytes` are those of a body that waits in memory for the row.
    """

    action: str
    dataset: Dataset | None
    backend: str
    status: int
    bytes_expected: int
    range_header: str | None = None
    detail: Mapping[str, object] = field(default_factory=dict)
    in_memory_bytes: int = 0


def granted_file(answer: SmallBody | LargeBody | Redirected, trace: Trace) -> Granted:
    """Return what was granted with the file of a dataset or a range of it."""
    return Granted(
        "download.cog",
        answer.dataset,
        answer.backend,
        answer.status,
        answer.span.length,
        trace.range_header,
        in_memory_bytes=len(answer.body) if isinstance(answer, SmallBody) else 0,
    )


class Sending(Protocol):
    """A body on its way; `sent` counts what the connection has taken."""

    sent: int

    async def run(self) -> None:
        """Send all of it; raises Aborted, OSError and StreamClosedError."""


class Delivery:
    """An asynchronous context: entered when the grant is on record, left when its end is noted.

    Leaving it takes care of a client who left and of a file that changed: the connection is closed then, so that a
    body that is not the one promised does not end like a complete one (RFC 9112 section 8).
    """

    def __init__(
        self,
        services: Services,
        results: ThreadResults,
        connection: ClientConnection,
        trace: Trace,
        principal: Principal,
        granted: Granted,
    ) -> None:
        self._services = services
        self._results = results
        self._connection = connection
        self._trace = trace
        self._principal = principal
        self._granted = granted
        self._whole = False
        self._before = 0
        self.sent = 0

    async def __aenter__(self) -> Self:
        """Return when the row of the grant is durable.

        Raises RecordsUnavailable, Unavailable where too many answers wait for their readers, and BadCredential for a
        link that is used up; then nothing may be sent.
        """
        with self._connection.room.keep(self._granted.in_memory_bytes):
            await self._record(self._row(self._granted.action, self._granted.detail))
        self._before = self._connection.written_bytes
        return self

    async def _record(self, row: AuditRow) -> None:
        """Return when the row is durable, and the use counted of a link that was shown; raises BadCredential, too."""
        stored = self._principal.stored
        if stored is None or not self._principal.shows_link:
            await on_record(self._services, self._results, row)
            return
        granted = self._granted
        in_part = granted.status == 206 or (granted.status == 302 and granted.range_header is not None)
        use = use_of(self._trace, stored.id, row.dataset_id, joins=in_part)
        await used(self._services, self._results, use, row)

    async def send_at_once(self, write: Callable[[], Awaitable[None]], body_bytes: int) -> None:
        """Let `write` send the answer whose last `body_bytes` bytes are its body; returns when the kernel has it."""
        written = write()
        # Mostly the kernel takes it at once, and nothing is left to wait for.
        if self._connection.unread_bytes:
            await written
        self.sent = self._connection.taken(self._before, body_bytes)
        if not self._begun or self._connection.unwritten_bytes:
            raise StreamClosedError
        self._whole = True

    async def send_through(self, transfer: Sending) -> None:
        """Send a body of any length, its head having been written."""
        try:
            await transfer.run()
            self._whole = True
        finally:
            self.sent = transfer.sent

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        """Note the end, once; errors of the client's side and of the file's go no further."""
        expected = isinstance(error, Aborted | OSError | StreamClosedError)
        if expected or (error is not None and self._begun):
            self._connection.stream.close()
        self._end(None if self._whole and error is None else self._reason(error))
        return expected

    @property
    def _begun(self) -> bool:
        return self._connection.written_bytes != self._before

    def _reason(self, error: BaseException | None) -> str:
        if isinstance(error, Aborted):
            return str(error)
        if isinstance(error, asyncio.CancelledError):
            return STOPPED
        if self._connection.stalled:
            return CLIENT_STALLED
        return CLIENT_LEFT if error is None or isinstance(error, OSError) else "an error of the gateway"

    def _end(self, reason: str | None) -> None:
        """Put the end on record and count it; `reason` is None for a whole answer."""
        outcome, backend, metrics = ABORTED if reason else COMPLETED, self._granted.backend, self._services.metrics
        ended = {"bytes_sent": self.sent, "outcome": outcome, **({"reason": reason} if reason else {})}
        self._services.audit.note(self._row("download.finished", ended), quietly=True)
        elsewhere = self._granted.status == 302 and reason is None
        metrics.downloads.add(backend, "redirected" if elsewhere else outcome)
        metrics.download_bytes.add(backend, amount=self.sent)

    def _row(self, action: str, detail: Mapping[str, object]) -> AuditRow:
        dataset = self._granted.dataset
        return self._trace.row(
            action,
            self._principal,
            dataset_id=dataset and dataset.id,
            version=dataset and dataset.version,
            backend=self._granted.backend,
            range_header=self._granted.range_header,
            status=self._granted.status,
            bytes_expected=self._granted.bytes_expected,
            detail=detail,
        )


async def on_record(services: Services, results: ThreadResults, row: AuditRow) -> None:
    """Return when the row is durable; raises RecordsUnavailable, and then nothing may be sent."""
    if services.audit.failing:
        # The writer finds out by itself when it works again; meanwhile nobody has to wait for a refusal.
        raise RecordsUnavailable("The audit cannot be written.")
    within_seconds = services.settings.audit_wait_seconds
    if isinstance(services.audit, LoopAuditLog):
        await services.audit.durable(row, within_seconds)
        return
    try:
        async with asyncio.timeout(within_seconds):
            await results.expect(services.audit.record(row))
    except TimeoutError:
        raise RecordsUnavailable("The audit cannot be written.") from None
