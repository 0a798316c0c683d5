"""Where the pixels of a raster lie in its own CRS (projection extension 2.0)."""

from __future__ import annotations

import re
from typing import Any

from gateway.model import RasterFacts

# "EPSG:n", and other authorities that PROJ knows.
CODE = re.compile(r"[A-Za-z0-9_.]+:[A-Za-z0-9_.]+")


def projection(raster: RasterFacts) -> dict[str, Any]:
    """Return the fields of a raster; `proj:shape` is rows, cols."""
    found: dict[str, Any] = {"proj:shape": [raster.height, raster.width]}
    if raster.crs is not None and CODE.fullmatch(raster.crs):
        found["proj:code"] = raster.crs
    else:
        # Null where the CRS is not known, and where a record does not say it in this form.
        found["proj:code"] = None
        if raster.wkt2 is not None:
            found["proj:wkt2"] = raster.wkt2
    if raster.transform is not None:
        found["proj:transform"] = list(raster.transform)
        found["proj:bbox"] = _box(raster)
    return found


def _box(raster: RasterFacts) -> list[float]:
    """Return the least x and y and the greatest ones of the four corners."""
    a, b, c, d, e, f = raster.transform or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    corners = [(column, row) for column in (0, raster.width) for row in (0, raster.height)]
    across = [a * column + b * row + c for column, row in corners]
    along = [d * column + e * row + f for column, row in corners]
    return [min(across), min(along), max(across), max(along)]
