"""Parts of a file on its own grid: true COGs, sent like the file itself, with length, entity tag and ranges."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from tornado.httputil import HTTPHeaders

from gateway.cog.parts import PartTooLarge
from gateway.download import HeadersOnly, Representation, etag_of, repr_digest
from gateway.errors import ClientLeft, StorageUnavailable
from gateway.files import FileSource
from gateway.handlers.cutting import PartCutter
from gateway.handlers.delivery import Granted
from gateway.handlers.jobanswers import JobAnswers
from gateway.handlers.streaming import FileTransfer
from gateway.handlers.tiles import SLOW_COST, MapHandler
from gateway.jobs import WantedPart
from gateway.model import Dataset
from gateway.partfiles import KeptPart
from gateway.ranges import conditions_of, content_disposition

T = TypeVar("T")
# What of the key and of the digest stands in the entity tag.
DIGITS = 16
# A part that is removed between its making and its opening is made so often.
TRIES = 3


class NativePartHandler(MapHandler, JobAnswers):
    """A resource that gives parts of a file on its own grid."""

    @property
    def cutter(self) -> PartCutter:
        """Return what makes parts."""
        cutter: PartCutter = self.application.settings["cutter"]
        return cutter

    async def send_native(self, wanted: WantedPart) -> None:
        """Send a part, or for more than PART_ASYNC_MB the job that makes it; raises PartTooLarge beyond PART_MB."""
        asked, settings = wanted.planned.decoded_bytes, self.services.settings
        if asked > settings.part_mb << 20:
            raise PartTooLarge(asked, settings.part_mb << 20)
        self.spend(SLOW_COST)
        large = asked > settings.part_async_mb << 20
        if large and await self.cutter.ready(wanted.dataset, wanted.planned.part) is None:
            await self.send_later(wanted)
        else:
            await self.send_made(wanted)

    async def send_made(self, wanted: WantedPart) -> None:
        """Send a part of any size, made unless it lies ready."""
        for _ in range(TRIES):
            kept = await self.unless_left(self.cutter.cut(wanted.dataset, wanted.planned))
            if (source := await self.cutter.opened(kept)) is not None:
                with source:
                    return await self.send_kept(wanted, kept, source)
        raise StorageUnavailable("The part is removed as soon as it is made.", retry_after_seconds=30)

    async def unless_left(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what comes of work that is cancelled when the client leaves; raises ClientLeft then."""
        self.drawing = asyncio.ensure_future(work)
        try:
            with self.answer_later():
                found: T = await self.drawing
            return found
        except asyncio.CancelledError:
            if self.left:
                raise ClientLeft from None
            raise
        finally:
            self.drawing = None

    async def send_kept(self, wanted: WantedPart, kept: KeptPart, source: FileSource) -> None:
        """Send the bytes of a part, or a range of them, once that is on record."""
        get, with_body = self.request.headers.get, self.request.method != "HEAD"
        if self.request.method == "POST":
            # Ranges and conditions are of GET (RFC 9110 sections 13.2.1 and 14.2).
            get = HTTPHeaders().get
        # A part has no date: it may be made anew at any time, with the same bytes.
        conditions = replace(conditions_of(get), if_modified_since=None, if_unmodified_since=None)
        there = representation(wanted.dataset, kept, in_url=self.credential.in_url)
        chosen = there.chosen(conditions, get("Range"), with_body=with_body)
        if isinstance(chosen, HeadersOnly):
            self.begin_part(chosen.status, chosen.headers)
            return
        backend = self.services.gatekeeper.storage_of(wanted.dataset).backend
        told = {**wanted.told, "native": True, "format": "tif"}
        granted = Granted(
            "download.part", wanted.dataset, backend, chosen.status, chosen.span.length, self.trace.range_header, told
        )
        async with self.delivery(granted) as delivery:
            self.begin_part(chosen.status, chosen.headers)
            await self.flush()
            try:
                await delivery.send_through(FileTransfer(self.connection, self.exchange, source, chosen.span))
            finally:
                self.bytes_sent = delivery.sent

    def begin_part(self, status: int, headers: Mapping[str, str]) -> None:
        """Take over status and headers."""
        self.set_status(status)
        for name, value in headers.items():
            self.set_header(name, value)


def representation(dataset: Dataset, kept: KeptPart, *, in_url: bool) -> Representation:
    """Return the part as it is sent; its entity tag names the version, the part, and its very bytes."""
    etag = etag_of(f"{dataset.version}-{kept.key[:DIGITS]}-{kept.sha256[:DIGITS]}")
    headers = {
        "Content-Type": "image/tiff",
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Content-Disposition": content_disposition(f"{dataset.title} part {kept.key[:8]}"),
        "Cache-Control": "private, no-store" if in_url else "private, no-cache",
        "Repr-Digest": repr_digest(kept.sha256),
    }
    return Representation(etag, kept.size_bytes, datetime.now(UTC), headers)
