"""Algorithms over the values of a tile: TiTiler's names, parameters and results."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.errors import BadParameter

# (bands, rows, cols), masked.
Values = np.ma.MaskedArray[Any, np.dtype[Any]]
Numbers = Mapping[str, float]
PARAMS_CHARACTERS = 1000
# The values that a picture spreads from black to white, where the algorithm says.
RANGES: Mapping[str, tuple[float, float]] = {"slope": (0.0, 90.0), "normalizedIndex": (-1.0, 1.0)}
# What three bytes hold.
TERRAIN_STEPS = 256**3


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that an algorithm takes: default (None for none), bounds, and whether it is whole."""

    default: float | None
    least: float
    most: float
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Picked:
    """An algorithm with its parameters; `edge` pixels are cut off each side of what it returns."""

    name: str
    numbers: tuple[tuple[str, float], ...]

    @property
    def edge(self) -> int:
        """Return the pixels that are cut off."""
        return int(dict(self.numbers).get("buffer", 0))


BUFFER = Parameter(3, 0, 99, whole=True)
EXAGGERATION = Parameter(1, 1e-6, 1e6)
HEIGHT = Parameter(None, -99_999, 99_999)


def picked(name: str, params: str | None) -> Picked:
    """Return the algorithm of that name, with the numbers that the JSON object `params` has; raises BadParameter."""
    if name not in ALGORITHMS:
        raise BadParameter(f"The parameter algorithm must be one of {', '.join(ALGORITHMS)}.")
    given: Any = {}
    try:
        if params is not None and len(params) <= PARAMS_CHARACTERS:
            given = json.loads(params)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict) or len(params or "") > PARAMS_CHARACTERS:
        raise BadParameter("The parameter algorithm_params must be a JSON object.")
    found = {key: _number(key, wanted, given.get(key)) for key, wanted in ALGORITHMS[name][1].items()}
    return Picked(name, tuple((key, value) for key, value in found.items() if value is not None))


def _number(key: str, wanted: Parameter, value: object) -> float | None:
    if value is None:
        return wanted.default
    if isinstance(value, int | float) and not isinstance(value, bool) and wanted.least <= value <= wanted.most:
        if not wanted.whole:
            return float(value)
        if value == int(value):
            return int(value)
    kind = "whole number" if wanted.whole else "number"
    raise BadParameter(f"algorithm_params: {key} must be a {kind} from {wanted.least:g} to {wanted.most:g}.")


def applied(chosen: Picked, values: Values, pixel: tuple[float, float]) -> Values:
    """Return what the algorithm makes of the values; `pixel` is width and height of one in units of the CRS.

    Raises BadParameter where there are too few bands or pixels.
    """
    work, _, bands = ALGORITHMS[chosen.name]
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
# Each has its work, its parameters, and the bands that it needs.
ALGORITHMS: Mapping[str, tuple[Work, Mapping[str, Parameter], int]] = {
    "hillshade": (
        _hillshade,
        {
            "azimuth": Parameter(45, 0, 360, whole=True),
            "angle_altitude": Parameter(45, -90, 90),
            "buffer": BUFFER,
            "z_exaggeration": EXAGGERATION,
        },
        1,
    ),
    "slope": (_slope, {"buffer": BUFFER, "z_exaggeration": EXAGGERATION}, 1),
    "contours": (
        _contours,
        {
            "increment": Parameter(35, 0, 999, whole=True),
            "thickness": Parameter(1, 0, 10, whole=True),
            "minz": Parameter(-12_000, -99_999, 99_999, whole=True),
            "maxz": Parameter(8_000, -99_999, 99_999, whole=True),
        },
        1,
    ),
    "normalizedIndex": (_index, {}, 2),
    "terrarium": (_terrarium, {"nodata_height": HEIGHT}, 1),
    "terrainrgb": (
        _terrainrgb,
        {"interval": Parameter(0.1, 0, 1), "baseval": Parameter(-10_000, -99_999, 99_999), "nodata_height": HEIGHT},
        1,
    ),
    "cast": (_bytes(lambda values: values), {}, 1),
    "ceil": (_bytes(np.ma.ceil), {}, 1),
    "floor": (_bytes(np.ma.floor), {}, 1),
    "min": (_over_bands("min"), {}, 1),
    "max": (_over_bands("max"), {}, 1),
    "median": (_over_bands("median"), {}, 1),
    "mean": (_over_bands("mean"), {}, 1),
    "std": (_over_bands("std", ddof=1), {}, 2),
    "var": (_over_bands("var", ddof=1), {}, 2),
    "sum": (_over_bands("sum"), {}, 1),
    "grayscale": (_greyscale, {}, 3),
    "bitonal": (_bitonal, {}, 1),
}
