"""Statistics of the pixels of polygons, each pixel by the part of it that is covered.

The raster is read in its full resolution, a window after the other, unless a smaller size is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gateway.cog.parts import PartTooLarge
from gateway.colour.expressions import parts
from gateway.colour.model import Style
from gateway.colour.values import Ground as Nowhere
from gateway.colour.values import image_of
from gateway.errors import BadParameter, CannotBeDrawn
from gateway.ground.systems import Floats
from gateway.reading.foreign import Blamed
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn
from gateway.reading.view import View
from gateway.tiles.drawing import bands_read, check_nodata
from gateway.tiles.facts import MAX_BANDS, plain
from gateway.tiles.pictures import Size
from gateway.tiles.weighing import Pixels, Weighed, described, weighed
from gateway.tiles.zones import Geometry, Ground, Systems, ground_of_polygon, windows_of, zone_of

# Numbers in one answer: of all features, of all bands, of histograms and percentiles.
MOST_NUMBERS = 1 << 18
# What is told of a band beside its histogram and percentiles.
TOLD = 14
# Bytes of a value of an expression, and of one that is scaled.
WORKED_OUT, SCALED = 8, 4


def zonal_statistics(
    handle: Handle,
    geometries: Sequence[Geometry],
    systems: Systems,
    how: tuple[Style, Size],
    most_bytes: int,
    options: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """Return for each geometry the statistics of each band by its name; `options` are rio-tiler's.

    `systems` are coord_crs and dst_crs, which is the raster's own where it is None. Raises NoPlace, PartTooLarge for
    more than `most_bytes` of decoded values under all geometries, BadParameter for geometries, bands and answers that
    are none or too much, CannotBeDrawn for values that have no order.
    """
    style, size = how
    check(handle.view, style, len(geometries), options)
    grounds = [ground_of_polygon(handle, geometry, systems, size) for geometry in geometries]
    needed = sum(ground.size[0] * ground.size[1] for ground in grounds) * bytes_of_pixel(handle.view, style)
    if needed > most_bytes:
        raise PartTooLarge(needed, most_bytes, "Ask for less ground, fewer bands, or a max_size.")
    return [plain(_of_ground(handle, ground, style, options)) for ground in grounds]


def check(view: View, style: Style, geometries: int, options: Mapping[str, Any]) -> None:
    """Return when such statistics can be told; raises BadParameter and CannotBeDrawn."""
    check_nodata(view, style)
    if style.algorithm is not None:
        raise BadParameter("algorithm: statistics of geometries are of values, and of expressions of them.")
    if view.numbers.kind == "c" and not style.expression:
        raise CannotBeDrawn("The values are complex numbers, which have no order.")
    bands = max(len(bands_read(style, view)), len(parts(style.expression or "")))
    if bands > MAX_BANDS:
        raise BadParameter(f"bidx: statistics of {bands} bands; the limit is {MAX_BANDS} at once.")
    bins = options["hist_options"]["bins"]
    listed = (
        len(options["categories"] or ()) if options["categorical"] else bins if isinstance(bins, int) else len(bins)
    )
    numbers = geometries * bands * (TOLD + 2 * listed + len(options["percentiles"]))
    if numbers > MOST_NUMBERS:
        raise BadParameter(
            f"The answer would have {numbers} numbers; the limit is {MOST_NUMBERS}: ask for fewer bins."
        )


def bytes_of_pixel(view: View, style: Style) -> int:
    """Return how many bytes the decoded values of a pixel have, read or worked out."""
    bands, each = len(bands_read(style, view)), view.numbers.itemsize
    made = len(parts(style.expression)) * WORKED_OUT if style.expression else bands * SCALED if style.unscale else 0
    return max(bands * each, made)


def _of_ground(handle: Handle, ground: Ground, style: Style, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statistics of each band of a ground."""
    view, zone = handle.view, zone_of(handle, ground, style)
    bands = bands_read(style, view)
    # Names and types are known of a pixel that has no value.
    empty = Drawn(np.zeros((len(bands), 1, 1), view.numbers), np.zeros((1, 1), np.uint8))
    image, _ = image_of(empty, style, view, Nowhere())
    if image.array.dtype.kind == "c":
        raise CannotBeDrawn("The values are complex numbers, which have no order.")
    found, covered = [weighed(image.array.dtype) for _ in image.band_names], 0
    for window in windows_of(zone.coverage.window, len(bands)):
        weights = zone.coverage.of(window)
        if weights is not None and not weights.any():
            continue
        covered += window.cells if weights is None else int(np.count_nonzero(weights))
        values, _ = image_of(zone.read(window), style, view, Nowhere())
        for band, several in zip(found, values.array, strict=True):
            _add(band, several, weights)
    pixels = Pixels(zone.coverage.window.cells, covered)
    with Blamed(CannotBeDrawn("These values have no statistics.")):
        return {
            name: {**described(band, pixels, options), "description": told}
            for name, told, band in zip(image.band_names, image.band_descriptions, found, strict=True)
        }


def _add(band: Weighed, several: np.ma.MaskedArray[Any, Any], weights: Floats | None) -> None:
    """Add the valid values of a window, (rows, cols), to those of a band."""
    values, valid = several.data, ~np.ma.getmaskarray(several)
    if values.dtype.kind == "f":
        valid &= np.isfinite(values)
    if weights is None:
        band.add(values[valid])
        return
    band.add(values[valid & (weights == 1)])
    partial = valid & (weights > 0) & (weights < 1)
    band.add(values[partial], weights[partial])
