"""GET and HEAD of a dataset's file, with its audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from typing import Any, ParamSpec, TypeVar

from gateway.download import Answer, DownloadRequest, LargeBody, Redirected, SmallBody, prepare
from gateway.errors import BadCredential, GatewayError
from gateway.files import FileSource
from gateway.handlers.access import DOWNLOAD, Credential, access
from gateway.handlers.audited import AuditedHandler
from gateway.handlers.delivery import Delivery, granted_file
from gateway.handlers.linkuse import USED_UP, use_of
from gateway.handlers.relay import StoreTransfer
from gateway.handlers.streaming import FileTransfer
from gateway.handlers.trace import Trace
from gateway.ids import dataset_uuid
from gateway.model import Principal
from gateway.pools import Pool
from gateway.ranges import conditions_of

P = ParamSpec("P")
T = TypeVar("T")

# Refusals that somebody who signs in may not get.
TO_SIGN_IN = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
OPENED_BY = "Origin, Authorization, Accept, Sec-Fetch-Mode, Sec-Fetch-Dest"


@dataclass(frozen=True, slots=True)
class Failed:
    """A request that was decided before it had a handler, and why it cannot be answered after all."""

    trace: Trace
    principal: Principal
    error: GatewayError


class DownloadHandler(AuditedHandler):
    """The file of one dataset: granted on record first, then sent.

    What has `failed` is told and not tried again: its client has waited for it already, and its row may yet come.
    """

    gives_file = True

    def __init__(self, *args: Any, failed: Failed | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._failed = failed
        if failed is not None:
            self.trace, self.request_id = failed.trace, failed.trace.request_id

    def prepare(self) -> Awaitable[None] | None:
        """Learn who asks; raises BadCredential, and the error of what has failed."""
        if self._failed is None:
            return super().prepare()
        self.principal = self._failed.principal
        raise self._failed.error

    @access(DOWNLOAD)
    async def get(self, dataset_id: str) -> None:
        """Send the file, a range of it, or the way to it; every answer with bytes is on record before."""
        await self.require_use(dataset_id)
        request = self.asked(dataset_id, with_body=True)
        answer: Answer = await self.decisions.made(dataset_id, partial(prepare, self.services.gatekeeper, request))
        if isinstance(answer, LargeBody):
            with answer.source:
                await self.send_large(answer)
        elif isinstance(answer, SmallBody):
            await self.send_small(answer)
        elif isinstance(answer, Redirected):
            await self.send_elsewhere(answer)
        else:
            self.begin(answer.status, answer.headers)

    @access(DOWNLOAD)
    async def head(self, dataset_id: str) -> None:
        """Answer with the headers of the whole file; nothing is transferred and nothing recorded."""
        await self.require_use(dataset_id)
        request = self.asked(dataset_id, with_body=False)
        answer: Answer = await self.decisions.made(dataset_id, partial(prepare, self.services.gatekeeper, request))
        self.begin(answer.status, answer.headers)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Finish with the problem; who opened the address in a browser, without a token, is led to the page instead.

        The page signs in and fetches the file. Nothing is looked up for that: what cannot be had is told there.
        """
        error = self.problem(status_code, kwargs.get("exc_info", (None, None, None))[1])
        # A method that is unknown is refused before there are any.
        arguments = getattr(self, "path_args", None)
        named = dataset_uuid(arguments[0]) if arguments else None
        if error.status not in TO_SIGN_IN or named is None or not self.is_opened:
            super().write_error(status_code, **kwargs)
            return
        self.set_status(HTTPStatus.SEE_OTHER)
        self.clear_header("Content-Type")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Vary", OPENED_BY)
        # Relative, because a proxy may have put a path before (RFC 9110 section 15.4.4).
        self.set_header("Location", f"{'../' * (self.request.path.count('/') - 1)}#dataset={named}&download=1")
        self.finish()

    @property
    def is_opened(self) -> bool:
        """Return whether somebody opened the address in a window of a browser (Fetch Metadata), without a token."""
        get = self.request.headers.get
        return (
            self.request.method == "GET"
            and self.credential == Credential(None, ())
            and (get("Sec-Fetch-Mode"), get("Sec-Fetch-Dest")) == ("navigate", "document")
            and "text/html" in get("Accept", "")
        )

    async def require_use(self, dataset_id: str) -> None:
        """Return unless a link is shown that gives no use any more; nothing is counted. Raises BadCredential."""
        stored = self.principal.stored
        if stored is not None and self.principal.shows_link:
            use = use_of(self.trace, stored.id, dataset_uuid(dataset_id), joins=True)
            if not await self.in_thread(self.services.records.tokens.may_use, use):
                raise BadCredential(USED_UP)

    def asked(self, dataset_id: str, *, with_body: bool) -> DownloadRequest:
        """Return what the request asks for; repeated lines of a list field were joined by Tornado."""
        get = self.request.headers.get
        given = conditions_of(get), get("Range"), with_body
        return DownloadRequest(dataset_id, self.principal, *given, self.request_id)

    def begin(self, status: int, headers: Mapping[str, str]) -> None:
        """Take over status and headers; what came by a token in the URL stays uncached."""
        self.set_status(status)
        # Tornado's is that of the request, and what the answer tells of the file may be newer.
        self.set_header("Date", datetime.now(UTC))
        if status == HTTPStatus.FOUND:
            # There is nothing here that could have one.
            self.clear_header("Content-Type")
        for name, value in headers.items():
            if name != "Cache-Control" or not self.credential.in_url:
                self.set_header(name, value)

    async def send_small(self, answer: SmallBody) -> None:
        """Send headers and body in one write."""
        async with self.delivery(granted_file(answer, self.trace)) as delivery:
            self.begin(answer.status, answer.headers)
            await self.send_at_once(delivery, answer.body)

    async def send_elsewhere(self, answer: Redirected) -> None:
        """Send the way to the store; what happens there, the store knows."""
        async with self.delivery(granted_file(answer, self.trace)) as delivery:
            self.begin(answer.status, answer.headers)
            await self.send_at_once(delivery, b"")

    async def send_large(self, answer: LargeBody) -> None:
        """Send headers, then the bytes of the file at the client's pace."""
        async with self.delivery(granted_file(answer, self.trace)) as delivery:
            self.begin(answer.status, answer.headers)
            await self.flush()
            await self.send_through(delivery, answer)

    async def send_through(self, delivery: Delivery, answer: LargeBody) -> None:
        """Send the bytes of a file or of an object in a store behind headers that have been sent."""
        connection, exchange, source, span = self.connection, self.exchange, answer.source, answer.span
        try:
            await delivery.send_through(
                FileTransfer(connection, exchange, source, span)
                if isinstance(source, FileSource)
                else StoreTransfer(connection, exchange, source, span, self.from_store)
            )
        finally:
            self.bytes_sent = delivery.sent

    async def from_store(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, run by the threads that wait long for stores; raises Unavailable."""
        return await self.results.expect(self.services.pools[Pool.TRANSFER].submit(work, *args, **kwargs))
