"""What the drawing of tiles needs to know of an open raster, read once per version."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.io import DatasetReader

from gateway.tiles.model import Colormap

# The bands of a picture, where the raster has more.
PICTURE_BANDS = 3


@dataclass(frozen=True)
class View:
    """The facts of an open raster.

    `levels` are (width, height) of the full image and its overviews, from fine to coarse. `alpha` is the band of
    that kind, counted from 1, or None; `bands` are the others. `masked` tells of a mask in the file. `scales` are
    (scale, offset) of each band.
    """

    crs: CRS | None
    transform: Affine
    levels: tuple[tuple[int, int], ...]
    bands: tuple[int, ...]
    alpha: int | None
    masked: bool
    dtype: str
    mixed: bool
    nodata: float | None
    colormap: Colormap | None
    scales: tuple[tuple[float, float], ...]
    placed_by_points: bool

    @property
    def size(self) -> tuple[int, int]:
        """Return width and height of the full image."""
        return self.levels[0]

    @property
    def picture_bands(self) -> tuple[int, ...]:
        """Return the bands that make a picture by default: three, or one where there are fewer."""
        return self.bands[:PICTURE_BANDS] if len(self.bands) >= PICTURE_BANDS else self.bands[:1]

    @property
    def scaled(self) -> bool:
        """Return whether values of some band are stored scaled."""
        return any(scale != (1, 0) for scale in self.scales)

    @property
    def pixel(self) -> tuple[float, float]:
        """Return width and height of one pixel of the full image in units of its CRS."""
        return math.hypot(self.transform.a, self.transform.d), math.hypot(self.transform.b, self.transform.e)

    @cached_property
    def transforms(self) -> tuple[Affine, ...]:
        """Return for each level the transform from its pixels to the CRS."""
        width, height = self.size
        return tuple(self.transform * Affine.scale(width / columns, height / rows) for columns, rows in self.levels)

    @cached_property
    def inverses(self) -> tuple[Affine, ...]:
        """Return for each level the transform from the CRS to its pixels."""
        return tuple(~transform for transform in self.transforms)


def view_of(raster: DatasetReader, levels: tuple[tuple[int, int], ...]) -> View:
    """Return the facts of an open raster whose levels have these sizes."""
    kinds = raster.colorinterp
    alpha = kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None
    bands = tuple(band for band in raster.indexes if kinds[band - 1] is not ColorInterp.alpha)
    return View(
        crs=raster.crs,
        transform=raster.transform,
        levels=levels,
        bands=bands,
        alpha=alpha,
        masked=MaskFlags.per_dataset in raster.mask_flag_enums[0] and alpha is None,
        dtype=str(raster.dtypes[0]),
        mixed=len(set(raster.dtypes)) > 1,
        nodata=raster.nodata,
        colormap=_colormap(raster),
        scales=tuple(zip(raster.scales, raster.offsets, strict=True)),
        placed_by_points=bool(raster.gcps[0]) and raster.transform.is_identity,
    )


def _colormap(raster: DatasetReader) -> Colormap | None:
    if raster.colorinterp[0] is not ColorInterp.palette:
        return None
    colours: dict[int, Any] = raster.colormap(1)
    return tuple((value, colour) for value, colour in sorted(colours.items()))
