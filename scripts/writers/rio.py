"""COGs by rio-cogeo, which writes through rasterio's GTiff driver and has no ghost area.

    python -m scripts.writers.rio SOURCES TARGETS

Every program of this kind writes its files into TARGETS and prints the version of its library.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import morecantile
import rio_cogeo
from rio_cogeo.cogeo import cog_translate
from rio_cogeo.profiles import cog_profiles

BLOCKS = {"blockxsize": 128, "blockysize": 128}
FILES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "deflate": ("rgb", "deflate", {}),
    "packbits": ("grey", "packbits", {}),
    "lzw": ("grey", "lzw", {}),
    "zstd": ("uint16", "zstd", {}),
    "jpeg": ("rgb", "jpeg", {}),
    "jpeg-mask": ("masked", "jpeg", {}),
    "webp": ("rgb", "webp", {}),
    "lerc-deflate": ("float32", "lerc_deflate", {}),
    "mask": ("masked", "deflate", {}),
    "alpha-to-mask": ("rgba", "deflate", {"add_mask": True, "indexes": (1, 2, 3)}),
    "web-optimized": ("grey", "deflate", {"tms": morecantile.tms.get("WebMercatorQuad")}),
    "no-overviews": ("grey", "deflate", {"overview_level": 0}),
    "one-overview": ("grey", "deflate", {"overview_level": 1}),
    "nodata": ("holes", "deflate", {"nodata": 0}),
    "bigtiff": ("grey", "deflate", {"BIGTIFF": "YES"}),
    "planar": ("rgb", "deflate", {"interleave": "band"}),
}


def main() -> None:
    """Write the files."""
    sources, targets = map(Path, sys.argv[1:])
    for name, (source, profile, options) in FILES.items():
        creation = {**cog_profiles.get(profile), **BLOCKS}
        creation |= {key: options.pop(key) for key in ("BIGTIFF", "interleave") if key in options}
        target = targets / f"rio-cogeo-{name}.tif"
        cog_translate(sources / f"{source}.tif", target, creation, quiet=True, in_memory=True, **options)
    print(rio_cogeo.__version__)


if __name__ == "__main__":
    main()
