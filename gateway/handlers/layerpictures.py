"""Pictures of layers: one range of values for the whole of it, what they rest on, and values on record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from gateway.catalogue.search import Box
from gateway.colour.model import MEDIA_TYPES, LayerStyle, PixelSelection, Style, TileFormat
from gateway.errors import (
    Forbidden,
    GatewayError,
    NotFound,
    StorageUnavailable,
    TooManyRequests,
    VersionChanged,
)
from gateway.handlers.delivery import Granted
from gateway.handlers.layerground import GroundHandler
from gateway.handlers.layermembers import Judged
from gateway.handlers.layers import Chosen
from gateway.handlers.tiles import TRIES, tag_of
from gateway.handlers.values import bands_told, most_bytes
from gateway.members import Layer, cover
from gateway.model import Dataset
from gateway.records import Crowd
from gateway.tiles import parameters
from gateway.tiles.model import LayerPicture

# Of so many files the first one that can be drawn says how.
STYLES = 3


@dataclass(frozen=True, slots=True)
class Ground:
    """The box of a picture, and how many degrees a pixel of it has."""

    box: Box
    degrees: float


@dataclass(frozen=True, slots=True)
class Crowded:
    """A crowd; `members` are files that say how, and those of datasets without a small picture."""

    crowd: Crowd
    members: Judged


class PictureHandler(GroundHandler):
    """A resource that comes as a picture of a layer, or as its values."""

    async def how(self, layer: Layer, chosen: Chosen, wanted: TileFormat | None) -> LayerStyle:
        """Return how the picture is made: the range of values is one for the whole layer."""
        style = parameters.style_of(self.request.query_arguments)
        values = wanted is not None and wanted.carries_values
        stretch = None if style.rescale or values else await self.stretch(layer, unscale=style.unscale)
        return LayerStyle(style, wanted, chosen.selection, stretch)

    async def crowd(
        self, layer: Layer, chosen: Chosen, members: Judged, ground: Ground, how: LayerStyle
    ) -> Crowded | None:
        """Return what a picture is painted from where more files lie there than it may touch: small pictures.

        None for values that are handed out, for what each file has a scale for, where the boxes of the first files
        cover the ground and the first value is enough, and where no more datasets than files have a picture.
        """
        limit, first = chosen.wanted.limit, how.selection is PixelSelection.FIRST
        handed_out = parameters.format_of(self.named_format())
        values = handed_out is not None and handed_out.carries_values
        fit = not (values or how.style.unscale or (how.style.expression and not first))
        if not fit or members.number <= limit or not members.datasets:
            return None
        if first and cover(members.datasets, ground.box):
            return None
        found = self.services.members
        crowd = await self.searched(found.crowd, layer, chosen.wanted, ground.box, self.reader, ground.degrees)
        if crowd.pictured <= limit:
            return None
        bare = await self.searched(found.named, layer, chosen.wanted, crowd.bare[:limit], self.reader)
        try:
            files = await self.judged(bare)
        except GatewayError as error:
            files = Judged((), bare.number, error)
        others = (dataset for dataset in members.datasets[:STYLES] if dataset not in files.datasets)
        trouble = members.trouble or files.trouble
        return Crowded(crowd, Judged((*others, *files.datasets), members.number, trouble))

    async def in_versions(self, send: Callable[[], Awaitable[None]]) -> None:
        """Let `send` answer, and anew where a file is replaced meanwhile."""
        for _ in range(TRIES):
            try:
                return await send()
            except VersionChanged:
                self.forget_versions()
        raise StorageUnavailable("A file of this layer is being replaced.", retry_after_seconds=1)

    def has_picture(self, members: Judged, *what: object) -> bool:
        """Return whether the client has what would be made of these versions so; what may be kept is said."""
        self.set_layer_cache(lasting=members.trouble is None)
        versions = [(dataset.id, dataset.version) for dataset in members.datasets]
        return self.has_it(tag_of("overview" if members.of_all else "layer", versions, *what))

    async def send_picture(
        self, picture: LayerPicture, members: Judged, layer: Layer, style: Style, place: Mapping[str, Any]
    ) -> None:
        """Finish with a picture, or with values that are on record before."""
        drawn = picture.encoded
        self.set_header("X-Assets", members.used(picture.used))
        self.set_header("Content-Type", MEDIA_TYPES[drawn.format])
        if picture.left_out:
            self.clear_header("ETag")
            self.set_layer_cache(lasting=False)
        if drawn.format.carries_values and not (self.gives_file or self.services.settings.open_values):
            raise Forbidden("Values need the right to download.")
        if not self.gives_file or self.request.method == "HEAD":
            self.finish(drawn.body)
            return
        by_id = {dataset.id: dataset for dataset in members.datasets}
        used = [by_id[each] for each in picture.used]
        detail = {
            "layer": layer.name.scope, **place, "format": drawn.format.value, **bands_told(style),
            "members": [{"id": dataset.id, "version": dataset.version} for dataset in used],
        }  # fmt: skip
        backend = self.services.gatekeeper.storage_of(used[0]).backend if used else "local"
        size = len(drawn.body)
        granted = Granted(
            "download.part", None, backend, self.get_status(), size, detail=detail, in_memory_bytes=size
        )
        async with self.delivery(granted) as delivery:
            await self.send_at_once(delivery, drawn.body)

    def told_empty(self, empty: str | None) -> bool:
        """Return whether a client that wants to be told has been: of a tile outside of the data."""
        if empty == "404":
            raise NotFound("The tile lies outside of the data.")
        if empty == "204":
            self.set_status(HTTPStatus.NO_CONTENT)
            self.finish()
        return empty == "204"

    def spend_more(self, cost: int, used: Sequence[str]) -> None:
        """Count what each further dataset has cost: known only now, and no reason to keep the answer back."""
        if len(used) > 1:
            with suppress(TooManyRequests):
                self.spend(cost * (len(used) - 1))


def longest(members: Sequence[Dataset], pixels: int, how: LayerStyle) -> int:
    """Return how long the body of a picture or of values with so many pixels is at most, but for some head."""
    return max((most_bytes(pixels, how.format, how.style, dataset) for dataset in members), default=0)
