"""Documents that tell map clients where the tiles are: WMTS capabilities (OGC 07-057r7) and grids."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote
from xml.sax import saxutils
from xml.sax.saxutils import quoteattr

import morecantile

from gateway.errors import NotFound
from gateway.tiles.model import INFO_FORMATS, Layer

NAMESPACES = (
    'xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0"'
)
# XML 1.0 section 2.2: no document may have these, not even as character references.
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """Return a text as content of an element; characters that no XML may have are U+FFFD."""
    return saxutils.escape(NO_XML.sub("\ufffd", text))


def grid(name: str) -> Any:
    """Return the tile matrix set of that id; raises NotFound."""
    if name not in morecantile.tms.list():
        raise NotFound("There is no such tile matrix set.")
    return morecantile.tms.get(name)


def grids() -> list[str]:
    """Return the ids of all tile matrix sets."""
    return sorted(morecantile.tms.list())


def grid_json(name: str) -> dict[str, Any]:
    """Return a tile matrix set as OGC 17-083r4 writes it in JSON."""
    found: dict[str, Any] = grid(name).model_dump(mode="json", exclude_none=True)
    return found


def capabilities(
    title: str,
    layers: Sequence[Layer],
    grid_name: str,
    zooms: tuple[int, int] | None,
    side: int,
    service: tuple[str, Sequence[str]],
) -> str:
    """Return the capabilities of some layers in one tile matrix set, RESTful.

    `zooms` are the least and the greatest level of the document, None for all; `side` the pixels of a tile; `service`
    the URL that takes KVP, and the operations that it has.
    """
    endpoint, names = service
    found = grid(grid_name)
    least, most = zooms or (found.minzoom, found.maxzoom)
    matrices = "".join(_matrix(found.matrix(zoom), side) for zoom in range(least, most + 1))
    operations = "".join(_operation(name, endpoint, "KVP") for name in names)
    if "GetTile" not in names:
        # Clients look for it before they take the templates of the layers.
        operations += _operation("GetTile", endpoint, "RESTful")
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Capabilities {NAMESPACES}>
 <ows:ServiceIdentification><ows:Title>{escape(title)}</ows:Title><ows:ServiceType>OGC WMTS</ows:ServiceType>\
<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion></ows:ServiceIdentification>
 <ows:OperationsMetadata>{operations}</ows:OperationsMetadata>
 <Contents>
{"".join(_layer(layer, grid_name) for layer in layers)}  <TileMatrixSet>
   <ows:Identifier>{escape(grid_name)}</ows:Identifier><ows:SupportedCRS>{escape(crs_uri(found))}</ows:SupportedCRS>
{matrices}  </TileMatrixSet>
 </Contents>
 <ServiceMetadataURL xlink:href={quoteattr(endpoint)}/>
</Capabilities>
"""


def crs_uri(found: Any) -> str:
    """Return the URI of a grid's CRS as WMTS 1.0.0 wants it: urn:ogc:def:crs:AUTHORITY:VERSION:CODE."""
    authority, version, code = str(found.crs.srs).rsplit("/", 3)[-3:] if "/" in found.crs.srs else ("", "", "")
    if not code:
        return str(found.crs.srs)
    # EPSG's numbers have no version.
    return f"urn:ogc:def:crs:{authority}:{'' if version == '0' else version}:{code}"


def _layer(layer: Layer, grid_name: str) -> str:
    west, south, east, north = layer.bounds
    styles = "".join(_style(*style, default=index == 0) for index, style in enumerate(layer.styles))
    formats = "".join(f"<InfoFormat>{kind}</InfoFormat>" for kind in INFO_FORMATS)
    values = "".join(
        f'   <ResourceURL format="{kind}" resourceType="FeatureInfo" '
        f"template={quoteattr(f'{layer.values}&infoformat={quote(kind)}')}/>\n"
        for kind in INFO_FORMATS
    )
    return f"""  <Layer>
   <ows:Title>{escape(layer.title)}</ows:Title>
   <ows:WGS84BoundingBox><ows:LowerCorner>{west} {south}</ows:LowerCorner>\
<ows:UpperCorner>{east} {north}</ows:UpperCorner></ows:WGS84BoundingBox>
   <ows:Identifier>{escape(layer.identifier)}</ows:Identifier>
{styles}   <Format>image/png</Format>{formats}
{_dimension(*layer.days) if layer.days else ""}\
   <TileMatrixSetLink><TileMatrixSet>{escape(grid_name)}</TileMatrixSet></TileMatrixSetLink>
   <ResourceURL format="image/png" resourceType="tile" template={quoteattr(layer.tiles)}/>
{values}  </Layer>
"""


def _dimension(default: str, days: Sequence[str]) -> str:
    values = "".join(f"<Value>{day}</Value>" for day in days)
    return (
        "   <Dimension><ows:Identifier>Time</ows:Identifier><ows:UOM>ISO8601</ows:UOM>"
        f"<Default>{default}</Default>{values}</Dimension>\n"
    )


def _style(name: str, legend: str | None, *, default: bool) -> str:
    picture = f'<LegendURL format="image/png" xlink:href={quoteattr(legend)}/>' if legend else ""
    flag = ' isDefault="true"' if default else ""
    return f"   <Style{flag}><ows:Identifier>{escape(name)}</ows:Identifier>{picture}</Style>\n"


def _operation(name: str, endpoint: str, encoding: str) -> str:
    # OGC 07-057r7 section 8.1: a KVP address ends in "?" or "&".
    address = quoteattr(f"{endpoint}{'&' if '?' in endpoint else '?'}")
    values = f"<ows:AllowedValues><ows:Value>{encoding}</ows:Value></ows:AllowedValues>"
    return (
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={address}>'
        f'<ows:Constraint name="GetEncoding">{values}</ows:Constraint></ows:Get></ows:HTTP></ows:DCP></ows:Operation>'
    )


def _matrix(matrix: Any, side: int) -> str:
    corner = " ".join(str(value) for value in matrix.pointOfOrigin)
    # Tiles of more pixels show the same ground at a finer scale.
    scale = matrix.scaleDenominator * matrix.tileWidth / side
    return (
        f"   <TileMatrix><ows:Identifier>{escape(matrix.id)}</ows:Identifier>"
        f"<ScaleDenominator>{scale}</ScaleDenominator><TopLeftCorner>{corner}</TopLeftCorner>"
        f"<TileWidth>{side}</TileWidth><TileHeight>{side}</TileHeight>"
        f"<MatrixWidth>{matrix.matrixWidth}</MatrixWidth><MatrixHeight>{matrix.matrixHeight}</MatrixHeight>"
        "</TileMatrix>\n"
    )
