"""Tiles as rio-tiler draws and encodes them: the reference, and the way for all that the fast one does not do."""

from __future__ import annotations

import warnings
from typing import Any

import morecantile
import numpy as np
from rasterio.io import DatasetReader
from rio_tiler.colormap import apply_cmap, cmap
from rio_tiler.errors import RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.profiles import img_profiles

from gateway.errors import BadParameter
from gateway.tiles.model import Encoded, Style, TileAddress, TileFormat

DRIVERS = {TileFormat.TIF: "GTiff", TileFormat.NPY: "NPY"}


def render(raster: DatasetReader, address: TileAddress, style: Style, format: TileFormat | None) -> Encoded:
    """Return the tile; raises BadParameter for what rio-tiler cannot make of the dataset."""
    if style.algorithm:
        raise BadParameter("algorithm: there is none of that name.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return encoded(*_image(raster, address, style), style, format)
        except TileOutsideBounds:
            return Encoded(b"", format or TileFormat.PNG, "empty")
        except (RioTilerError, ValueError, LookupError, SyntaxError) as error:
            # Whatever the library says may tell of paths.
            raise BadParameter(
                "This dataset cannot be drawn so: a band, expression or formula does not fit it."
            ) from error


def _image(raster: DatasetReader, address: TileAddress, style: Style) -> tuple[ImageData, Any]:
    """Return the values of the tile, and the colormap to paint them with."""
    with Reader(None, dataset=raster, tms=morecantile.tms.get(address.tms)) as reader:
        image = reader.tile(
            address.x,
            address.y,
            address.z,
            tilesize=address.size,
            indexes=None if style.expression else style.bidx or None,
            expression=style.expression,
            buffer=address.buffer or None,
            nodata=style.nodata,
            unscale=style.unscale,
            resampling_method=style.resampling,
            reproject_method=style.reproject,
        )
        return image, paints(style) or reader.colormap


def paints(style: Style) -> Any:
    """Return the colormap that the style asks for, as rio-tiler takes one, or None; raises BadParameter."""
    if style.colormap_name:
        if style.colormap_name not in cmap.list():
            raise BadParameter("colormap_name: there is none of that name.")
        return cmap.get(style.colormap_name)
    if style.colormap and isinstance(style.colormap[0][0], tuple):
        return list(style.colormap)
    return dict(style.colormap) if style.colormap else None


def encoded(image: ImageData, colormap: Any, style: Style, format: TileFormat | None) -> Encoded:
    """Return an image rescaled, painted and encoded; jpeg, or png where a pixel is masked, for no format."""
    if style.rescale:
        image.rescale(style.rescale)
    if style.color_formula:
        image.apply_color_formula(style.color_formula)
    chosen = format or (TileFormat.JPEG if image.mask.min() > 0 else TileFormat.PNG)
    if chosen in DRIVERS:
        options = {"transform": image.transform, "crs": image.crs} if chosen is TileFormat.TIF else {}
        body = image.render(add_mask=style.return_mask, img_format=DRIVERS[chosen], colormap=None, **options)
        return Encoded(body, chosen, "rio-tiler")
    data, mask = image.data, image.mask
    if colormap and len(data) == 1:
        data, alpha = apply_cmap(data, colormap)
        mask = np.where(mask != mask.min(), alpha, 0) if mask.min() == 0 else alpha
    image = ImageData(np.ma.MaskedArray(data), alpha_mask=mask.astype(data.dtype))
    body = image.render(add_mask=style.return_mask, img_format=chosen.upper(), **img_profiles[chosen.value])
    return Encoded(body, chosen, "rio-tiler")
