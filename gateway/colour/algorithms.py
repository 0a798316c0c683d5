"""Algorithms over the values of a tile: TiTiler's results."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.colour.algorithm_names import ALGORITHMS, Numbers, Picked
from gateway.errors import BadParameter

# (bands, rows, cols), masked.
Values = np.ma.MaskedArray[Any, np.dtype[Any]]
# The values that a picture spreads from black to white, where the algorithm says.
RANGES: Mapping[str, tuple[float, float]] = {"slope": (0.0, 90.0), "normalizedIndex": (-1.0, 1.0)}
# What three bytes hold.
TERRAIN_STEPS = 256**3


def applied(chosen: Picked, values: Values, pixel: tuple[float, float]) -> Values:
    """Return what the algorithm makes of the values; `pixel` is width and height of one in units of the CRS.

    Raises BadParameter where there are too few bands or pixels.
    """
    work, (_, bands) = WORKS[chosen.name], ALGORITHMS[chosen.name]
    if len(values) < bands:
        raise BadParameter(f"algorithm: {chosen.name} needs {bands} bands.")
    if 2 * chosen.edge >= min(values.shape[1:]) or min(values.shape[1:]) < 2:
        raise BadParameter("algorithm_params: the buffer is larger than the picture.")
    # What is divided by nothing or does not fit a byte is masked or cut, as numpy does without a word.
    with np.errstate(all="ignore"):
        return work(values, dict(chosen.numbers), pixel)


def _cut(data: Any, numbers: Numbers) -> Any:
    edge = int(numbers["buffer"])
    return data[edge : data.shape[0] - edge, edge : data.shape[1] - edge]


def _gradient(values: Values, numbers: Numbers) -> tuple[Any, Any]:
    down, across = np.gradient(np.asarray(values[0].data, np.result_type(values.dtype, np.float32)))
    return down * numbers["z_exaggeration"], across * numbers["z_exaggeration"]


def _edged(data: npt.NDArray[Any], values: Values, numbers: Numbers) -> Values:
    """Return what was made of a gradient; masked where one of its four neighbours is, which it was made of."""
    own = np.ma.getmaskarray(values[0])
    mask = own.copy()
    for near, here in ((np.s_[1:], np.s_[:-1]), (np.s_[:-1], np.s_[1:])):
        mask[here] |= own[near]
        mask[:, here] |= own[:, near]
    return np.ma.MaskedArray(_cut(data, numbers), _cut(mask, numbers))[None]


def _hillshade(values: Values, numbers: Numbers, _: tuple[float, float]) -> Values:
    down, across = _gradient(values, numbers)
    slope = math.pi / 2 - np.arctan(np.hypot(down, across))
    aspect = np.arctan2(-down, across)
    azimuth, altitude = math.radians(360 - numbers["azimuth"]), math.radians(numbers["angle_altitude"])
    shaded = math.sin(altitude) * np.sin(slope) + math.cos(altitude) * np.cos(slope) * np.cos(azimuth - aspect)
    return _edged(np.clip(255 * (shaded + 1) / 2, 0, 255).astype(np.uint8), values, numbers)


def _slope(values: Values, numbers: Numbers, pixel: tuple[float, float]) -> Values:
    down, across = _gradient(values, numbers)
    # The axes as TiTiler has them; they differ only where pixels are no squares.
    steep = np.degrees(np.arctan(np.hypot(down / pixel[0], across / pixel[1])))
    return _edged(steep.astype(np.float32), values, numbers)


def _contours(values: Values, numbers: Numbers, _: tuple[float, float]) -> Values:
    from rio_tiler.colormap import cmap, make_lut  # noqa: PLC0415 - rio-tiler takes long to import

    if len(values) != 1:
        raise BadParameter("algorithm: contours needs one band: choose it with bidx.")
    data = values[0].astype(np.float64)
    low, high = numbers["minz"], numbers["maxz"]
    if low >= high:
        raise BadParameter("algorithm_params: minz must be less than maxz.")
    index = (1 + (np.clip(data.data, low, high) - low) / (high - low) * 254).astype(np.uint8)
    terrain: Any = cmap.get("terrain")
    colours = np.moveaxis(make_lut(terrain)[index][..., :3], -1, 0)
    if numbers["increment"]:
        colours = np.where(data.data % numbers["increment"] < numbers["thickness"], 0, colours)
    return _thrice(colours, values)


def _terrarium(values: Values, numbers: Numbers, _: tuple[float, float]) -> Values:
    data = np.clip(_filled(values, numbers) + 32768.0, 0.0, 65535.0)
    return _thrice(np.stack([data / 256, data % 256, data * 256 % 256]).astype(np.uint8), values, numbers)


def _terrainrgb(values: Values, numbers: Numbers, _: tuple[float, float]) -> Values:
    if not numbers["interval"]:
        raise BadParameter("algorithm_params: interval must be greater than 0.")
    steps = np.around((_filled(values, numbers) - numbers["baseval"]) / numbers["interval"])
    held = steps[~np.ma.getmaskarray(values[0])]
    if held.size and not (held.min() >= 0 and held.max() < TERRAIN_STEPS):
        raise BadParameter("algorithm_params: the heights do not fit the interval and baseval.")
    whole = np.nan_to_num(steps).astype(np.int64)
    return _thrice(np.stack([whole >> 16 & 255, whole >> 8 & 255, whole & 255]).astype(np.uint8), values, numbers)


def _filled(values: Values, numbers: Numbers) -> npt.NDArray[Any]:
    data: npt.NDArray[Any] = values[0].data.astype(np.float64)
    if "nodata_height" in numbers:
        data[np.ma.getmaskarray(values[0])] = numbers["nodata_height"]
    return data


def _thrice(colours: npt.NDArray[Any], values: Values, numbers: Numbers | None = None) -> Values:
    """Return three bands with the mask of the first; none where masked pixels were given a height."""
    mask = np.zeros(values.shape[1:], bool) if "nodata_height" in (numbers or {}) else np.ma.getmaskarray(values[0])
    return np.ma.MaskedArray(colours, np.broadcast_to(mask, colours.shape))


def _index(values: Values, _: Numbers, __: tuple[float, float]) -> Values:
    first, second = values[0].astype(np.float32), values[1].astype(np.float32)
    return np.ma.MaskedArray((second - first) / (second + first), dtype=np.float32)[None]


def _grey(values: Values) -> Values:
    found: Values = values[0] * 299 / 1000 + values[1] * 587 / 1000 + values[2] * 114 / 1000
    return found[None]


def _greyscale(values: Values, _: Numbers, __: tuple[float, float]) -> Values:
    found: Values = np.ma.asarray(_grey(values).astype(values.dtype))
    return found


def _bitonal(values: Values, _: Numbers, __: tuple[float, float]) -> Values:
    if len(values) not in (1, 3):
        raise BadParameter("algorithm: bitonal needs one band or three.")
    grey = _grey(values) if len(values) == 3 else values
    return np.ma.MaskedArray(np.where(grey.data > 127, 255, 0).astype(np.uint8), np.ma.getmaskarray(grey))


def _bytes(rounded: Callable[[Any], Any]) -> Callable[[Values, Numbers, tuple[float, float]], Values]:
    return lambda values, _numbers, _pixel: rounded(values).astype(np.uint8)


def _over_bands(name: str, **options: Any) -> Callable[[Values, Numbers, tuple[float, float]], Values]:
    work = getattr(np.ma, name)
    return lambda values, _numbers, _pixel: work(values, axis=0, keepdims=True, **options)


Work = Callable[[Values, Numbers, tuple[float, float]], Values]
WORKS: Mapping[str, Work] = {
    "hillshade": _hillshade,
    "slope": _slope,
    "contours": _contours,
    "normalizedIndex": _index,
    "terrarium": _terrarium,
    "terrainrgb": _terrainrgb,
    "cast": _bytes(lambda values: values),
    "ceil": _bytes(np.ma.ceil),
    "floor": _bytes(np.ma.floor),
    "min": _over_bands("min"),
    "max": _over_bands("max"),
    "median": _over_bands("median"),
    "mean": _over_bands("mean"),
    "std": _over_bands("std", ddof=1),
    "var": _over_bands("var", ddof=1),
    "sum": _over_bands("sum"),
    "grayscale": _greyscale,
    "bitonal": _bitonal,
}
