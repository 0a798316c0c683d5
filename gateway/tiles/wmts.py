"""Documents that tell map clients where the tiles are: WMTS capabilities (OGC 07-057r7) and grids."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import morecantile

from gateway.errors import NotFound

NAMESPACES = (
    'xmlns="http://www.opengis.net/wmts/1.0" xmlns:ows="http://www.opengis.net/ows/1.1" '
    'xmlns:xlink="http://www.w3.org/1999/xlink" version="1.0.0"'
)


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
    layer: str, bounds: Iterable[float], grid_name: str, zooms: tuple[int, int], template: str, endpoint: str
) -> str:
    """Return the capabilities of one layer: RESTful tiles by `template`, and KVP at `endpoint`."""
    west, south, east, north = bounds
    found = grid(grid_name)
    matrices = "".join(_matrix(found.matrix(zoom)) for zoom in range(zooms[0], zooms[1] + 1))
    epsg = found.crs.to_epsg()
    crs = f"urn:ogc:def:crs:EPSG::{epsg}" if epsg else found.crs.to_wkt()
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Capabilities {NAMESPACES}>
 <ows:ServiceIdentification><ows:Title>{escape(layer)}</ows:Title><ows:ServiceType>OGC WMTS</ows:ServiceType>\
<ows:ServiceTypeVersion>1.0.0</ows:ServiceTypeVersion></ows:ServiceIdentification>
 <ows:OperationsMetadata>{_operation("GetCapabilities", endpoint)}{_operation("GetTile", endpoint)}\
</ows:OperationsMetadata>
 <Contents>
  <Layer>
   <ows:Title>{escape(layer)}</ows:Title><ows:Identifier>default</ows:Identifier>
   <ows:WGS84BoundingBox><ows:LowerCorner>{west} {south}</ows:LowerCorner>\
<ows:UpperCorner>{east} {north}</ows:UpperCorner></ows:WGS84BoundingBox>
   <Style isDefault="true"><ows:Identifier>default</ows:Identifier></Style>
   <Format>image/png</Format>
   <TileMatrixSetLink><TileMatrixSet>{escape(grid_name)}</TileMatrixSet></TileMatrixSetLink>
   <ResourceURL format="image/png" resourceType="tile" template={quoteattr(template)}/>
  </Layer>
  <TileMatrixSet>
   <ows:Identifier>{escape(grid_name)}</ows:Identifier><ows:SupportedCRS>{escape(crs)}</ows:SupportedCRS>
{matrices}  </TileMatrixSet>
 </Contents>
 <ServiceMetadataURL xlink:href={quoteattr(endpoint)}/>
</Capabilities>
"""


def _operation(name: str, endpoint: str) -> str:
    # OGC 07-057r7 section 8.1: a KVP address ends in "?" or "&".
    address = quoteattr(f"{endpoint}{'&' if '?' in endpoint else '?'}")
    kvp = "<ows:AllowedValues><ows:Value>KVP</ows:Value></ows:AllowedValues>"
    return (
        f'<ows:Operation name="{name}"><ows:DCP><ows:HTTP><ows:Get xlink:href={address}>'
        f'<ows:Constraint name="GetEncoding">{kvp}</ows:Constraint></ows:Get></ows:HTTP></ows:DCP></ows:Operation>'
    )


def _matrix(matrix: Any) -> str:
    corner = " ".join(str(value) for value in matrix.pointOfOrigin)
    return (
        f"   <TileMatrix><ows:Identifier>{escape(matrix.id)}</ows:Identifier>"
        f"<ScaleDenominator>{matrix.scaleDenominator}</ScaleDenominator><TopLeftCorner>{corner}</TopLeftCorner>"
        f"<TileWidth>{matrix.tileWidth}</TileWidth><TileHeight>{matrix.tileHeight}</TileHeight>"
        f"<MatrixWidth>{matrix.matrixWidth}</MatrixWidth><MatrixHeight>{matrix.matrixHeight}</MatrixHeight>"
        "</TileMatrix>\n"
    )
