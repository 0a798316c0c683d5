"""GeoTIFFs by tifffile, as its documentation makes pyramids: in SubIFDs, or as pages one after the other."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

KEYS = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, 32633)
GEO = [
    (33550, "d", 3, (30.0, 30.0, 0.0), True),
    (33922, "d", 6, (0.0, 0.0, 0.0, 5e5, 5.3e6, 0.0), True),
    (34735, "H", len(KEYS), KEYS, True),
]
TILED = {"tile": (128, 128), "metadata": None}
FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "zlib": ("grey", "uint8", {"compression": "zlib"}),
    "plain": ("small", "uint8", {}),
    "predictor": ("rgb", "uint16", {"compression": "zlib", "predictor": True}),
    "float-predictor": ("grey", "float32", {"compression": "zlib", "predictor": True}),
    "float16": ("grey", "float16", {"compression": "zlib"}),
    "float16-predictor": ("grey", "float16", {"compression": "zlib", "predictor": True}),
    "lzw": ("grey", "uint16", {"compression": "lzw"}),
    "zstd": ("grey", "int16", {"compression": "zstd"}),
    "lzma": ("grey", "uint8", {"compression": "lzma"}),
    "packbits": ("grey", "uint8", {"compression": "packbits"}),
    "lerc": ("grey", "float32", {"compression": "lerc", "compressionargs": {"level": 0.5}}),
    "webp": ("rgb", "uint8", {"compression": "webp", "photometric": "rgb"}),
    "jpeg": ("rgb", "uint8", {"compression": "jpeg", "photometric": "rgb"}),
    "jpegxl": ("grey", "uint8", {"compression": "jpegxl"}),
    "png": ("grey", "uint8", {"compression": "png"}),
    "planar": ("planar", "uint8", {"compression": "zlib", "photometric": "rgb", "planarconfig": "separate"}),
    "bits": ("bits", "bool", {"compression": "zlib"}),
    "strips": ("grey", "uint8", {"compression": "zlib", "tile": None}),
}


def pixels_of(source: str, dtype: str) -> NDArray[Any]:
    """Return (rows, cols), or (rows, cols, bands), or (bands, rows, cols) for separate planes."""
    row, col, band = np.indices((190, 230, 3))
    pixels = row // 9 * 3 + col // 7 * 2 + 30 * band
    shapes = {"small": pixels[:128, :128, 0], "rgb": pixels, "planar": pixels.transpose(2, 0, 1)}
    found = shapes.get(source, pixels[..., 0])
    return np.asarray(found > 60 if source == "bits" else found, dtype)


def main() -> None:
    """Write the files."""
    targets = Path(sys.argv[2])
    for name, (source, dtype, options) in FILES.items():
        target = targets / f"tifffile-{name}.tif"
        tifffile.imwrite(target, pixels_of(source, dtype), extratags=GEO, **{**TILED, **options})
    for name, big in (("sub-ifds", {}), ("sub-ifds-bigtiff", {"bigtiff": True}), ("big-endian", {"byteorder": ">"})):
        pyramid(targets / f"tifffile-{name}.tif", big, sub=True)
    pyramid(targets / "tifffile-pages.tif", {}, sub=False)
    print(tifffile.__version__)


def pyramid(path: Path, flavour: dict[str, Any], sub: bool) -> None:
    """Write two overviews behind their image."""
    pixels = pixels_of("grey", "uint8")
    options = {**TILED, "compression": "zlib"}
    with tifffile.TiffWriter(path, **flavour) as writer:
        writer.write(pixels, extratags=GEO, subifds=2 if sub else None, **options)
        for step in (2, 4):
            writer.write(np.ascontiguousarray(pixels[::step, ::step]), subfiletype=1, **options)


if __name__ == "__main__":
    main()
