"""The named styles of layers in WMTS documents, each with its legend."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlencode

from gateway.colour.model import Style
from gateway.model import RasterFacts
from gateway.tiles import parameters

# Offered as named styles of one band; all others go by colormap_name.
STYLES = ("viridis", "magma", "cividis", "terrain", "gray", "rdylgn", "blues")
Address = Callable[[str], str]


def named_styles(style: Style, raster: RasterFacts | None, url: Address) -> tuple[tuple[str, str | None], ...]:
    """Return the named styles of a layer: those of one band, where the document's address names no colours.

    `url` makes an address of a path below the API's prefix.
    """
    one = len(style.bidx) == 1 or (not style.bidx and raster is not None and raster.count == 1)
    ends = ends_of(style, raster)
    if style.colormap_name:
        return ((parameters.DEFAULT_STYLE, _legend(style.colormap_name, ends, url)),)
    if not one or style.colormap or style.expression or style.algorithm or style.color_formula:
        return ((parameters.DEFAULT_STYLE, None),)
    return ((parameters.DEFAULT_STYLE, None), *((name, _legend(name, ends, url)) for name in STYLES))


def _legend(name: str, ends: tuple[float, float] | None, url: Address) -> str:
    """Return the URL of a colour map's picture, labelled with its ends where they are known."""
    labels = {"rescale": f"{ends[0]},{ends[1]}"} if ends else {}
    return url(f"/colorMaps/{name}?{urlencode({'f': 'png', 'width': 256, 'height': 20, **labels})}")


def ends_of(style: Style, raster: RasterFacts | None) -> tuple[float, float] | None:
    """Return the values of the first and the last colour of one band, or None where they are not on record."""
    if style.rescale:
        return style.rescale[0]
    if raster is None or style.expression or style.algorithm or style.unscale:
        return None
    if raster.dtype == "uint8":
        return 0, 255
    band = style.bidx[0] if style.bidx else 1
    return raster.stretch[band - 1] if raster.stretch and band <= raster.count else None
