"""From values to colours: which bands, which range of values, which colormap; and the picture in its format."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gateway.errors import BadParameter
from gateway.tiles.encode import Bytes, encode, palette_png
from gateway.tiles.mapping import NotApplicable
from gateway.tiles.model import Colormap, Encoded, Stretch, Style, TileFormat
from gateway.tiles.view import View
from gateway.tiles.warp import Drawn

PICTURES = (TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP)
BYTE = 256
# So few values that all are worked out at once.
TABLED = ("uint8", "uint16")


@dataclass(frozen=True)
class Paint:
    """How values become a picture: `rescale` has one (low, high) for each band or none, `colours` are (256, 4)."""

    bands: tuple[int, ...]
    rescale: tuple[tuple[float, float], ...]
    colours: Bytes | None
    return_mask: bool


def resolved(style: Style, view: View, format: TileFormat | None, stretch: Callable[[], Stretch | None]) -> Style:
    """Return the style with what is left to the dataset filled in: bands and range of values of a picture.

    Raw formats, expressions and algorithms get the values as they are. Raises BadParameter for a band that the
    dataset has not, and for a categorical colormap on values that are no categories.
    """
    _check(style, view)
    if format not in (None, *PICTURES) or style.expression or style.algorithm:
        return style
    style = replace(style, bidx=style.bidx or view.picture_bands)
    if style.rescale or not _needs_range(style, view):
        return style
    found = stretch()
    if found is None:
        return style
    ranges = [found.bands[band - 1] for band in style.bidx]
    if style.unscale:
        pairs = zip(ranges, (view.scales[band - 1] for band in style.bidx), strict=True)
        ranges = [(low * scale + offset, high * scale + offset) for (low, high), (scale, offset) in pairs]
    return replace(style, rescale=tuple(ranges))


def _check(style: Style, view: View) -> None:
    count = len(view.bands) + (view.alpha is not None)
    if any(not 1 <= band <= count for band in style.bidx):
        raise BadParameter(f"bidx: this dataset has the bands 1 to {count}.")
    plain = not (style.rescale or style.expression or style.algorithm)
    if style.colormap and plain and view.dtype.startswith("float") and _categorical(style.colormap):
        raise BadParameter("colormap: the values are no categories. Give intervals, or a rescale and 256 colours.")


def _needs_range(style: Style, view: View) -> bool:
    """Return whether values have to be brought into a byte first; not where a colormap takes them as they are."""
    if view.dtype == "uint8":
        return False
    return style.colormap is None or _is_ramp(style.colormap)


def _is_ramp(colormap: Colormap) -> bool:
    """Return whether a colormap has one colour for every byte."""
    return len(colormap) == BYTE and {value for value, _ in colormap} == set(range(BYTE))


def _categorical(colormap: Colormap) -> bool:
    return not _is_ramp(colormap) and not isinstance(colormap[0][0], tuple)


def paint_of(style: Style, view: View, named: Callable[[str], Colormap]) -> Paint:
    """Return how to paint by a resolved style; `named` gives a colormap by its name.

    Raises NotApplicable for what only the slow way paints, BadParameter for a colormap on several bands.
    """
    if style.expression or style.algorithm or style.color_formula or (style.unscale and view.scaled):
        raise NotApplicable("the style")
    colormap = named(style.colormap_name) if style.colormap_name else style.colormap
    if colormap and len(style.bidx) > 1:
        raise BadParameter("colormap: give one band with bidx.")
    if colormap is None and view.colormap and len(style.bidx) == 1:
        colormap = view.colormap
    if len(style.bidx) not in (1, 3) or view.alpha in style.bidx:
        raise NotApplicable("the number of bands")
    if view.dtype != "uint8" and not style.rescale:
        raise NotApplicable("values that are no bytes")
    if len(style.rescale) not in (0, 1, len(style.bidx)):
        raise NotApplicable("the number of ranges")
    return Paint(style.bidx, style.rescale, None if colormap is None else _table(colormap), style.return_mask)


@lru_cache(maxsize=64)
def _table(colormap: Colormap) -> Bytes:
    """Return the colour of each byte as (256, 4); what the colormap has no colour for is transparent."""
    table = np.zeros((BYTE, 4), np.uint8)
    values = np.arange(BYTE)
    for key, colour in colormap:
        table[(values >= key[0]) & (values < key[1]) if isinstance(key, tuple) else values == key] = colour
    table.flags.writeable = False
    return table


def picture(drawn: Drawn, paint: Paint, format: TileFormat | None) -> Encoded:
    """Return the picture; without a format JPEG, or PNG where a pixel is transparent."""
    pixels = _bytes(drawn, paint.rescale)
    if paint.colours is not None:
        return _coloured(pixels[0], drawn.mask, paint.colours, paint, format)
    chosen = format or _by_mask(drawn.mask)
    return Encoded(encode(chosen, pixels, drawn.mask if paint.return_mask else None), chosen, "hot")


def _by_mask(mask: Bytes | None) -> TileFormat:
    return TileFormat.JPEG if mask is None or mask.min() > 0 else TileFormat.PNG


def _coloured(indices: Bytes, mask: Bytes | None, colours: Bytes, paint: Paint, format: TileFormat | None) -> Encoded:
    alpha = colours[:, 3][indices]
    if mask is not None:
        alpha = np.where(mask > 0, alpha, np.uint8(0))
    chosen = format or _by_mask(alpha)
    if not paint.return_mask:
        colours = colours.copy()
        colours[:, 3], mask = 255, None
    body = palette_png(indices, colours, mask) if chosen is TileFormat.PNG else None
    if body is None:
        pixels = np.ascontiguousarray(colours[indices][..., :3].transpose(2, 0, 1))
        opaque = not paint.return_mask or bool(alpha.min() == 255)
        body = encode(chosen, pixels, None if opaque else alpha)
    return Encoded(body, chosen, "hot")


def _bytes(drawn: Drawn, rescale: tuple[tuple[float, float], ...]) -> Bytes:
    """Return the values as bytes: each range becomes 0 to 255, what is masked 0 (as rio-tiler does it)."""
    if not rescale:
        return drawn.pixels
    ranges = rescale * len(drawn.pixels) if len(rescale) == 1 else rescale
    if drawn.pixels.dtype.name in TABLED:
        tables = [_byte_of(drawn.pixels.dtype.name, *limits) for limits in ranges]
        pixels = _looked_up(drawn.pixels, tables)
    else:
        pixels = np.stack([_rescaled(band, *limits) for band, limits in zip(drawn.pixels, ranges, strict=True)])
    if drawn.mask is not None:
        pixels[:, drawn.mask == 0] = 0
    return pixels


def _looked_up(pixels: npt.NDArray[Any], tables: list[Bytes]) -> Bytes:
    """Return for each value what the table of its band has; the order in memory stays as it is."""
    if pixels.dtype == np.uint8 and pixels.transpose(1, 2, 0).flags.c_contiguous:
        samples: Bytes = np.asarray(cv2.LUT(pixels.transpose(1, 2, 0), np.stack(tables, axis=-1)[None]), np.uint8)
        return samples.reshape(*pixels.shape[1:], len(tables)).transpose(2, 0, 1)
    return np.stack([table.take(band) for band, table in zip(pixels, tables, strict=True)])


@lru_cache(maxsize=64)
def _byte_of(dtype: str, low: float, high: float) -> Bytes:
    """Return the byte that each value of an unsigned type becomes."""
    table = _rescaled(np.arange(np.iinfo(dtype).max + 1, dtype=dtype), low, high)
    table.flags.writeable = False
    return table


def _rescaled(band: npt.NDArray[Any], low: float, high: float) -> Bytes:
    values = np.clip(band, low, high, dtype=np.float64)
    # The ends of what a float holds lie further apart than it can tell.
    with np.errstate(over="ignore", invalid="ignore"):
        values -= low
        # In this order, and cut off and not rounded: so does rio-tiler.
        values /= high - low if high > low else math.inf
    values *= 255
    np.nan_to_num(values, copy=False)
    scaled: Bytes = values.astype(np.uint8)
    return scaled
