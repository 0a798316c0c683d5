"""What is asked about by a geometry in the body: a picture of a feature, or its values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gateway.catalogue.features import box_of, features_of, geometry_of
from gateway.catalogue.jsontext import require_unicode, value_of
from gateway.catalogue.search import Geometry
from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter
from gateway.handlers.access import METADATA, access
from gateway.handlers.nativeparts import NativePartHandler
from gateway.handlers.rasters import RasterHandler, Size, Systems, pixels_of
from gateway.handlers.tiles import SLOW_COST
from gateway.handlers.values import bands_told, most_bytes
from gateway.jobs import WantedPart
from gateway.model import Dataset
from gateway.studio import polygontasks
from gateway.tiles import parameters

NOT_JSON = "The body must be GeoJSON (RFC 7946)."


class GeoJsonHandler(RasterHandler):
    """A resource that takes GeoJSON as body."""

    def document_in_body(self) -> Any:
        """Return the JSON of the body; raises BadParameter."""
        try:
            value = value_of(self.request.body)
            # What is sent back is UTF-8.
            require_unicode(value)
        except (ValueError, RecursionError):
            raise BadParameter(NOT_JSON) from None
        return value

    def systems(self) -> tuple[str | None, str | None]:
        """Return coord_crs and dst_crs; raises BadParameter."""
        arguments = self.request.query_arguments
        return parameters.crs(arguments, "coord_crs"), parameters.crs(arguments, "dst_crs")

    def set_cache(self, dataset: Dataset) -> None:
        """Let nobody keep what a body was needed for."""
        if self.request.method == "POST":
            self.set_header("Cache-Control", "no-store")
        else:
            super().set_cache(dataset)


class FeatureHandler(GeoJsonHandler, NativePartHandler):
    """A picture of what lies under a polygon, or its values; with native=true the part of the file itself."""

    def named_format(self) -> str | None:
        """Return the format in the path."""
        return self.path_args[-1]

    @access(METADATA)
    async def post(self, dataset_id: str, width: str | None, height: str | None, extension: str | None) -> None:
        """Send what lies under the Feature of the body, whose polygon is in coord_crs, drawn in dst_crs.

        Pixels that it does not touch are masked. A picture is reduced to what one may have, and values are not.
        """
        wanted, style = parameters.format_of(extension), parameters.style_of(self.request.query_arguments)
        values = wanted is not None and wanted.carries_values
        if parameters.flag(self.request.query_arguments, "native", default=False):
            await self.send_native_feature(dataset_id, self.size(width, height, None), wanted)
            return
        size, systems = self.size(width, height, None if values else parameters.MAX_SIDE), self.systems()
        geometry, told = self.asked_geometry(systems)
        most = self.services.settings.part_mb << 20

        async def send(dataset: Dataset) -> None:
            self.spend(SLOW_COST)
            longest = most_bytes(pixels_of(size), wanted, style, dataset)
            drawn = await self.drawn(
                dataset,
                lambda source: polygontasks.feature_picture(source, (geometry, systems), (style, size, wanted), most),
                longest,
            )
            await self.send_drawn_body(drawn, dataset, style, {**told, "size": size})

        await self.in_version(dataset_id, send)

    async def send_native_feature(self, dataset_id: str, size: Size, wanted: TileFormat | None) -> None:
        """Send the pixels of the file that the polygon covers; raises BadParameter for what would change them."""
        bands, systems = self.native_bands(size, wanted), self.systems()
        geometry, told = self.asked_geometry(systems)

        async def send(dataset: Dataset) -> None:
            planned = await self.drawn(
                dataset, lambda source: polygontasks.native_feature(source, geometry, systems[0], bands)
            )
            await self.send_native(WantedPart(dataset, planned, {**told, **bands_told(Style(bidx=bands))}))

        await self.in_version(dataset_id, send)

    def asked_geometry(self, systems: Systems) -> tuple[Geometry, dict[str, object]]:
        """Return the geometry of the body, and what the audit is told of it; raises BadParameter."""
        (feature,) = features_of(self.document_in_body(), systems[0], one=True)
        geometry = geometry_of(feature)
        return geometry, {"route": "feature", "box": box_of(geometry), "crs": systems, "sha256": digest_of(geometry)}

    def begin_part(self, status: int, headers: Mapping[str, str]) -> None:
        """Take over status and headers; nobody keeps what a body was needed for, and it has no ranges."""
        kept = {name: value for name, value in headers.items() if name != "Accept-Ranges"}
        super().begin_part(status, {**kept, "Cache-Control": "no-store"})


def digest_of(geometry: Geometry) -> str:
    """Return the SHA-256 in hex of a geometry as JSON without spaces, which tells the audit which one it was."""
    return hashlib.sha256(json.dumps(geometry, separators=(",", ":")).encode()).hexdigest()
