"""Which algorithms there are, and what they may be told: TiTiler's names and parameters, judged before any work."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway.errors import BadParameter

Numbers = Mapping[str, float]
PARAMS_CHARACTERS = 1000


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
    found = {key: _number(key, wanted, given.get(key)) for key, wanted in ALGORITHMS[name][0].items()}
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


# Each has its parameters, and the bands that it needs.
ALGORITHMS: Mapping[str, tuple[Mapping[str, Parameter], int]] = {
    "hillshade": (
        {
            "azimuth": Parameter(45, 0, 360, whole=True),
            "angle_altitude": Parameter(45, -90, 90),
            "buffer": BUFFER,
            "z_exaggeration": EXAGGERATION,
        },
        1,
    ),
    "slope": ({"buffer": BUFFER, "z_exaggeration": EXAGGERATION}, 1),
    "contours": (
        {
            "increment": Parameter(35, 0, 999, whole=True),
            "thickness": Parameter(1, 0, 10, whole=True),
            "minz": Parameter(-12_000, -99_999, 99_999, whole=True),
            "maxz": Parameter(8_000, -99_999, 99_999, whole=True),
        },
        1,
    ),
    "normalizedIndex": ({}, 2),
    "terrarium": ({"nodata_height": HEIGHT}, 1),
    "terrainrgb": (
        {"interval": Parameter(0.1, 0, 1), "baseval": Parameter(-10_000, -99_999, 99_999), "nodata_height": HEIGHT},
        1,
    ),
    "cast": ({}, 1),
    "ceil": ({}, 1),
    "floor": ({}, 1),
    "min": ({}, 1),
    "max": ({}, 1),
    "median": ({}, 1),
    "mean": ({}, 1),
    "std": ({}, 1),
    "var": ({}, 1),
    "sum": ({}, 1),
    "grayscale": ({}, 3),
    "bitonal": ({}, 1),
}
