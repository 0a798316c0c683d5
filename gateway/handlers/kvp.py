"""WMTS by key-value pairs (OGC 07-057r7 section 8): what a request names, and values as GetFeatureInfo tells them."""

from __future__ import annotations

from html import escape
from typing import Any

from gateway.errors import BadParameter
from gateway.ground.address import TileAddress
from gateway.handlers.base import BaseHandler
from gateway.handlers.problems import json_bytes
from gateway.handlers.tiles import DEFAULT_GRID
from gateway.tiles import parameters
from gateway.tiles.model import INFO_FORMATS

# Names of KVP, which say what is asked for and not how it looks.
KVP = frozenset({
    "service", "request", "version", "layer", "style", "format", "tilematrixset", "tilematrix", "tilecol", "tilerow",
    "i", "j", "infoformat", "tile_matrix_set_id",
})  # fmt: skip
REQUESTS = ("GetCapabilities", "GetTile", "GetFeatureInfo")


class KvpHandler(BaseHandler):
    """A resource whose query may name tiles and pixels."""

    def asked(self) -> dict[str, str]:
        """Return the parameters of KVP, whose names have no case."""
        return {name.lower(): values[-1].decode("latin-1") for name, values in self.request.query_arguments.items()}

    def requested(self) -> str:
        """Return what is asked for; raises BadParameter for what is not offered."""
        asked = self.asked()
        if asked.get("service", "WMTS").upper() != "WMTS":
            raise BadParameter("The parameter SERVICE must be WMTS.")
        if (request := asked.get("request", REQUESTS[0])) not in REQUESTS:
            raise BadParameter(f"The parameter REQUEST must be one of {', '.join(REQUESTS)}.")
        return request

    def format_by_name(self) -> str | None:
        """Return the format of the tile that a GetTile request names."""
        asked = self.asked()
        return asked.get("format", "image/png").removeprefix("image/") if asked.get("request") == "GetTile" else None

    def style_by_name(self) -> None:
        """Take the style of KVP for a colour map, where it is not the default one."""
        name = self.asked().get("style", "")
        if name and name != parameters.DEFAULT_STYLE:
            self.request.query_arguments["colormap_name"] = [name.encode("latin-1")]

    def place(self) -> tuple[str | None, str, str, str]:
        """Return tile matrix set, z, x and y of KVP (OGC 07-057r7 section 8.2); raises BadParameter."""
        asked = self.asked()
        z, x, y = (self.whole(asked, name) for name in ("tilematrix", "tilecol", "tilerow"))
        return asked.get("tilematrixset"), z, x, y

    def whole(self, asked: dict[str, str], name: str) -> str:
        """Return a whole number as text; raises BadParameter."""
        value = asked.get(name, "")
        if not (value.isascii() and value.isdigit() and len(value) <= 9):
            raise BadParameter(f"The parameter {name.upper()} must be a whole number.")
        return value

    def pixel(self) -> tuple[TileAddress, tuple[int, int], str]:
        """Return tile, column and row, and the media type of a GetFeatureInfo request (section 7.3)."""
        arguments, asked = self.request.query_arguments, self.asked()
        tms, z, x, y = self.place()
        address = parameters.address_of(tms or DEFAULT_GRID, (z, x, y), None, arguments)
        pixel = int(self.whole(asked, "i")), int(self.whole(asked, "j"))
        if max(pixel) >= address.size:
            raise BadParameter(f"The parameters I and J must be less than {address.size}.")
        # A client that does not encode the plus sign sends a space.
        kind = asked.get("infoformat", INFO_FORMATS[0]).replace(" ", "+")
        if kind not in INFO_FORMATS:
            raise BadParameter(f"The parameter INFOFORMAT must be one of {', '.join(INFO_FORMATS)}.")
        return address, pixel, kind


def told(found: dict[str, Any], kind: str) -> bytes | str:
    """Return the values of a point in one of the formats of GetFeatureInfo; as GeoJSON a feature (RFC 7946)."""
    if kind == "application/json":
        return json_bytes(found)
    pairs = list(zip(found["band_descriptions"], found["values"], strict=True))
    if kind == "application/geo+json":
        point = {"type": "Point", "coordinates": found["coordinates"]}
        distinct = len(set(found["band_descriptions"])) == len(pairs)
        names = found["band_descriptions" if distinct else "band_names"]
        feature = {"type": "Feature", "geometry": point, "properties": dict(zip(names, found["values"], strict=True))}
        return json_bytes({"type": "FeatureCollection", "features": [feature]})
    if kind == "text/plain":
        return "".join(f"{name}: {'no data' if value is None else value}\n" for name, value in pairs)
    rows = "".join(
        f"<tr><th>{escape(str(name))}</th><td>{'no data' if value is None else value}</td></tr>"
        for name, value in pairs
    )
    return f"<!doctype html><title>Values</title><table>{rows}</table>"
