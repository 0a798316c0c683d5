"""What the drawing of tiles needs to know of an open raster, read once per version."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from affine import Affine
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from gateway.cog.raster import digest_of_colours
from gateway.errors import NoPlace
from gateway.ground.georeference import Georeference, georeference
from gateway.reading.colormap import Colormap

# The bands of a picture, where the raster has more.
PICTURE_BANDS = 3


@dataclass(frozen=True)
class View:
    """The facts of an open raster.

    `place` is how it is placed, None where it has no place on a map. `levels` are (width, height) of the full image
    and its overviews, from fine to coarse. `alpha` is the band of that kind, counted from 1, or None; `bands` are the
    others. `masked` tells of a mask in the file. `scales` are (scale, offset) of each band.
    """

    place: Georeference | None
    levels: tuple[tuple[int, int], ...]
    bands: tuple[int, ...]
    alpha: int | None
    masked: bool
    dtype: str
    mixed: bool
    nodata: float | None
    colormap: Colormap | None
    scales: tuple[tuple[float, float], ...]
    descriptions: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the full image."""
        return self.levels[0]

    @property
    def numbers(self) -> np.dtype[Any]:
        """Return the type of the values as they are read."""
        # numpy does not know every type by GDAL's name: complex_int16.
        return np.dtype("complex64" if self.dtype == "complex_int16" else self.dtype)

    @property
    def picture_bands(self) -> tuple[int, ...]:
        """Return the bands that make a picture by default: three, or one where there are fewer."""
        return self.bands[:PICTURE_BANDS] if len(self.bands) >= PICTURE_BANDS else self.bands[:1]

    @property
    def scaled(self) -> bool:
        """Return whether values of some band are stored scaled."""
        return any(scale != (1, 0) for scale in self.scales)

    @property
    def crs(self) -> str | None:
        """Return the CRS as WKT, None where it has no place on a map."""
        return self.place.crs if self.place else None

    @property
    def placed(self) -> Georeference:
        """Return how the raster is placed; raises NoPlace."""
        if self.place is None:
            raise NoPlace
        return self.place

    @cached_property
    def colours(self) -> str | None:
        """Return a digest of the colours of its own, as `RasterFacts` has it."""
        return None if self.colormap is None else digest_of_colours(self.colormap)

    @cached_property
    def transforms(self) -> tuple[Affine, ...]:
        """Return for each level the transform from its pixels to the CRS; raises NoPlace."""
        (width, height), full = self.size, self.placed.transform
        return tuple(full * Affine.scale(width / columns, height / rows) for columns, rows in self.levels)


def view_of(raster: DatasetReader, levels: tuple[tuple[int, int], ...]) -> View:
    """Return the facts of an open raster whose levels have these sizes."""
    kinds = raster.colorinterp
    alpha = kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None
    bands = tuple(band for band in raster.indexes if kinds[band - 1] is not ColorInterp.alpha)
    return View(
        place=_place(raster),
        levels=levels,
        bands=bands,
        alpha=alpha,
        masked=MaskFlags.per_dataset in raster.mask_flag_enums[0] and alpha is None,
        dtype=str(raster.dtypes[0]),
        mixed=len(set(raster.dtypes)) > 1,
        nodata=raster.nodata,
        colormap=_colormap(raster),
        scales=tuple(zip(raster.scales, raster.offsets, strict=True)),
        descriptions=tuple(raster.descriptions[band - 1] or f"b{band}" for band in raster.indexes),
    )


def _place(raster: DatasetReader) -> Georeference | None:
    try:
        return georeference(raster)
    except NoPlace:
        return None


def _colormap(raster: DatasetReader) -> Colormap | None:
    if raster.colorinterp[0] is not ColorInterp.palette:
        return None
    colours: dict[int, Any] = raster.colormap(1)
    return tuple((value, colour) for value, colour in sorted(colours.items()))
