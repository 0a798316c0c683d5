"""From values to colours: which bands, which range of values, which colormap; and the picture in its format.

One painter for all pixels, however they were drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from gateway.colour.algorithms import RANGES
from gateway.colour.encode import Bytes, encode, palette_png
from gateway.colour.model import Encoded, Stretch, Style, TileFormat
from gateway.errors import BadParameter, CannotBeDrawn
from gateway.reading.colormap import Colormap
from gateway.reading.foreign import Blamed
from gateway.reading.source import Drawn
from gateway.reading.view import View

PICTURES = (TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP)
BYTE = 256
RGBA = 4
# So few values that all are worked out at once.
TABLED = ("uint8", "uint16")
Ranges = tuple[tuple[float, float], ...]


def resolved(style: Style, view: View, format: TileFormat | None, stretch: Callable[[], Stretch | None]) -> Style:
    """Return the style with what is left to the dataset filled in: bands and range of values of what has colours.

    Raw formats without a colormap, expressions and algorithms get the values as they are. Raises BadParameter for a
    band that the dataset has not, and for a categorical colormap on values that are no categories.
    """
    _check(style, view)
    coloured = format in (None, *PICTURES) or style.colormap or style.colormap_name
    if not coloured or style.expression or style.algorithm:
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
        ranges = [_sorted(low * scale + offset, high * scale + offset) for (low, high), (scale, offset) in pairs]
    return replace(style, rescale=tuple(ranges))


def _sorted(first: float, second: float) -> tuple[float, float]:
    """Return a range the low end first: a negative scale turns it round."""
    return min(first, second), max(first, second)


def check_bands(style: Style, view: View) -> None:
    """Return when the dataset has the bands that a style names; raises BadParameter."""
    count = len(view.descriptions)
    if any(not 1 <= band <= count for band in style.bidx):
        raise BadParameter(f"bidx: this dataset has the bands 1 to {count}.")


def _check(style: Style, view: View) -> None:
    check_bands(style, view)
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


@lru_cache(maxsize=64)
def _table(colormap: Colormap) -> Bytes:
    """Return the colour of each byte as (256, 4); what the colormap has no colour for is transparent."""
    table = np.zeros((BYTE, 4), np.uint8)
    values = np.arange(BYTE)
    for key, colour in colormap:
        table[(values >= key[0]) & (values < key[1]) if isinstance(key, tuple) else values == key] = colour
    table.flags.writeable = False
    return table


def picture(drawn: Drawn, style: Style, own: Colormap | None, format: TileFormat | None, way: str = "hot") -> Encoded:
    """Return the picture by a resolved style; without a format JPEG, or PNG where a pixel is transparent.

    `own` is the colormap of the dataset. Raises BadParameter for what the style or the format cannot show, and
    CannotBeDrawn for complex values.
    """
    if drawn.pixels.dtype.kind == "c":
        raise CannotBeDrawn("The values are complex numbers: ask for a part of them, as real(b1).")
    ranges = style.rescale or _known_ranges(style)
    pixels = _bytes(drawn, ranges) if ranges else drawn.pixels
    if style.color_formula:
        pixels, way = _by_formula(pixels, style.color_formula), "rio-tiler"
    colormap = _colormap(style)
    if colormap and len(pixels) > 1:
        raise BadParameter("colormap: give one band with bidx.")
    colormap = colormap or (own if len(pixels) == 1 else None)
    if colormap:
        if pixels.dtype == np.uint8:
            return _coloured(pixels[0], drawn.mask, _table(colormap), style, format, way)
        return _coloured_values(pixels[0], drawn.mask, colormap, style, format)
    if pixels.dtype != np.uint8:
        pixels = _whole_range(drawn)
    chosen = format or _by_mask(drawn.mask)
    with_alpha = style.return_mask and chosen is not TileFormat.JPEG
    _check_bands(chosen, len(pixels), with_alpha and drawn.mask is not None)
    return Encoded(encode(chosen, pixels, drawn.mask if with_alpha else None), chosen, way)


def asked(drawn: Drawn, style: Style) -> Drawn:
    """Return values by what a style itself asks for: range, formula and colours, three bands and a mask with these.

    Nothing is done that only pictures need. Raises what `picture` raises.
    """
    colormap = _colormap(style)
    if not (style.rescale or style.color_formula or colormap):
        return drawn
    if drawn.pixels.dtype.kind == "c":
        raise CannotBeDrawn("The values are complex numbers: ask for a part of them, as real(b1).")
    pixels = _bytes(drawn, style.rescale) if style.rescale else drawn.pixels
    if style.color_formula:
        pixels = _by_formula(pixels, style.color_formula)
    if not colormap:
        return Drawn(pixels, drawn.mask)
    if len(pixels) > 1:
        raise BadParameter("colormap: give one band with bidx.")
    return Drawn(*_coloured_by(pixels[0], drawn.mask, colormap))


def _known_ranges(style: Style) -> Ranges:
    """Return the range of values that an algorithm is known to have."""
    known = RANGES.get(style.algorithm or "")
    return (known,) if known else ()


def _by_formula(pixels: npt.NDArray[Any], formula: str) -> Bytes:
    from rio_tiler.models import ImageData  # noqa: PLC0415 - rio-tiler takes long to import

    with Blamed(BadParameter("color_formula: it cannot be applied to these bands.")):
        image = ImageData(np.ma.MaskedArray(pixels.copy())).apply_color_formula(formula)
    found: Bytes = np.ascontiguousarray(image.array.data)
    return found


def _colormap(style: Style) -> Colormap | None:
    return named_colormap(style.colormap_name) if style.colormap_name else style.colormap


@lru_cache(maxsize=256)
def named_colormap(name: str) -> Colormap:
    """Return the colours of a map of rio-tiler; raises BadParameter for a name that it has not."""
    from rio_tiler.colormap import cmap  # noqa: PLC0415 - rio-tiler takes long to import

    if name not in cmap.list():
        from gateway.colour.legends import hint  # noqa: PLC0415

        raise BadParameter(f"colormap_name: there is none of that name{hint(name)}")
    colours: Any = cmap.get(name)
    return tuple(colours.items() if isinstance(colours, dict) else colours)


def _whole_range(drawn: Drawn) -> Bytes:
    """Return values of many bits as bytes, the whole of their type spread over them, as TiTiler does it."""
    dtype = drawn.pixels.dtype
    limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return _bytes(drawn, ((float(limits.min), float(limits.max)),))


def _check_bands(format: TileFormat, count: int, with_alpha: bool) -> None:
    if count in (1, 3):
        return
    if format is TileFormat.JPEG or count + with_alpha > RGBA or (format is TileFormat.WEBP and count != RGBA):
        raise BadParameter("bidx: a picture shows one band or three.")


def _by_mask(mask: Bytes | None) -> TileFormat:
    return TileFormat.JPEG if mask is None or mask.min() > 0 else TileFormat.PNG


def _coloured(
    indices: Bytes, mask: Bytes | None, colours: Bytes, style: Style, format: TileFormat | None, way: str
) -> Encoded:
    alpha = colours[:, 3][indices]
    if mask is not None:
        alpha = np.where(mask > 0, alpha, np.uint8(0))
    chosen = format or _by_mask(alpha)
    if not style.return_mask:
        colours = colours.copy()
        colours[:, 3], mask = 255, None
    body = palette_png(indices, colours, mask) if chosen is TileFormat.PNG else None
    if body is None:
        pixels = np.ascontiguousarray(colours[indices][..., :3].transpose(2, 0, 1))
        opaque = not style.return_mask or bool(alpha.min() == 255)
        body = encode(chosen, pixels, None if opaque else alpha)
    return Encoded(body, chosen, way)


def _coloured_values(
    values: npt.NDArray[Any], mask: Bytes | None, colormap: Colormap, style: Style, format: TileFormat | None
) -> Encoded:
    """Return values of many bits in the colours that stand for them, what has none transparent."""
    pixels, alpha = _coloured_by(values, mask, colormap)
    chosen = format or _by_mask(alpha)
    opaque = not style.return_mask or bool(alpha.min() == 255)
    return Encoded(encode(chosen, pixels, None if opaque else alpha), chosen, "rio-tiler")


def _coloured_by(values: npt.NDArray[Any], mask: Bytes | None, colormap: Colormap) -> tuple[Bytes, Bytes]:
    """Return the colours of values, (3, rows, cols), and their alpha, (rows, cols): 0 for values without one."""
    from rio_tiler.colormap import apply_cmap  # noqa: PLC0415 - rio-tiler takes long to import

    intervals = isinstance(colormap[0][0], tuple)
    pixels, alpha = apply_cmap(values[None], list(colormap) if intervals else dict(colormap))  # type: ignore[arg-type]
    if mask is not None:
        alpha = np.where(mask > 0, alpha, np.uint8(0))
    return np.ascontiguousarray(pixels), np.ascontiguousarray(alpha)


def _bytes(drawn: Drawn, rescale: tuple[tuple[float, float], ...]) -> Bytes:
    """Return the values as bytes: each range becomes 0 to 255, what is masked 0 (as rio-tiler does it)."""
    # As rio-tiler: the first is for all where there is not one for each.
    ranges = rescale if len(rescale) == len(drawn.pixels) else rescale[:1] * len(drawn.pixels)
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
        # One range for all bands is one table, which is faster.
        same = all(table is tables[0] for table in tables)
        table = tables[0] if same else np.stack(tables, axis=-1)[None]
        samples: Bytes = np.asarray(cv2.LUT(pixels.transpose(1, 2, 0), table), np.uint8)
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
