"""Tiles of a dataset: admitted, judged, compared with what the client has, and only then drawn."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, TypeVar

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.download import etag_of
from gateway.errors import ClientLeft, NotFound, RecordsUnavailable, StorageUnavailable, VersionChanged
from gateway.gatekeeper import Admitted
from gateway.ground.address import TileAddress
from gateway.ground.bounds import GeographicBounds
from gateway.handlers.access import METADATA, access
from gateway.handlers.answers import FOR_ALL
from gateway.handlers.values import ValuesHandler, most_bytes
from gateway.model import Dataset, Scale
from gateway.ranges import Conditions, Outcome, evaluate
from gateway.records.changes import located
from gateway.studio import Source, Task
from gateway.studio.pictures import Pictures
from gateway.tiles import parameters

T = TypeVar("T")

DEFAULT_GRID = "WebMercatorQuad"
CACHE_SECONDS = 3600
IMMUTABLE_SECONDS = 31_536_000
# An object that is replaced all the time is drawn anew so often.
TRIES = 2
# What answers cost in TILE_RATE: kept ones, drawn ones, and those of rio-tiler.
KEPT_COST, DRAWN_COST, SLOW_COST = 1, 4, 16


class MapHandler(ValuesHandler):
    """What all resources of maps share: a dataset that the caller may have so, and the way to what draws."""

    left = False
    drawing: asyncio.Future[Any] | None = None

    async def viewed(self, dataset_id: str) -> tuple[Dataset, Admitted]:
        """Return the dataset as judged in the version that is there now, for a caller who may have what is asked."""
        return await self.vouched(dataset_id, self.action)

    async def in_version(self, dataset_id: str, send: Callable[[Dataset], Awaitable[None]]) -> None:
        """Let `send` answer with the dataset as judged, and anew where its file is replaced meanwhile."""
        for _ in range(TRIES):
            dataset, _admitted = await self.viewed(dataset_id)
            self.set_cache(dataset)
            try:
                return await send(dataset)
            except VersionChanged:
                continue
        raise StorageUnavailable("The file of this dataset is being replaced.", retry_after_seconds=1)

    async def keep_bounds(self, dataset: Dataset, bounds: GeographicBounds) -> Dataset:
        """Return the dataset with bounds; what a record of an older release lacks is kept from now on.

        The search by `bbox` and the document of all layers go by the record.
        """
        if dataset.raster is None or dataset.raster.bounds is not None:
            return dataset
        verdict = located(dataset, bounds.as_tuple)
        row = self.row(
            "dataset.located", dataset_id=dataset.id, version=dataset.version, detail={"bounds": bounds.as_tuple}
        )
        with suppress(RecordsUnavailable):
            await self.in_thread(self.services.records.judge_dataset, dataset, verdict, row)
        return verdict.of(dataset)

    def spend(self, cost: int) -> None:
        """Count what an answer costs; raises TooManyRequests."""
        self.services.rates.spend("tile", self.principal.person, self.client_ip, cost)

    async def drawn(self, dataset: Dataset, make: Callable[[Source], Task[T]], most_bytes: int = 0) -> T:
        """Return what the task comes to; raises Unavailable when too much waits, for a painter or for a reader.

        `most_bytes` is how long its body can be.

        The task of a client who has left is dropped unless it has begun; raises ClientLeft then.
        """
        return await self.waited(dataset, lambda pictures: pictures.submit(dataset, make), most_bytes)

    async def waited(self, dataset: Dataset, begin: Callable[[Pictures], Future[T]], most_bytes: int) -> T:
        """Return what `begin` begins, once the file of the dataset is open; raises the same."""
        pictures = self.services.pictures
        self.clients.room.expect(most_bytes)
        if not pictures.holds(dataset):
            await self.in_thread(pictures.open, dataset)
        return await self.until(begin(pictures))

    async def until(self, drawing: Future[T]) -> T:
        """Return what comes of work that was handed over; raises ClientLeft where the client leaves meanwhile."""
        self.drawing = self.results.expect(drawing)
        # An error's traceback holds this frame, and the future the error: together they would hold the request.
        del drawing
        try:
            with self.answer_later():
                found: T = await self.drawing
            return found
        except asyncio.CancelledError:
            if self.left:
                raise ClientLeft from None
            raise
        finally:
            # The handler lives as long as its answer waits for the reader, and would hold the picture beside it.
            self.drawing = None

    def answer_later(self) -> AbstractContextManager[None]:
        """Return what notices meanwhile that the client has left, though it may just have ended its side."""
        connection = self.connection
        return nullcontext() if connection.closed else connection.input_end.answer_later(self.request.version)

    def on_connection_close(self) -> None:
        """Drop the work that still waits."""
        self.left = True
        if self.drawing is not None:
            self.drawing.cancel()

    def set_cache(self, dataset: Dataset) -> None:
        """Say how long an answer may be kept, and by whom; a token in the URL bounds it by its own life.

        What goes on record is kept as the file itself is: nobody but the gateway may answer with it.
        """
        if self.gives_file:
            by_url = self.credential.in_url
            self.set_header("Cache-Control", "private, no-store" if by_url else "private, no-cache")
            return
        version = parameters.text(self.request.query_arguments, "v")
        seconds = IMMUTABLE_SECONDS if version == dataset.version else CACHE_SECONDS
        if self.credential.tokens:
            seconds = max(0, min(seconds, int(self.principal.expires - time.time())))
        shared = dataset.visibility is Scale.PUBLIC and not self.credential.tokens
        if shared:
            self.set_header("Vary", FOR_ALL)
        immutable = ", immutable" if version == dataset.version else ""
        self.set_header("Cache-Control", f"{'public' if shared else 'private'}, max-age={seconds}{immutable}")

    def has_it(self, etag: str) -> bool:
        """Set the entity tag and return whether the client has that version already (RFC 9110 section 13.1.2)."""
        self.set_header("ETag", etag)
        conditions, now = Conditions(if_none_match=self.request.headers.get("If-None-Match")), datetime.now(UTC)
        if evaluate(conditions, etag, now, now=now) is not Outcome.NOT_MODIFIED:
            return False
        self.set_status(HTTPStatus.NOT_MODIFIED)
        self.finish()
        return True


class TileHandler(MapHandler):
    """One tile."""

    @access(METADATA)
    async def get(self, dataset_id: str, *place: str | None) -> None:
        """Send the tile; jpeg, or png where a pixel is masked, when the path names no format."""
        tms, z, x, y, scale, extension = place
        arguments = self.request.query_arguments
        style = parameters.style_of(arguments)
        address = parameters.address_of(tms or DEFAULT_GRID, (z or "", x or "", y or ""), scale, arguments)
        wanted = parameters.format_of(extension)
        empty = parameters.choice(arguments, "empty", ("200", "204", "404"))

        async def send(dataset: Dataset) -> None:
            metrics, kind = self.services.metrics, wanted or "auto"
            if self.has_it(tag_of(dataset.version, address, style, wanted, *((empty,) if empty else ()))):
                metrics.tiles.add("not-modified", kind)
                return
            began = time.monotonic()
            tile = self.services.pictures.ready(dataset, address, style, wanted)
            metrics.tile_cache.add("miss" if tile is None else "passthrough" if tile.way == "passthrough" else "hit")
            self.spend(KEPT_COST if tile else cost_of(address, style, wanted))
            if tile is None:
                longest = most_bytes(address.pixels, wanted, style, dataset)
                tile = await self.waited(
                    dataset, lambda pictures: pictures.tile(dataset, address, style, wanted), longest
                )
                metrics.tile_seconds.observe(time.monotonic() - began, tile.way)
                metrics.tiles.add(tile.way, tile.format)
            else:
                metrics.tiles.add(tile.way if tile.way == "passthrough" else "cached", tile.format)
            if not self.told_empty(tile, empty):
                await self.send_drawn_body(tile, dataset, style, place_of(address))

        await self.in_version(dataset_id, send)

    head = get

    def named_format(self) -> str | None:
        """Return the format in the path."""
        return self.path_args[-1]

    def told_empty(self, tile: Encoded, empty: str | None) -> bool:
        """Return whether a client that wants to be told has been: of a tile outside of the data."""
        if tile.way == "empty" and empty == "404":
            raise NotFound("The tile lies outside of the data.")
        if tile.way == "empty" and empty == "204":
            self.set_status(HTTPStatus.NO_CONTENT)
            self.finish()
            return True
        return False


def place_of(address: TileAddress) -> dict[str, object]:
    """Return which tile it is, as the audit tells it."""
    tile = f"{address.tms}/{address.z}/{address.x}/{address.y}@{address.scale}x"
    return {"route": "tiles", "tile": tile, "tilesize": address.tilesize}


def cost_of(address: TileAddress, style: Style, wanted: TileFormat | None) -> int:
    """Return what drawing a tile costs, by its way and its size."""
    fast = wanted not in (TileFormat.TIF, TileFormat.NPY) and not (style.expression or style.algorithm)
    return (DRAWN_COST if fast else SLOW_COST) * max(1, (address.size // 256) ** 2)


def tag_of(version: str, *what: object) -> str:
    """Return the strong entity tag of something drawn from a version."""
    drawn = hashlib.blake2b(repr(what).encode(), digest_size=12).hexdigest()
    return etag_of(f"{version}-{drawn}")
