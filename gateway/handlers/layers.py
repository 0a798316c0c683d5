"""Layers: what all their resources share. Which datasets are asked for, who may see them, and who may keep an answer.

A layer is what its reader may see of it, so answers at one address differ from caller to caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import ParamSpec, TypeVar

from gateway.catalogue.layers import PLACES, LayerName
from gateway.catalogue.layers import Style as Parameters
from gateway.catalogue.moments import interval_of
from gateway.catalogue.overviews import Overview
from gateway.catalogue.search import LIMIT_MOST, Interval
from gateway.colour.model import PixelSelection, Stretch
from gateway.colour.model import Style as PictureStyle
from gateway.errors import (
    BadParameter,
    CannotBeDrawn,
    GatewayError,
    NotFound,
    ObjectMissing,
    Unavailable,
    VersionChanged,
)
from gateway.handlers.handed import HandingHandler
from gateway.handlers.maps import StudioHandler
from gateway.handlers.searching import searched
from gateway.handlers.tiles import MapHandler
from gateway.members import Layer, Wanted
from gateway.model import Principal, ordered
from gateway.stac.queries import body_of
from gateway.stac.requests import asked_of
from gateway.studio import tasks
from gateway.studio.layers import layer_stretch
from gateway.tiles import parameters

P = ParamSpec("P")
T = TypeVar("T")

KINDS = {place: kind for kind, place in PLACES.items()}
# Datasets come and go, and no address names the state of a layer.
CACHE_SECONDS = 300
LIMIT_DEFAULT = 100
ALL_DAYS = "all"
# A layer's style has colours of one kind: those of the request take their place.
COLOURS = frozenset({"colormap", "colormap_name"})
# Parameters that choose datasets, and those of all pictures of layers.
CHOOSING = ("datetime", "time", "sortby", "limit_assets", "pixel_selection")


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a request names of a layer: which datasets, and which value a pixel has where several have one."""

    wanted: Wanted
    selection: PixelSelection


class LayerHandler(MapHandler, HandingHandler, StudioHandler):
    """A resource of a layer: of a collection, or of a stored search."""

    def name_of(self, layer_id: str) -> LayerName:
        """Return the layer that the path names."""
        below = self.request.path.removeprefix(self.services.settings.prefix)
        return LayerName(next(kind for place, kind in KINDS.items() if f"/{place}/" in below), layer_id)

    async def searched(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, which may look at much of the catalogue."""
        return await searched(self, work, *args, **kwargs)

    async def looked_up(self, layer: Layer, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, which looks for datasets of the layer in one place.

        That goes by an index, but for a filter or a geometry: these may look at much of the catalogue.
        """
        plain = layer.search.filter is None and layer.search.intersects is None
        return await (self.in_thread if plain else self.searched)(work, *args, **kwargs)

    async def layer(self, layer_id: str) -> Layer:
        """Return the layer, its style in place of what the request does not say of it.

        Raises BadCredential for a disabled user and a token of something else, and NotFound.
        """
        layer = await self.in_thread(self._layer, self.name_of(layer_id))
        self.take_style(layer.style)
        return layer

    def _layer(self, name: LayerName) -> Layer:
        self.services.gatekeeper.check_layer(self.principal, name.scope)
        return self.services.members.layer(name)

    def take_style(self, style: Parameters) -> None:
        """Let the layer's style speak where the request is silent."""
        arguments = self.request.query_arguments
        coloured = COLOURS & arguments.keys()
        for name, values in style.items():
            if name not in arguments and not (name in COLOURS and coloured):
                arguments[name] = [value.encode() for value in values]

    @property
    def reader(self) -> Principal:
        """Return whose rights the datasets are looked for under."""
        return self.principal

    def chosen(self) -> Chosen:
        """Return what the query says of the datasets; raises BadParameter naming a parameter."""
        arguments = self.request.query_arguments
        given = {name: parameters.text(arguments, name) for name in ("datetime", "sortby")}
        search = asked_of(body_of({name: text for name, text in given.items() if text})).search
        limit = parameters.integer(arguments, "limit_assets", 1, LIMIT_MOST) or LIMIT_DEFAULT
        when = day_of(parameters.text(arguments, "time")) or search.datetime
        selection = parameters.choice(arguments, "pixel_selection", tuple(PixelSelection)) or PixelSelection.FIRST
        wanted = Wanted(limit, when, search.sortby if given["sortby"] else None)
        return Chosen(wanted, PixelSelection(selection))

    async def overview(self, layer: Layer, chosen: Chosen, style: PictureStyle) -> Overview | None:
        """Return what far zooms are painted from, where that has the pixels that are asked for; else None.

        Values of an overview are as they are stored, and where there are none is said by the datasets themselves.
        """
        if chosen.selection is not PixelSelection.FIRST or style.unscale or style.nodata is not None:
            return None
        return await self.in_thread(self.services.members.overview, layer, chosen.wanted, self.reader)

    async def stretch(self, layer: Layer, *, unscale: bool) -> Stretch | None:
        """Return the default range of values of the whole layer, for each band; None for bytes alone.

        Where none is on record, that of the first of its datasets that has a file holds for all of them.
        """
        sample = await self.searched(self.services.members.sample, layer, self.reader)
        found = layer_stretch(sample, unscale=unscale)
        for dataset in () if found else sample:
            raster = dataset.raster
            if raster is None or not ordered(raster.dtype):
                continue
            with suppress(NotFound, ObjectMissing, VersionChanged, Unavailable, CannotBeDrawn):
                taken = await self.drawn(dataset, tasks.default_range)
                measured = replace(dataset, raster=replace(raster, stretch=taken.bands if taken else None))
                return layer_stretch([measured], unscale=unscale)
        return found

    def set_layer_cache(self, *, lasting: bool = True) -> None:
        """Say who may keep an answer: shared caches only what nobody signed in for, and that for nobody else.

        Nobody where something is left out that may be back in a moment (`lasting` is False).
        """
        if self.gives_file:
            self.set_header("Cache-Control", "private, no-store" if self.credential.in_url else "private, no-cache")
        elif not lasting:
            self.set_header("Cache-Control", "private, no-store")
        else:
            seconds = CACHE_SECONDS
            if self.credential.tokens:
                seconds = max(0, min(seconds, int(self.principal.expires - time.time())))
            self.set_header("Cache-Control", f"{'private' if self.signed_in else 'public'}, max-age={seconds}")

    @property
    def signed_in(self) -> bool:
        """Return whether the request came with any credential."""
        return self.credential.authorization is not None or self.credential.in_url

    def refused(self, error: GatewayError) -> None:
        """Note nothing: a layer is no dataset, and what it would have been drawn from is not known."""

    async def layer_token(self, layer: Layer) -> str:
        """Return a tile token of the layer for the caller, as `tile_token` returns one of a dataset."""
        roles = await self.searched(self.services.members.roles_of, layer, self.principal)
        return await self.handed_token(layer.name, None, roles)


def day_of(text: str | None) -> Interval | None:
    """Return the interval of a `time`: a day, or what `datetime` takes. None for all days; raises BadParameter."""
    if text is None or text == ALL_DAYS:
        return None
    if "T" not in text.upper() and "/" not in text:
        text = f"{text}T00:00:00Z/{text}T23:59:59.999999Z"
    try:
        return interval_of(text)
    except BadParameter:
        raise BadParameter(
            "The parameter time must be a day as 2026-01-31, a moment, an interval of two, or `all`."
        ) from None
