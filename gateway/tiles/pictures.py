"""Pictures of a whole raster and of a part of it, on its own grid or in another CRS."""

from __future__ import annotations

import math

from gateway.colour.model import Encoded, Style, TileFormat
from gateway.errors import BadParameter
from gateway.ground.areas import brought, checked_bounds, crs_of
from gateway.ground.degrees import extent_round_the_globe
from gateway.ground.grid import Frame
from gateway.ground.placing import best_level
from gateway.ground.systems import Bounds
from gateway.reading.handles import Handle
from gateway.reading.source import Drawn, read_whole
from gateway.tiles.drawing import bands_read, check_amount, check_values, finished, nothing, read, request_of
from gateway.tiles.warp import placed

# max_size, width and height in pixels.
Size = tuple[int | None, int | None, int | None]
# Bounds, and the names of their CRS and of that of the picture.
Where = tuple[Bounds, tuple[str | None, str | None]]
# Of the bounds of a part, as in TiTiler: a raster in degrees is then reduced, and not warped.
DEFAULT_CRS = "EPSG:4326"
# A side of a picture, where the other one is given and the ground is long.
MAX_SIDE = 1 << 25
# Of the raster, in a row or column: more than that is no picture of it.
MAX_EXTENT_PIXELS = 1e9


def preview(
    handle: Handle, style: Style, size: Size, format: TileFormat | None, dst_crs: str | None = None
) -> Encoded:
    """Return a picture of the whole, in `dst_crs` or on the raster's own grid, where it needs no place on a map."""
    found, ground = whole(handle, style, size, dst_crs)
    return finished(handle.view, found, ground, style, format, "hot")


def part(
    handle: Handle,
    bounds: Bounds,
    systems: tuple[str | None, str | None],
    style: Style,
    size: Size,
    format: TileFormat | None,
) -> Encoded:
    """Return a picture of `bounds` (west, south, east, north); `systems` are coord_crs and dst_crs.

    Raises NoPlace, and BadParameter for bounds that are no ground.
    """
    ground = ground_of(handle, bounds, systems, size)
    check_amount(handle.view, style, *ground.shape, format)
    found, way = read(handle, ground, style)
    return finished(handle.view, found or nothing(handle, ground, style), ground, style, format, way)


def check_part(handle: Handle, where: Where, style: Style, size: Size, most_bytes: int) -> None:
    """Return when the values of a part are no more than `most_bytes`; raises PartTooLarge, and what `part` raises."""
    rows, columns = ground_of(handle, *where, size).shape
    view = handle.view
    check_values(rows * columns * len(bands_read(style, view)), view.numbers.itemsize, most_bytes)


def ground_of(handle: Handle, bounds: Bounds, systems: tuple[str | None, str | None], size: Size) -> Frame:
    """Return the ground of a part, in the raster's own resolution unless `size` is smaller; raises as it does."""
    crs = crs_of(systems[0] or DEFAULT_CRS, "coord_crs") or ""
    target = crs_of(systems[1], "dst_crs") or crs
    handle.view.placed  # noqa: B018 - raises NoPlace
    return canvas(handle, brought(checked_bounds(bounds, crs), crs, target), target, size)


def whole(handle: Handle, style: Style, size: Size, dst_crs: str | None) -> tuple[Drawn, Frame | None]:
    """Return the values of a whole raster and their ground, None for one without a place on a map."""
    view = handle.view
    if dst_crs is not None:
        return _whole_in(handle, style, size, crs_of(dst_crs, "dst_crs") or "")
    width, height = fitted(view.size, size)
    check_amount(view, style, height, width)
    request = request_of(view, style)
    factors = view.size[0] / width, view.size[1] / height
    level = best_level(view, factors, nearest=style.resampling == "nearest")
    pixels, mask = read_whole(handle, level, request.bands, request.nodata, (width, height), style.resampling)
    if view.place is None or not view.place.upright:
        return Drawn(pixels, mask), None
    if view.place.transform.e > 0:
        pixels, mask = pixels[:, ::-1], None if mask is None else mask[::-1]
    return Drawn(pixels, mask), Frame(view.place.crs, *view.place.bounds, width, height)


def _whole_in(handle: Handle, style: Style, size: Size, crs: str) -> tuple[Drawn, Frame]:
    found = placed(handle, crs).extent or extent_round_the_globe(handle.view.placed, crs)
    if found is None:
        raise BadParameter("dst_crs: the dataset cannot be brought into it as a whole.")
    ground = canvas(handle, found, crs, size)
    check_amount(handle.view, style, *ground.shape)
    drawn, _ = read(handle, ground, style)
    return drawn or nothing(handle, ground, style), ground


def canvas(handle: Handle, bounds: Bounds, crs: str, size: Size) -> Frame:
    """Return the ground of a picture of some bounds, in the raster's own resolution unless `size` is smaller."""
    pixel = placed(handle, crs).pixel
    west, south, east, north = bounds
    own = (east - west) / pixel[0], (north - south) / pixel[1]
    # Not true of NaN either.
    if not max(own) < MAX_EXTENT_PIXELS:
        raise BadParameter(f"The bounds in the path are more than {MAX_EXTENT_PIXELS:g} pixels of the dataset wide.")
    return Frame(crs, *bounds, *fitted(own, size))


def fitted(own: tuple[float, float], size: Size) -> tuple[int, int]:
    """Return width and height of a picture whose own ones are `own`, as rio-tiler works them out."""
    max_size, width, height = size
    across, down = max(own[0], 1e-9), max(own[1], 1e-9)
    if width is None and height is None:
        across, down = max(1.0, float(round(across))), max(1.0, float(round(down)))
        if max_size is None or max(across, down) < max_size:
            return int(across), int(down)
        width, height = (None, max_size) if down > across else (max_size, None)
    if width is None:
        width = min(MAX_SIDE, math.ceil((height or 1) * across / down))
    if height is None:
        height = min(MAX_SIDE, math.ceil(width * down / across))
    return max(1, width), max(1, height)
