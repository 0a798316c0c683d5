"""GET and HEAD of a dataset's file, with its audit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import ParamSpec, TypeVar, cast

from gateway.download import Download, DownloadRequest, Patience, prepare
from gateway.errors import FarAway, StorageUnavailable, Unjudged
from gateway.files import FileSource
from gateway.handlers.access import DOWNLOAD, access
from gateway.handlers.audited import AuditedHandler
from gateway.handlers.express import Pass, remember
from gateway.handlers.relay import Relay
from gateway.handlers.streaming import Aborted, Connection, Transfer
from gateway.model import AuditRow
from gateway.ranges import ByteRange, Conditions
from gateway.storage import Stream

P = ParamSpec("P")
T = TypeVar("T")

# Whoever asks for a file in a store is answered within three seconds.
STORE_SECONDS = 2.9


class DownloadHandler(AuditedHandler):
    """The file of one dataset: granted on record first, then sent."""

    gives_file = True

    @access(DOWNLOAD)
    async def get(self, dataset_id: str) -> None:
        """Send the file, a range of it, or the way to it; every answer with bytes is on record before."""
        download = await self.prepared(self.asked(dataset_id, with_body=True))
        try:
            if download.status != HTTPStatus.NOT_MODIFIED:
                await self.on_record(self.granted(download))
            self.answer_with(download)
            await self.send(download)
        finally:
            if download.stream is not None:
                download.stream.source.close()

    @access(DOWNLOAD)
    async def head(self, dataset_id: str) -> None:
        """Answer with the headers of the whole file; nothing is transferred and nothing recorded."""
        self.answer_with(await self.prepared(self.asked(dataset_id, with_body=False)))

    async def prepared(self, request: DownloadRequest) -> Download:
        """Return the prepared download.

        A reader of many ranges asks for the same file again and again. What a thread has found a moment ago is
        in the caches of the kernel, and looking there costs less than the way to a thread and back; where a
        disk would have to be waited for, and once every while in any case, a thread goes.
        """
        gatekeeper, warm = self.services.gatekeeper, self.application.settings["warm"]
        if warm.holds(request.dataset_id):
            with suppress(BlockingIOError, FarAway, Unjudged):
                return prepare(gatekeeper, request, Patience.PAGE_CACHE)
        try:
            download = await self.in_thread(prepare, gatekeeper, request, Patience.DISK)
        except FarAway:
            return await self.from_afar(request)
        except Unjudged:
            download = await self.mailbox.expect(self.services.judges.submit(prepare, gatekeeper, request))
        warm.mark(request.dataset_id)
        return download

    async def from_afar(self, request: DownloadRequest) -> Download:
        """Return the prepared download of a file in a network; raises StorageUnavailable when that takes too long.

        The clients of stores have limits of their own; this one holds whatever else there is to wait for, such as
        the resolution of a name.
        """
        gatekeeper, stores = self.services.gatekeeper, self.services.stores
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await self.mailbox.expect(stores.submit(prepare, gatekeeper, request, Patience.NETWORK))
        except TimeoutError:
            raise StorageUnavailable("The storage of this dataset cannot be reached.") from None
        except Unjudged:
            return await self.hauled(prepare, gatekeeper, request, Patience.JUDGEMENT)

    def asked(self, dataset_id: str, *, with_body: bool) -> DownloadRequest:
        """Return what the request asks for; repeated lines of a list field were joined by Tornado."""
        get = self.request.headers.get
        conditions = Conditions(
            if_match=get("If-Match"),
            if_none_match=get("If-None-Match"),
            if_range=get("If-Range"),
            if_modified_since=get("If-Modified-Since"),
            if_unmodified_since=get("If-Unmodified-Since"),
        )
        return DownloadRequest(dataset_id, self.principal, conditions, get("Range"), with_body)

    def answer_with(self, download: Download) -> None:
        """Take over status and headers; what came by a token in the URL stays uncached."""
        self.set_status(download.status)
        if download.status == HTTPStatus.FOUND:
            # There is nothing here that could have one.
            self.clear_header("Content-Type")
        for name, value in download.headers.items():
            if name != "Cache-Control" or not self.credential.tokens:
                self.set_header(name, value)

    async def send(self, download: Download) -> None:
        """Send the body that belongs to the answer, and note how it ended."""
        if download.span is None:
            return
        if download.body is not None:
            ended = await self.send_small(download, download.body)
        elif download.stream is not None:
            ended = await self.send_large(download.stream, download.span)
        else:
            # What happens at the store, the store knows.
            self.services.metrics.downloads.add(download.backend, "redirected")
            return
        self.services.metrics.downloads.add(download.backend, str(ended["outcome"]))
        self.services.metrics.download_bytes.add(download.backend, amount=self.bytes_sent)
        self.services.audit.note(self.ended(download, ended), quietly=True)

    async def send_small(self, download: Download, body: bytes) -> dict[str, object]:
        """Send headers and body in one write; returns the outcome for the audit."""
        sending = self.finish(body)
        # Mostly the kernel takes it at once, and nothing is left to wait for.
        if self.http1.stream.writing() or self.http1.stream.closed():
            try:
                async with asyncio.timeout(self.services.settings.stall_seconds):
                    await sending
            except (OSError, TimeoutError):
                self.http1.stream.close()
                return {"bytes_sent": 0, "outcome": "aborted"}
        self.bytes_sent = len(body)
        self.leave_pass(download)
        return {"bytes_sent": len(body), "outcome": "completed"}

    def leave_pass(self, download: Download) -> None:
        """Let the next small range of this client take the short way."""
        authorization = self.request.headers.get("Authorization")
        # Behind a proxy the client's address differs by request.
        if authorization is None or download.backend != "local" or self.client_ip != self.request.remote_ip:
            return
        given = Pass(self.principal, download, self._headers.copy())
        remember(self.application.settings["passes"], self.request.uri or "", authorization, given)

    async def send_large(self, stream: Stream, span: ByteRange) -> dict[str, object]:
        """Send headers, then the file's bytes at the client's pace; returns the outcome for the audit."""
        stall_seconds = self.services.settings.stall_seconds
        transfer: Transfer | Relay
        if isinstance(stream.source, FileSource):
            transfer = Transfer(self.http1, stream.source, span, stall_seconds)
        else:
            transfer = Relay(self.http1, stream.source, span, stall_seconds, self.hauled)
        try:
            await asyncio.wait_for(self.flush(), stall_seconds)
            await transfer.run()
        except (Aborted, OSError, TimeoutError) as error:
            self.http1.stream.close()
            reason = error.reason if isinstance(error, Aborted) else "the client left"
            return {"bytes_sent": transfer.sent, "outcome": "aborted", "reason": reason}
        finally:
            self.bytes_sent = transfer.sent
        return {"bytes_sent": transfer.sent, "outcome": "completed"}

    async def hauled(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, run by the threads that wait long for stores; raises Unavailable."""
        return await self.mailbox.expect(self.services.hauls.submit(work, *args, **kwargs))

    @property
    def http1(self) -> Connection:
        """Return the connection below the request; the server speaks HTTP/1 only."""
        return cast(Connection, self.request.connection)

    def granted(self, download: Download) -> AuditRow:
        """Return the row that must be durable before the first byte leaves."""
        return self.about("download.cog", download, {})

    def ended(self, download: Download, outcome: dict[str, object]) -> AuditRow:
        """Return the row that tells how a granted transfer ended."""
        return self.about("download.finished", download, outcome)

    def about(self, action: str, download: Download, detail: dict[str, object]) -> AuditRow:
        """Return a row about this download."""
        return self.row(
            action,
            dataset_id=download.dataset.id,
            version=download.dataset.version,
            backend=download.backend,
            range_header=self.trace.range_header,
            status=download.status,
            bytes_expected=download.span.length if download.span else download.dataset.size_bytes,
            detail=detail,
        )
