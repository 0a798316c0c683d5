"""Statistics of a dataset: of the whole, and of the pixels of polygons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.catalogue.features import Feature, box_of, features_of, geometry_of
from gateway.catalogue.search import Box
from gateway.handlers.access import METADATA, access
from gateway.handlers.features import GeoJsonHandler
from gateway.handlers.problems import json_bytes
from gateway.handlers.rasters import DEFAULT_SIDE, Size
from gateway.handlers.tiles import SLOW_COST
from gateway.model import Dataset
from gateway.studio import polygontasks, tasks
from gateway.tiles import parameters

# Pixels that cost as much as the statistics of a whole dataset, which are of about so many at most.
PRICED_PIXELS = 1 << 23
GEOJSON = "application/geo+json"


class StatisticsHandler(GeoJsonHandler):
    """Minimum, maximum, percentiles and histogram of each band."""

    @access(METADATA)
    async def get(self, dataset_id: str) -> None:
        """Send the statistics by band."""
        arguments = self.request.query_arguments
        style = parameters.style_of(arguments)
        size, dst_crs = self.size(None, None, DEFAULT_SIDE), parameters.crs(arguments, "dst_crs")
        options = parameters.statistics_of(arguments)
        await self.send_facts(
            dataset_id,
            (style, size, dst_crs, options),
            lambda source: tasks.statistics(source, style, size, dst_crs, options),
        )

    head = get

    @access(METADATA)
    async def post(self, dataset_id: str) -> None:
        """Send the Feature or FeatureCollection of the body back, each feature with `statistics` in its properties.

        They are of all pixels that a polygon touches, on the dataset's own grid unless `dst_crs` is given and in full
        resolution unless `max_size` is, each pixel by the part of it that is covered.
        """
        arguments, document = self.request.query_arguments, self.document_in_body()
        how = parameters.style_of(arguments), self.size(None, None, None)
        systems, options = self.systems(), parameters.statistics_of(arguments)
        features = features_of(document, systems[0])
        geometries, most_bytes = [geometry_of(each) for each in features], self.services.settings.part_mb << 20

        async def send(dataset: Dataset) -> None:
            self.spend(sum(cost_of(box_of(each), systems[0], how[1], dataset) for each in geometries))
            found = await self.drawn(
                dataset,
                lambda source: polygontasks.zonal_statistics(source, geometries, systems, how, most_bytes, options),
            )
            self.set_header("Content-Type", GEOJSON)
            self.finish(json_bytes(told(document, features, found)))

        await self.in_version(dataset_id, send)


def told(document: Feature, features: Sequence[Feature], found: Sequence[Mapping[str, Any]]) -> Feature:
    """Return a document of GeoJSON as it was given, with statistics in the properties of each feature."""
    with_statistics = [
        {**feature, "properties": {**(feature.get("properties") or {}), "statistics": statistics}}
        for feature, statistics in zip(features, found, strict=True)
    ]
    return {**document, "features": with_statistics} if "features" in document else with_statistics[0]


def cost_of(box: Box, coord_crs: str | None, size: Size, dataset: Dataset) -> int:
    """Return what statistics under a box cost, by the share that it has of the dataset's bounds, about."""
    raster = dataset.raster
    if raster is None or any(size):
        return SLOW_COST
    share = 1.0 if coord_crs or raster.bounds is None else _share(box, raster.bounds)
    return SLOW_COST * max(1, math.ceil(raster.width * raster.height * raster.count * share / PRICED_PIXELS))


def _share(box: Box, bounds: Box) -> float:
    """Return which part of bounds in degrees a box has at most; all of bounds that cross the antimeridian."""
    west, south, east, north = bounds
    if west >= east or south >= north:
        return 1.0
    across, down = (min(box[2], east) - max(box[0], west), min(box[3], north) - max(box[1], south))
    return max(0.0, across / (east - west)) * max(0.0, down / (north - south))
