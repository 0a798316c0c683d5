"""Query parameters of tiles and pictures: TiTiler's names, meanings and defaults; malformed ones are named."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.colour.algorithm_names import picked
from gateway.colour.expressions import checked
from gateway.colour.model import Style, TileFormat
from gateway.errors import BadParameter
from gateway.ground.address import TileAddress
from gateway.reading.colormap import Colormap, Rgba

# As Tornado gives them: every value of a name, as bytes.
Arguments = Mapping[str, Sequence[bytes]]

RESAMPLING = ("nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode", "gauss", "rms")
REPROJECT = (
    "nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode", "max", "min", "med", "q1", "q3",
    "sum", "rms",
)  # fmt: skip
TRUE, FALSE = {"true", "1", "yes", "on"}, {"false", "0", "no", "off"}
DEFAULT_STYLE = "default"
MAX_BANDS = 512
MAX_TILESIZE = 1024
MAX_SCALE = 4
MAX_BUFFER = 64.0
MAX_SIDE = 2048
# One side of a tile, scale and all.
MAX_TILE_SIDE = 2048
# What names a CRS: an authority and its code. Longer texts may name files.
CRS_NAME = re.compile(r"(EPSG|OGC|ESRI|IAU_2015):[A-Za-z0-9]{1,12}", re.IGNORECASE)
FORMULA = re.compile(r"[A-Za-z0-9., ]{1,200}")
MAX_PERCENTILES, MAX_CATEGORIES, MAX_BINS = 100, 256, 1000
COLORMAP_CHARACTERS = 100_000
HEX_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
# Digits of a colour that has one for each part.
SHORT_HEX = 4


def style_of(arguments: Arguments) -> Style:
    """Return what the parameters say of the pixels. Raises BadParameter that names what cannot be read."""
    colormap_name = text(arguments, "colormap_name")
    # The name of the plain style in WMTS documents, whose templates have the style as a colour map.
    if colormap_name == DEFAULT_STYLE:
        colormap_name = None
    algorithm, algorithm_params = text(arguments, "algorithm"), text(arguments, "algorithm_params")
    if algorithm is not None:
        picked(algorithm, algorithm_params)
    return Style(
        bidx=bands_of(arguments),
        expression=_expression(arguments),
        nodata=number(arguments, "nodata", nan=True),
        unscale=flag(arguments, "unscale", default=False),
        resampling=choice(arguments, "resampling", RESAMPLING) or "nearest",
        reproject=choice(arguments, "reproject", REPROJECT) or "nearest",
        rescale=rescale(arguments),
        color_formula=_matching(arguments, "color_formula", FORMULA),
        colormap=_colormap(arguments),
        colormap_name=colormap_name.lower() if colormap_name else None,
        return_mask=flag(arguments, "return_mask", default=True),
        algorithm=algorithm,
        algorithm_params=algorithm_params,
    )


def address_of(tms: str, place: tuple[str, str, str], scale: str | None, arguments: Arguments) -> TileAddress:
    """Return the address of a tile; `place` are z, x and y as digits. Raises BadParameter."""
    z, x, y = (int(part) for part in place)
    factor = int(scale) if scale else 1
    if not 1 <= factor <= MAX_SCALE:
        raise BadParameter(f"The scale of a tile is from 1 to {MAX_SCALE}.")
    tilesize = integer(arguments, "tilesize", 1, MAX_TILESIZE) or 256
    if tilesize * factor > MAX_TILE_SIDE:
        raise BadParameter(f"The tilesize times the scale is at most {MAX_TILE_SIDE}.")
    buffer = number(arguments, "buffer") or 0.0
    if not 0 <= buffer <= MAX_BUFFER or buffer * 2 % 1:
        raise BadParameter(f"The parameter buffer must be a multiple of 0.5 from 0 to {MAX_BUFFER:g}.")
    return TileAddress(tms, z, x, y, tilesize, factor, buffer)


def format_of(name: str | None, where: str = "format") -> TileFormat | None:
    """Return the format of that name, None for none; raises BadParameter."""
    if name is None:
        return None
    try:
        return TileFormat("jpeg" if name == "jpg" else name)
    except ValueError:
        raise BadParameter(f"The {where} must be one of {', '.join(TileFormat)}.") from None


def text(arguments: Arguments, name: str) -> str | None:
    """Return the last value of a parameter, None where there is none or an empty one."""
    values = arguments.get(name, ())
    try:
        return values[-1].decode() or None if values else None
    except UnicodeDecodeError:
        raise BadParameter(f"The parameter {name} is no UTF-8.") from None


def texts(arguments: Arguments, name: str) -> list[str]:
    """Return every value of a parameter."""
    try:
        return [value.decode() for value in arguments.get(name, ())]
    except UnicodeDecodeError:
        raise BadParameter(f"The parameter {name} is no UTF-8.") from None


def flag(arguments: Arguments, name: str, *, default: bool) -> bool:
    """Return a truth value; raises BadParameter."""
    value = text(arguments, name)
    if value is None:
        return default
    if value.lower() not in TRUE | FALSE:
        raise BadParameter(f"The parameter {name} must be true or false.")
    return value.lower() in TRUE


def number(arguments: Arguments, name: str, *, nan: bool = False) -> float | None:
    """Return a finite number, or NaN where that is wanted; raises BadParameter."""
    value = text(arguments, name)
    if value is None:
        return None
    try:
        found = float(value)
    except ValueError:
        found = math.inf
    if math.isinf(found) or (math.isnan(found) and not nan):
        raise BadParameter(f"The parameter {name} must be a number.")
    return found


def integer(arguments: Arguments, name: str, least: int, most: int) -> int | None:
    """Return a whole number within bounds; raises BadParameter."""
    value = text(arguments, name)
    if value is None:
        return None
    if not (value.isascii() and value.isdigit() and len(value) <= 9 and least <= int(value) <= most):
        raise BadParameter(f"The parameter {name} must be a whole number from {least} to {most}.")
    return int(value)


def choice(arguments: Arguments, name: str, choices: Sequence[str]) -> str | None:
    """Return one of the choices; raises BadParameter."""
    value = text(arguments, name)
    if value is not None and value not in choices:
        raise BadParameter(f"The parameter {name} must be one of {', '.join(choices)}.")
    return value


def crs(arguments: Arguments, name: str) -> str | None:
    """Return the name of a CRS such as EPSG:3857; raises BadParameter. Texts that name files are refused."""
    value = text(arguments, name)
    if value is not None and not CRS_NAME.fullmatch(value):
        raise BadParameter(f"The parameter {name} must be a CRS like EPSG:3857.")
    return value


def statistics_of(arguments: Arguments) -> dict[str, Any]:
    """Return the options of statistics as rio-tiler takes them; raises BadParameter."""
    percentiles = _list(texts(arguments, "p"), "p", MAX_PERCENTILES)
    if not all(0 <= value <= 100 for value in percentiles):
        raise BadParameter("The parameter p must be a percentile from 0 to 100.")
    return {
        "categorical": flag(arguments, "categorical", default=False),
        "categories": _list(texts(arguments, "c"), "c", MAX_CATEGORIES) or None,
        # Names of percentiles have no fraction where there is none.
        "percentiles": [int(value) if value.is_integer() else value for value in percentiles] or [2, 98],
        "hist_options": _histogram(arguments),
    }


def _histogram(arguments: Arguments) -> dict[str, Any]:
    """Return how many bins there are, or their edges; and the range that they are in."""
    edges = (text(arguments, "histogram_bins") or "").split(",")
    found: dict[str, Any] = {}
    if len(edges) == 1:
        found["bins"] = integer(arguments, "histogram_bins", 1, MAX_BINS) or 10
    else:
        found["bins"] = _list(edges, "histogram_bins", MAX_BINS)
        if any(low >= high for low, high in zip(found["bins"], found["bins"][1:], strict=False)):
            raise BadParameter("The parameter histogram_bins must be edges that rise.")
    if (ends := text(arguments, "histogram_range")) is not None:
        found["range"] = tuple(_list(ends.split(","), "histogram_range", 2))
        if len(found["range"]) != 2 or found["range"][0] >= found["range"][1]:
            raise BadParameter("The parameter histogram_range must be low,high.")
    return found


def _list(values: Sequence[str], name: str, most: int) -> list[float]:
    """Return finite numbers; raises BadParameter for others and for too many."""
    try:
        found = [float(value) for value in values]
    except ValueError:
        found = [math.nan]
    if not all(map(math.isfinite, found)) or len(found) > most:
        raise BadParameter(f"The parameter {name} must be numbers, {most} at most.")
    return found


def bands_of(arguments: Arguments) -> tuple[int, ...]:
    """Return the bands, counted from 1."""
    values = texts(arguments, "bidx")
    good = all(value.isascii() and value.isdigit() and 1 <= int(value[:9]) <= MAX_BANDS for value in values)
    if not good or len(values) > MAX_BANDS:
        raise BadParameter("The parameter bidx must be the number of a band.")
    return tuple(int(value) for value in values)


def _expression(arguments: Arguments) -> str | None:
    found = text(arguments, "expression")
    return checked(found) if found is not None else None


def _matching(arguments: Arguments, name: str, form: re.Pattern[str]) -> str | None:
    value = text(arguments, name)
    if value is not None and not form.fullmatch(value):
        raise BadParameter(f"The parameter {name} cannot be read.")
    return value


def rescale(arguments: Arguments) -> tuple[tuple[float, float], ...]:
    """Return (low, high) for each `rescale=low,high`; several pairs may stand in one value."""
    pairs: list[tuple[float, float]] = []
    for value in texts(arguments, "rescale"):
        try:
            numbers = [float(part) for part in value.replace("[", "").replace("]", "").split(",")]
        except ValueError:
            numbers = []
        if not numbers or len(numbers) % 2 or not all(map(math.isfinite, numbers)):
            raise BadParameter("The parameter rescale must be low,high.")
        pairs += zip(numbers[::2], numbers[1::2], strict=True)
    if any(low >= high for low, high in pairs) or len(pairs) > MAX_BANDS:
        raise BadParameter("The parameter rescale must be low,high, the low one first.")
    return tuple(pairs)


def _colormap(arguments: Arguments) -> Colormap | None:
    """Return the colours of `colormap`: {"1": "#ff0000", "2": [255, 0, 0, 255]} or [[[0, 10], [255, 0, 0, 255]]]."""
    value = text(arguments, "colormap")
    if value is None:
        return None
    try:
        if len(value) > COLORMAP_CHARACTERS:
            raise ValueError
        found = json.loads(value)
        items = found.items() if isinstance(found, dict) else found
        colours = tuple((_key(key), _colour(colour)) for key, colour in items)
        if not colours:
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise BadParameter("The parameter colormap cannot be read.") from None
    return colours


def _key(key: Any) -> float | tuple[float, float]:
    if isinstance(key, list):
        low, high = (float(part) for part in key)
        return low, high
    found = float(key)
    return int(found) if found.is_integer() else found


def _colour(colour: Any) -> Rgba:
    if isinstance(colour, str):
        if not HEX_COLOUR.fullmatch(colour):
            raise ValueError
        digits = colour[1:]
        colour = list(bytes.fromhex(digits if len(digits) > SHORT_HEX else "".join(2 * digit for digit in digits)))
    parts = [int(part) for part in colour]
    if len(parts) not in (3, 4) or not all(0 <= part <= 255 for part in parts):
        raise ValueError
    red, green, blue, alpha = [*parts, 255][:4]
    return red, green, blue, alpha
