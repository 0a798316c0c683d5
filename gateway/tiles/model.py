"""The values that a tile is made from and comes as: frozen, hashable, and free of any outside library."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.ground.bounds import GeographicBounds

Rgba = tuple[int, int, int, int]
# Each colour stands for one value, or for all values from the first of a pair up to but not including the second.
Colormap = tuple[tuple[float | tuple[float, float], Rgba], ...]


class TileFormat(StrEnum):
    """A format of tiles, as it stands in the URL; there `jpg` is another name of jpeg."""

    PNG = "png"
    JPEG = "jpeg"
    WEBP = "webp"
    TIF = "tif"
    NPY = "npy"

    @property
    def carries_values(self) -> bool:
        """Return whether what is in the format are the values of the file, and no picture of them."""
        return self in (TileFormat.TIF, TileFormat.NPY)


MEDIA_TYPES: Mapping[TileFormat, str] = MappingProxyType(
    {
        TileFormat.PNG: "image/png",
        TileFormat.JPEG: "image/jpeg",
        TileFormat.WEBP: "image/webp",
        TileFormat.TIF: "image/tiff; application=geotiff",
        TileFormat.NPY: "application/x-binary",
    }
)


@dataclass(frozen=True, slots=True)
class Style:
    """Everything that changes the pixels of a tile; the defaults are TiTiler's.

    `bidx` are bands counted from 1, none for the default ones. `rescale` has one (low, high) for all bands or one
    for each. `resampling` is used where the raster lies in the CRS of the tiles, `reproject` where it is warped; both
    are GDAL's names in lower case. `nodata` replaces the value of the file and may be NaN.
    """

    bidx: tuple[int, ...] = ()
    expression: str | None = None
    nodata: float | None = None
    unscale: bool = False
    resampling: str = "nearest"
    reproject: str = "nearest"
    rescale: tuple[tuple[float, float], ...] = ()
    color_formula: str | None = None
    colormap: Colormap | None = None
    colormap_name: str | None = None
    return_mask: bool = True
    algorithm: str | None = None
    algorithm_params: str | None = None


@dataclass(frozen=True, slots=True)
class TileAddress:
    """One tile: the id of its tile matrix set, its place there, and how it is drawn.

    `tilesize` and `buffer` are in pixels at scale 1; the image has (tilesize * scale + 2 * buffer) pixels a side.
    """

    tms: str
    z: int
    x: int
    y: int
    tilesize: int = 256
    scale: int = 1
    buffer: float = 0

    @property
    def size(self) -> int:
        """Return the pixels of one side, without the buffer."""
        return self.tilesize * self.scale

    @property
    def pixels(self) -> int:
        """Return how many pixels the image has, with the buffer."""
        return math.ceil((self.tilesize + 2 * self.buffer) * self.scale) ** 2


@dataclass(frozen=True, slots=True)
class Encoded:
    """The body of an answer. `way` tells how it was made: passthrough, hot, rio-tiler or empty."""

    body: bytes
    format: TileFormat
    way: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """The default rescale of a dataset, one (low, high) for each of its bands."""

    bands: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class OnMap:
    """Where a dataset lies: bounds in degrees, and the zoom levels of one tile matrix set that fit it.

    `grid_zooms` are all levels of that tile matrix set.
    """

    bounds: GeographicBounds
    minzoom: int
    maxzoom: int
    grid_zooms: tuple[int, int]


# What GetFeatureInfo answers in.
INFO_FORMATS = ("application/json", "text/plain", "text/html", "application/geo+json")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a WMTS document.

    `bounds` are west, south, east, north in degrees, west <= east; `tiles` and `values` the templates of its tiles
    and of what GetFeatureInfo answers; `styles` its named styles, the first one being the default, each with the URL
    of a legend or None.
    """

    identifier: str
    title: str
    bounds: tuple[float, float, float, float]
    tiles: str
    values: str
    styles: tuple[tuple[str, str | None], ...]
