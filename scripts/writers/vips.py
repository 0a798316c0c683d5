"""TIFFs by libvips: pyramids of pages or of SubIFDs, without georeferencing."""

from __future__ import annotations

import sys
from pathlib import Path

import pyvips

TILED = {"tile": True, "tile_width": 128, "tile_height": 128, "compression": "deflate"}
FILES = {
    "tiled": {},
    "pyramid": {"pyramid": True},
    "sub-ifds": {"pyramid": True, "subifd": True},
    "sub-ifds-bigtiff": {"pyramid": True, "subifd": True, "bigtiff": True},
    "jpeg": {"pyramid": True, "compression": "jpeg"},
    "webp": {"pyramid": True, "compression": "webp"},
    "strips": {"tile": False},
}


def main() -> None:
    """Write the files."""
    sources, targets = map(Path, sys.argv[1:])
    for name, options in FILES.items():
        image = pyvips.Image.new_from_file(str(sources / "rgb.tif"))
        image.tiffsave(str(targets / f"libvips-{name}.tif"), **{**TILED, **options})
    print(".".join(str(pyvips.version(part)) for part in range(3)))


if __name__ == "__main__":
    main()
