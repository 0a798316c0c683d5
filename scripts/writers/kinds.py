"""What each version of GDAL is asked to write: sources, creation options, and the first version that knows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import from_origin

Pixels = NDArray[Any]
ROWS, COLS = 190, 230


@dataclass(frozen=True)
class Kind:
    """One file: the source that is translated, and the words behind `gdal_translate -of COG`."""

    source: str
    words: tuple[str, ...]
    since: tuple[int, int] = (3, 1)
    config: dict[str, str] = field(default_factory=dict)


def _co(source: str, *options: str, since: tuple[int, int] = (3, 1), words: str = "", **config: str) -> Kind:
    """Return a kind with these creation options; blocks are small so that a small file has levels."""
    all_options = [*options, *(() if any("TILING" in each for each in options) else ("BLOCKSIZE=128",))]
    return Kind(source, (*words.split(), *(w for each in all_options for w in ("-co", each))), since, config)


KINDS: dict[str, Kind] = {
    "plain": _co("grey", "COMPRESS=NONE", words="-srcwin 0 0 120 128"),
    "plain-bits": _co("bits", "COMPRESS=NONE", "NBITS=2", since=(3, 7)),
    "deflate": _co("rgb", "COMPRESS=DEFLATE"),
    "lzw-predictor": _co("uint16", "COMPRESS=LZW", "PREDICTOR=STANDARD"),
    "float-predictor": _co("float32", "COMPRESS=DEFLATE", "PREDICTOR=FLOATING_POINT"),
    "zstd": _co("uint16", "COMPRESS=ZSTD"),
    "lerc": _co("float32", "COMPRESS=LERC", "MAX_Z_ERROR=0.5"),
    "lerc-zstd": _co("float32", "COMPRESS=LERC_ZSTD", since=(3, 6)),
    "jpeg": _co("rgb", "COMPRESS=JPEG", "QUALITY=60"),
    "jpeg-mask": _co("masked", "COMPRESS=JPEG", "QUALITY=60"),
    "webp": _co("rgb", "COMPRESS=WEBP", "QUALITY=60"),
    "webp-alpha": _co("rgba", "COMPRESS=WEBP", "QUALITY=60"),
    "mask": _co("masked", "COMPRESS=DEFLATE"),
    "sparse": _co("holes", "COMPRESS=DEFLATE", "SPARSE_OK=YES"),
    "bigtiff": _co("grey", "COMPRESS=DEFLATE", "BIGTIFF=YES"),
    "big-endian": _co("uint16", "COMPRESS=DEFLATE", since=(3, 2), GDAL_TIFF_ENDIANNESS="BIG"),
    "statistics": _co("uint16", "COMPRESS=DEFLATE", "STATISTICS=YES", since=(3, 8)),
    "bits": _co("bits", "COMPRESS=DEFLATE", "NBITS=1", since=(3, 7)),
    "half-floats": _co("float32", "COMPRESS=DEFLATE", "NBITS=16", since=(3, 7)),
    "float16": _co("float32", "COMPRESS=DEFLATE", since=(3, 11), words="-ot Float16"),
    "float16-predictor": _co("float32", "COMPRESS=DEFLATE", "PREDICTOR=YES", since=(3, 12), words="-ot Float16"),
    "int8": _co("grey", "COMPRESS=DEFLATE", since=(3, 7), words="-ot Int8 -scale 0 255 -100 100"),
    "int64": _co("grey", "COMPRESS=DEFLATE", since=(3, 6), words="-ot Int64"),
    "complex": _co("grey", "COMPRESS=DEFLATE", "RESAMPLING=NEAREST", words="-ot CFloat32"),
    "palette": _co("palette", "COMPRESS=DEFLATE", "RESAMPLING=NEAREST"),
    "google-maps": _co("grey", "COMPRESS=DEFLATE", "TILING_SCHEME=GoogleMapsCompatible"),
    "aligned-levels": _co(
        "grey", "COMPRESS=DEFLATE", "TILING_SCHEME=GoogleMapsCompatible", "ALIGNED_LEVELS=2", since=(3, 2)
    ),
    "no-overviews": _co("grey", "COMPRESS=DEFLATE", "OVERVIEWS=NONE"),
    **{
        f"interleave-{order.lower()}{'-mask' if masked else ''}": _co(
            "masked" if masked else "rgb", "COMPRESS=DEFLATE", f"INTERLEAVE={order}", since=(3, 11)
        )
        for order in ("PIXEL", "BAND", "TILE")
        for masked in (False, True)
    },
    "interleave-tile-jpeg": _co("masked", "COMPRESS=JPEG", "QUALITY=60", "INTERLEAVE=TILE", since=(3, 11)),
    "interleave-tile-sparse": _co("rgb-holes", "COMPRESS=LZW", "INTERLEAVE=TILE", "SPARSE_OK=YES", since=(3, 11)),
    "interleave-tile-bigtiff": _co(
        "uint16", "COMPRESS=DEFLATE", "INTERLEAVE=TILE", "BIGTIFF=YES", "STATISTICS=YES", since=(3, 11)
    ),
}  # fmt: skip


def _smooth(bands: int, most: int = 200) -> Pixels:
    """Return (bands, rows, cols) of slopes, which every codec makes small."""
    band, row, col = np.indices((bands, ROWS, COLS))
    return (row // 9 * 3 + col // 7 * 2 + 30 * band) % most + 20


def _holes(bands: int) -> Pixels:
    pixels = _smooth(bands)
    pixels[:, :128] = 0
    pixels[:, :, :128] = 0
    return pixels


def _rgba() -> Pixels:
    pixels = _smooth(4)
    pixels[3] = 255
    pixels[3, :40] = 0
    return pixels


SOURCES: dict[str, tuple[Callable[[], Pixels], str, dict[str, Any]]] = {
    "grey": (lambda: _smooth(1), "uint8", {}),
    "rgb": (lambda: _smooth(3), "uint8", {"photometric": "RGB"}),
    "rgba": (_rgba, "uint8", {"photometric": "RGB", "alpha": "YES"}),
    "masked": (lambda: _smooth(3), "uint8", {"photometric": "RGB"}),
    "uint16": (lambda: _smooth(2) * 100, "uint16", {}),
    "float32": (lambda: _smooth(1) / 8, "float32", {"nodata": -1}),
    "holes": (lambda: _holes(1), "uint8", {"nodata": 0}),
    "rgb-holes": (lambda: _holes(3), "uint8", {"nodata": 0, "photometric": "RGB"}),
    "palette": (lambda: _smooth(1), "uint8", {"photometric": "PALETTE"}),
    "bits": (lambda: _smooth(1) // 64 % 2, "uint8", {}),
}


def write_sources(folder: Path) -> None:
    """Write every source as a plain GeoTIFF."""
    for name, (pixels_of, dtype, options) in SOURCES.items():
        write_source(folder / f"{name}.tif", pixels_of().astype(dtype), name, options)


def write_source(path: Path, pixels: Pixels, name: str, options: dict[str, Any]) -> None:
    """Write one source, with the mask or the colours that belong to it."""
    profile = {
        "driver": "GTiff", "height": ROWS, "width": COLS, "count": len(pixels), "dtype": pixels.dtype,
        "crs": CRS.from_epsg(32633), "transform": from_origin(500_000, 5_300_000, 30, 30), **options,
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels)
        if name == "masked":
            seen = np.full((ROWS, COLS), 255, "uint8")
            seen[:70, :150] = 0
            raster.write_mask(seen)
        if name == "palette":
            raster.write_colormap(1, {k: (k, 255 - k, 7, 255) for k in range(256)})
