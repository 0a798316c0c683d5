"""How data of more than eight bits becomes visible without being told: from its 2nd to its 98th percentile."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.tiles.handles import Handle
from gateway.tiles.model import Stretch
from gateway.tiles.view import View

PERCENTILES = (2, 98)
# The longest side of what is looked at.
SAMPLE_PIXELS = 1024


def stretch_of(handle: Handle) -> Stretch | None:
    """Return one (low, high) for each band, or None for bytes and for what has no order."""
    view = handle.view
    if view.dtype == "uint8" or view.dtype.startswith("complex"):
        return None
    level, shape = _sample(view)
    with handle.lock:
        raster = handle.level(level)
        pixels = raster.read(masked=True, out_shape=(raster.count, *shape))
    return Stretch(tuple(_range(band) for band in pixels))


def _sample(view: View) -> tuple[int, tuple[int, int]]:
    """Return the finest level that is small enough, or the coarsest; and rows and columns to read of it."""
    small = [level for level, size in enumerate(view.levels) if max(size) <= SAMPLE_PIXELS]
    level = small[0] if small else len(view.levels) - 1
    columns, rows = view.levels[level]
    factor = max(1, max(columns, rows) / SAMPLE_PIXELS)
    return level, (max(1, round(rows / factor)), max(1, round(columns / factor)))


def _range(band: npt.NDArray[Any]) -> tuple[float, float]:
    """Return the percentiles of the valid pixels of a masked band; never an empty range."""
    valid = np.ma.compressed(band)
    valid = valid[np.isfinite(valid)]
    if not len(valid):
        return 0.0, 1.0
    low, high = (float(value) for value in np.percentile(valid, PERCENTILES))
    return (low, high) if low < high else (low, math.nextafter(low, math.inf) + 1)
