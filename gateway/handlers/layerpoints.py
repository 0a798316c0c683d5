"""Values at one place of a layer: those of each dataset, and those that a picture shows."""

from __future__ import annotations

import operator
import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway.colour.model import PixelSelection
from gateway.errors import NotFound, StorageUnavailable, VersionChanged
from gateway.handlers.access import METADATA, access
from gateway.handlers.layerground import GroundHandler, box_at, lies_at
from gateway.handlers.layermembers import Judged
from gateway.handlers.layers import Chosen
from gateway.handlers.problems import json_bytes
from gateway.handlers.tiles import SLOW_COST, TRIES, tag_of
from gateway.members import Layer
from gateway.tiles import parameters

Values = Sequence[float | None]
Place = tuple[float, float] | None
NOTHING_THERE = "That lies outside of the data."
BY_BAND: Mapping[PixelSelection, Callable[[list[float]], float]] = {
    PixelSelection.FIRST: lambda values: values[0],
    PixelSelection.HIGHEST: max,
    PixelSelection.LOWEST: min,
    PixelSelection.MEAN: statistics.fmean,
    PixelSelection.MEDIAN: statistics.median,
    PixelSelection.STDEV: statistics.pstdev,
}


class ValuesAtHandler(GroundHandler):
    """A resource that tells the values at one place."""

    async def values_at(
        self, layer: Layer, chosen: Chosen, place: tuple[tuple[float, ...], str | None], degrees: Place
    ) -> dict[str, Any] | None:
        """Return the values at a place by coord_crs, None where the client has them; raises NotFound for none."""
        style = parameters.style_of(self.request.query_arguments)
        for _ in range(TRIES):
            members = at(await self.members(layer, chosen.wanted, box_at(degrees)), degrees)
            self.set_layer_cache(lasting=members.trouble is None)
            versions = [(dataset.id, dataset.version) for dataset in members.datasets]
            if self.has_it(tag_of("layer", type(self).__name__, versions, style, chosen.selection, place)):
                return None
            if not members.datasets:
                raise NotFound(NOTHING_THERE)
            self.spend(SLOW_COST)
            try:
                found: dict[str, Any] = await self.until(self.services.layers.point(members.datasets, *place, style))
            except VersionChanged:
                self.forget_versions()
                continue
            self.set_header("X-Assets", f"{len(found['assets'])}/{members.number}")
            if found.pop("left_out"):
                self.clear_header("ETag")
                self.set_layer_cache(lasting=False)
            return shown(found, chosen.selection)
        raise StorageUnavailable("A file of this layer is being replaced.", retry_after_seconds=1)


class LayerPointHandler(ValuesAtHandler):
    """The values at one place of a layer."""

    @access(METADATA)
    async def get(self, layer_id: str, lon: str, lat: str) -> None:
        """Send the values of each band that a picture shows there, and in `assets` those of each dataset."""
        layer = await self.layer(layer_id)
        place, crs, degrees = await self.place_of(lon, lat)
        found = await self.values_at(layer, self.chosen(), (place, crs), degrees)
        if found is not None:
            self.set_header("Content-Type", "application/json")
            self.finish(json_bytes(found))

    head = get


def at(members: Judged, place: Place) -> Judged:
    """Return those whose footprint holds a place."""
    meets = lies_at(place)
    kept = tuple(dataset for dataset in members.datasets if meets(dataset))
    return Judged(kept, members.number - len(members.datasets) + len(kept), members.trouble)


def shown(found: dict[str, Any], selection: PixelSelection) -> dict[str, Any]:
    """Return what there is at a point with the values that a picture shows of it; raises NotFound for none."""
    assets = found["assets"]
    if not assets:
        raise NotFound(NOTHING_THERE)
    names = {name: assets[0][name] for name in ("band_names", "band_descriptions")}
    compared = [asset.pop("compared") for asset in assets]
    values = selected([asset["values"] for asset in assets], compared, selection)
    return {"coordinates": found["coordinates"], "values": values, **names, "assets": assets}


def selected(
    rows: Sequence[Values], compared: Sequence[Sequence[float]], selection: PixelSelection
) -> list[float | None]:
    """Return one value of each band from those of several datasets, null where none has one.

    What the selections mean is what they mean in rio_tiler.mosaic. `compared` are the rows with what is nodata.
    """
    bands = [[value for value in band if value is not None] for band in zip(*rows, strict=True)]
    if selection is PixelSelection.COUNT:
        return [len(bands[0])]
    if selection in BY_BAND:
        return [BY_BAND[selection](band) if band else None for band in bands]
    return _by_last_band(rows, compared, operator.lt if selection is PixelSelection.LASTBANDLOW else operator.gt)


def _by_last_band(
    rows: Sequence[Values], compared: Sequence[Sequence[float]], beyond: Callable[[float, float], bool]
) -> list[float | None]:
    """Return the values of the bands before the last one, put together as `rio_tiler.mosaic` does.

    The last band is compared also where it is nodata. Nodata never replaces a value, and is replaced by any.
    """
    held, pixels = list(rows[0]), list(compared[0])
    for row, more in zip(rows[1:], compared[1:], strict=True):
        wanted = beyond(more[-1], pixels[-1])
        for band, value in enumerate(row):
            if held[band] is None or (wanted and value is not None):
                held[band], pixels[band] = value, more[band]
    return held[:-1]
