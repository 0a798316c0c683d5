"""The two lists of tiles that are asked for: of the rasters' own zoom, and as maps ask for them of large rasters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_tiles_rasters import ZOOM, Place, aligned_tiles, as_viewports, shuffled, warped_tiles

HEIGHTS = "rescale=0,3000&colormap_name=terrain&"
# Ends inside of what the pixels are, so that no server may send what is stored.
CONTRAST = "rescale=10,245&"
P99_REACH, STORED_P99_REACH = 1 / 3, 0.2
SIDE_PIXELS, LARGE_SIDE_PIXELS = 10_240, 16_384
TILES = 6000
# Of the tiles of the large list so many are of each zoom level; the last two, 12 %, lie beyond the rasters' own.
SHARES = {ZOOM: 0.64, ZOOM - 1: 0.16, ZOOM - 2: 0.04, ZOOM - 3: 0.03, ZOOM - 4: 0.01, ZOOM + 1: 0.08, ZOOM + 2: 0.04}


@dataclass(frozen=True)
class Case:
    """One kind of tiles: the raster's letter, the format, the style, the order, and the ratios to reach."""

    name: str
    raster: str
    format: str
    reach: float
    style: str = ""
    viewport: bool = False
    p99_reach: float = P99_REACH


CASES = (
    Case("a.jpg", "a", "jpg", 15),
    Case("b.webp", "b", "webp", 15),
    Case("a.png", "a", "png", 10),
    Case("a.jpg rescaled", "a", "jpg", 4, CONTRAST),
    Case("b.jpg", "b", "jpg", 4),
    Case("a.webp", "a", "webp", 3.5),
    Case("c.png", "c", "png", 5),
    Case("cv.png", "c", "png", 7, viewport=True),
    Case("c.jpg", "c", "jpg", 2.5),
    Case("cv.jpg", "c", "jpg", 4.5, viewport=True),
    Case("d.png", "d", "png", 5.5, HEIGHTS),
    Case("dv.png", "d", "png", 9, HEIGHTS, viewport=True),
)
LARGE_CASES = (
    Case("a.jpg", "a", "jpg", 18, p99_reach=STORED_P99_REACH),
    Case("b.webp", "b", "webp", 22, p99_reach=STORED_P99_REACH),
    Case("c.jpg", "c", "jpg", 4),
    Case("cv.jpg", "c", "jpg", 6.5, viewport=True),
    Case("d.png", "d", "png", 8, HEIGHTS),
    Case("dv.png", "d", "png", 11, HEIGHTS, viewport=True),
)


def places_of(case: Case, files: dict[str, Path], side: int, *, large: bool) -> list[Place]:
    """Return the tiles of a case in the order in which they are asked for."""
    native = aligned_tiles(side) if case.raster in "ab" else warped_tiles(files[case.raster])
    places = as_maps_ask(native) if large else native
    return as_viewports(places) if case.viewport else shuffled(places)


def as_maps_ask(native: Sequence[Place]) -> list[Place]:
    """Return tiles of several zooms over the same ground, nearly all different, by SHARES."""
    chance = random.Random(11)  # noqa: S311 - the same each time
    found: list[Place] = []
    for zoom, share in SHARES.items():
        there, wanted = _of_zoom(native, zoom), round(share * TILES)
        # Of a coarse zoom there are few: those are asked for again, as by several who look at the same place.
        times, rest = divmod(wanted, len(there))
        found += [*there * times, *chance.sample(there, rest)]
    return found


def _of_zoom(native: Sequence[Place], zoom: int) -> list[Place]:
    """Return the tiles of a zoom level that lie wholly on the ground of those of the native one."""
    ground = {(x, y) for _, x, y in native}
    if zoom >= ZOOM:
        parts = 1 << (zoom - ZOOM)
        return [
            (zoom, x * parts + i, y * parts + j)
            for x, y in sorted(ground)
            for i in range(parts)
            for j in range(parts)
        ]
    parts = 1 << (ZOOM - zoom)
    coarse = {(x // parts, y // parts) for x, y in ground}
    whole = [
        (x, y)
        for x, y in sorted(coarse)
        if all((x * parts + i, y * parts + j) in ground for i in range(parts) for j in range(parts))
    ]
    return [(zoom, x, y) for x, y in whole or sorted(coarse)]
