"""What pictures are made by and come as: frozen, hashable, and free of any outside library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from gateway.reading.colormap import Colormap


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


class PixelSelection(StrEnum):
    """Which value a pixel has where several rasters have one: the selections of `rio_tiler.mosaic`, by its names.

    LASTBANDLOW and LASTBANDHIGH take all bands of the raster whose last band is the least or the greatest, without
    that band; COUNT is how many rasters have a value.
    """

    FIRST = "first"
    HIGHEST = "highest"
    LOWEST = "lowest"
    MEAN = "mean"
    MEDIAN = "median"
    STDEV = "stdev"
    LASTBANDLOW = "lastbandlow"
    LASTBANDHIGH = "lastbandhigh"
    COUNT = "count"


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
class LayerStyle:
    """How several datasets become one picture; `stretch` is the default rescale of all of them, None for bytes.

    It is that of the whole layer, so that neighbouring tiles agree; with `unscale` it is of the scaled values.
    """

    style: Style
    format: TileFormat | None = None
    selection: PixelSelection = PixelSelection.FIRST
    stretch: Stretch | None = None
