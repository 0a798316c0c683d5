"""Rasters that are small on the ground of a picture, drawn from copies of few pixels, each read once and then kept.

A tile of a far zoom has pixels of many files, a few of each: whole blocks would be decoded for them every time.
"""

from __future__ import annotations

import math

import numpy as np
from rasterio.windows import Window

from gateway.ground.grid import Frame
from gateway.ground.mapping import control_grid
from gateway.ground.placing import NEAREST_SLACK, to_source
from gateway.reading.blocks import Form
from gateway.reading.handles import Handle
from gateway.reading.source import OPAQUE, Drawn, Pixels, Source, held, least, opaque, read_source
from gateway.tiles.warp import Request, placed, sampled, spread

# Pixels of the longer side of a copy, at most.
SIDE = 128
# Of a level that is no longer than that, all is read.
WHOLE_SIDE = 1024


def fits(handle: Handle, frame: Frame, request: Request) -> bool:
    """Return whether the nearest pixels of a copy are as good as those of an overview of that size."""
    if not request.resampling == request.reproject == "nearest" or handle.view.mixed:
        return False
    reduced = max(handle.view.size) / max(_size(handle))
    return min(placed(handle, frame.crs).factors(frame)) * NEAREST_SLACK >= reduced


def draw_small(handle: Handle, frame: Frame, request: Request) -> Drawn | None:
    """Return the pixels of a picture taken from the copy, or None where the raster does not reach it."""
    view, placing = handle.view, placed(handle, frame.crs)
    part, level = placing.part(frame), len(view.levels) - 1
    if part is None:
        return None
    size, straight = view.levels[level], placing.straight(frame)
    grid = control_grid(to_source(view, placing, frame, level), part, size, straight=straight)
    if grid is None:
        return None
    source = _copy(handle, level, request)
    return spread(sampled(grid, source, size, request, smooth=False), grid.part, frame, request, filled=False)


def _size(handle: Handle) -> tuple[int, int]:
    """Return width and height of the copy: so many-th rows and columns of the coarsest level."""
    width, height = handle.view.levels[-1]
    thinning = math.ceil(max(width, height) / SIDE)
    return max(1, width // thinning), max(1, height // thinning)


def _copy(handle: Handle, level: int, request: Request) -> Source:
    """Return the copy, whose last sample is what the file itself masks."""
    width, height = handle.view.levels[level]
    columns, rows = _size(handle)
    thinning = math.ceil(max(width, height) / SIDE)
    dtype = handle.view.numbers
    values, seen = (
        Form((rows, columns, len(request.bands)), dtype),
        Form((rows, columns, 1), np.dtype(np.uint8)),
    )

    def read(block: Pixels, *, mask: bool) -> bool:
        # As a whole, where that is little: then it is decoded without GDAL.
        step = 1 if max(width, height) <= WHOLE_SIDE else thinning
        found = read_source(handle, level, Window(0, 0, width, height), request.bands, None, step)
        down, across = (
            ((np.arange(count) + 0.5) * length / count).astype(np.intp)
            for count, length in zip((rows, columns), found.pixels.shape[1:], strict=True)
        )
        if mask:
            block[..., 0] = OPAQUE if found.mask is None else found.mask[np.ix_(down, across)]
        else:
            block[:] = found.pixels.transpose(1, 2, 0)[np.ix_(down, across)]
        return handle.source.remote or handle.source.unchanged()

    bands = ",".join(map(str, request.bands))
    kept = handle.copies
    pixels = kept.read(handle.key_of("small", bands), values, lambda block: read(block, mask=False), np.copy)
    masks = kept.read(handle.key_of("small mask", bands), seen, lambda block: read(block, mask=True), np.copy)
    if pixels is None or masks is None:
        return read_source(handle, level, Window(0, 0, width, height), request.bands, request.nodata, thinning)
    found = pixels.transpose(2, 0, 1)
    mask = opaque(least(masks[..., 0], held(found, request.nodata)))
    return Source(0, 0, found, mask, (width / columns, height / rows))
