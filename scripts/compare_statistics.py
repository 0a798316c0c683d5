#!/usr/bin/env python3
"""Statistics under polygons beside exactextract's and TiTiler's: one row for each kind of raster.

    PYTHONPATH=. python scripts/compare_statistics.py [--polygons 20] [--seed 1] [--titiler VENV/bin/python]

The rasters are small and made anew, the polygons random: stars of 3 to 12 corners, one in three with a hole, one in
four of two parts, one in five thinner than a pixel, some reaching beyond the raster; their coordinates are degrees.
exactextract gets the same polygons in pixels, their sides cut into 20,000 pieces before each corner is transformed.
Shown is the largest relative difference to exactextract over all polygons of a raster, and the middle and the largest
one to TiTiler, whose `POST /statistics` draws the raster in the CRS of the polygon and counts tenths of a pixel
(`cover_scale`). exactextract has areas in single precision: of two values that cover as much, its `majority` may be
the other one.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import shapely
from affine import Affine
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import Transformer
from shapely.geometry import mapping

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench_servers import free_port, running

from gateway.colour.model import Style
from gateway.tiles.zonal import zonal_statistics
from tests.tiles.rasters import MERCATOR, handle_of, landscape, utm, write

NAMES = {
    "count": "count", "mean": "mean", "sum": "sum", "std": "stdev", "min": "min", "max": "max",
    "majority": "majority", "minority": "minority", "unique": "variety",
}  # fmt: skip
TITILERS = ("count", "mean", "std", "median", "valid_pixels")
OPTIONS = {"categorical": False, "categories": None, "percentiles": [2, 98], "hist_options": {"bins": 10}}
PIECES = 20_000
Compared = tuple[dict[str, float], dict[str, list[float]]]


def rasters(folder: Path) -> Mapping[str, Path]:
    """Return COGs of several data types, each in a CRS of its own and with another way of having no data."""
    holes, seen = landscape(1, 300, 400, "int16"), np.full((300, 400), 255, np.uint8)
    holes[:, 100:150, 100:230], seen[50:120, 60:200] = -32768, 0
    floats = landscape(1, 300, 400, "float32")
    floats[:, 40:90, 200:300] = np.nan
    degrees, metres = Affine(0.001, 0, 14.6, 0, -0.001, 47.9), Affine(30, 0, 1_650_000, 0, -30, 6_080_000)
    made = {
        "uint8, UTM": (landscape(1, 300, 400), utm(), "EPSG:32633", {}),
        "int16 with nodata, degrees": (holes, degrees, "EPSG:4326", {"nodata": -32768}),
        "float32 with NaN, Web Mercator": (floats, metres, MERCATOR, {"nodata": math.nan}),
        "uint16 with a mask, LAEA": (
            landscape(1, 300, 400, "uint16"), Affine(30, 0, 4_700_000, 0, -30, 2_700_000), "EPSG:3035",
            {"mask": seen},
        ),
        "float64, turned by 20 degrees, UTM": (
            landscape(1, 300, 400, "float64"), utm() * Affine.rotation(20), "EPSG:32633", {},
        ),
        "int32, polar stereographic": (
            landscape(1, 300, 400, "int32"), Affine(500, 0, -80_000, 0, -500, 70_000), "EPSG:3995", {},
        ),
        "uint8, over the antimeridian": (
            landscape(1, 300, 400), Affine(0.002, 0, 179.6, 0, -0.002, -16), "EPSG:4326", {},
        ),
    }  # fmt: skip
    return {
        name: write(folder / f"{index}.tif", pixels, transform, crs, **told)
        for index, (name, (pixels, transform, crs, told)) in enumerate(made.items())
    }


def polygon(random: np.random.Generator, middle: Any, size: float, index: int) -> Any:
    """Return a polygon round about the middle of a raster, in pixels."""
    corners = int(random.integers(3, 13))
    angles = np.sort(random.uniform(0, 2 * math.pi, corners))
    radii = random.uniform(0.3, 1, corners) * size * random.choice([0.02, 0.2, 0.8])
    star = np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    if index % 5 == 0:
        star[:, 0] *= 1e-3
    found = shapely.Polygon(star + middle + random.uniform(-0.4, 0.4, 2) * size).buffer(0)
    if index % 3 == 0:
        found = found.difference(found.centroid.buffer(size * 0.05))
    if index % 4 == 0:
        found = found.union(shapely.affinity.translate(found, 2.5 * size * random.uniform(0.1, 0.4), 3))
    return found


def in_degrees(found: Any, raster: Any) -> Any:
    """Return a polygon in pixels as one in degrees, those beyond 180 left so."""
    back = Transformer.from_crs(raster.crs, "EPSG:4326", always_xy=True)

    def way(places: Any) -> Any:
        x, y = raster.transform * (places[:, 0], places[:, 1])
        return np.column_stack((x, y) if raster.crs.is_geographic else back.transform(x, y))

    return shapely.transform(found, way)


def in_pixels(found: Any, raster: Any) -> Any:
    """Return a polygon in degrees as one in pixels, rows upwards, its sides following the curves that they are."""
    there = Transformer.from_crs("EPSG:4326", raster.crs, always_xy=True)

    def way(places: Any) -> Any:
        x, y = places.T if raster.crs.is_geographic else there.transform(*places.T)
        columns, rows = ~raster.transform * (x, y)
        return np.column_stack([columns, raster.height - rows])

    sides = shapely.length(shapely.boundary(found)) / PIECES
    return shapely.transform(shapely.segmentize(found, sides), way)


def by_exactextract(found: Any, raster: Any) -> Mapping[str, float]:
    """Return what exactextract has under a polygon in degrees."""
    # Of a masked array with one column exactextract 0.3.0 takes all values.
    values = raster.read(1, masked=True).astype(float).filled(math.nan)
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(in_pixels(found, raster))}
    told: Mapping[str, float] = exact_extract(NumPyRasterSource(values), [feature], list(NAMES.values()))[0][
        "properties"
    ]
    return told


def by_titiler(port: int, path: Path, found: Any) -> Mapping[str, float] | None:
    """Return what TiTiler has under a polygon in degrees, None where it has no answer."""
    feature = {"type": "Feature", "properties": {}, "geometry": mapping(found)}
    url = f"http://127.0.0.1:{port}/cog/statistics?{urllib.parse.urlencode({'url': path})}"
    asked = urllib.request.Request(url, json.dumps(feature).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked) as answer:  # noqa: S310 - on loopback
            told: Mapping[str, float] = json.load(answer)["properties"]["statistics"]["b1"]
            return told
    except urllib.error.HTTPError:
        return None


def apart(ours: float | None, theirs: float | None) -> float:
    """Return how far two numbers differ, as a part of the larger one; none at all is no difference to none."""
    first, second = (math.nan if each is None else float(each) for each in (ours, theirs))
    if math.isnan(first) and math.isnan(second):
        return 0.0
    largest = max(abs(first), abs(second))
    return abs(first - second) / largest if largest else 0.0


def compared(path: Path, options: argparse.Namespace, port: int | None) -> Compared:
    """Return the largest differences of each number, to exactextract and to TiTiler."""
    random, exact = np.random.default_rng(options.seed), dict.fromkeys(NAMES, 0.0)
    other: dict[str, list[float]] = {name: [] for name in TITILERS}
    with rasterio.open(path) as raster, handle_of(path) as handle:
        middle, size = np.array([raster.width, raster.height]) / 2, min(raster.width, raster.height)
        for index in range(options.polygons):
            found = in_degrees(polygon(random, middle, size, index), raster)
            if found.is_empty or not found.is_valid:
                continue
            (ours,) = zonal_statistics(
                handle, [mapping(found)], (None, None), (Style(), (None, None, None)), 1 << 28, OPTIONS
            )
            theirs = by_exactextract(found, raster)
            for name, its in NAMES.items():
                exact[name] = max(exact[name], apart(ours["b1"][name], theirs[its]))
            if port is not None and (told := by_titiler(port, path, found)) is not None:
                for name in TITILERS:
                    other[name].append(apart(ours["b1"][name], told[name]))
    return exact, other


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--polygons", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--titiler", metavar="PYTHON", help="without it ours is compared with exactextract alone")
    options = parser.parse_args()
    with ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
        port = None
        if options.titiler:
            port = free_port()
            line = [options.titiler, "-m", "uvicorn", "titiler.application.main:app", "--port", str(port)]
            stack.enter_context(running([*line, "--log-level", "error", "--no-access-log"], port))
        rows = [(name, *compared(path, options, port)) for name, path in rasters(Path(folder)).items()]
    columns = [*NAMES, *(f"TiTiler {name}" for name in TITILERS if port is not None)]
    print(f"| {options.polygons} polygons over | {' | '.join(columns)} |")
    print(f"|---|{'---:|' * len(columns)}")
    for name, exact, other in rows:
        told = [f"{exact[each]:.1e}" for each in NAMES]
        told += [f"{np.median(each):.1e}, {max(each):.1e}" for each in other.values() if each]
        print(f"| {name} | {' | '.join(told)} |")
    largest = max(exact[name] for _, exact, _ in rows for name in NAMES if name != "majority")
    print(f"\nlargest to exactextract: {largest:.1e}")


if __name__ == "__main__":
    main()
