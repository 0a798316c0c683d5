"""COGs by odc-geo: through rasterio, and by its own writer, which assembles them from pieces."""

from __future__ import annotations

import sys
from pathlib import Path

import odc.geo
import odc.geo.xr
import rasterio
from odc.geo.cog import save_cog_with_dask, write_cog
from odc.geo.geobox import GeoBox

SOURCES = {"grey": "grey", "uint16": "uint16", "nodata": "holes", "float": "float32", "rgb": "rgb"}


def main() -> None:
    """Write the files."""
    sources, targets = map(Path, sys.argv[1:])
    for name, source in SOURCES.items():
        with rasterio.open(sources / f"{source}.tif") as raster:
            pixels, nodata = raster.read(), raster.nodata
            box = GeoBox(raster.shape, raster.transform, raster.crs)
        # (rows, cols) of one band, (rows, cols, bands) of several.
        array = pixels[0] if len(pixels) == 1 else pixels.transpose(1, 2, 0)
        image = odc.geo.xr.wrap_xr(array, box, nodata=nodata)
        if len(pixels) == 1:
            write_cog(image, targets / f"odc-geo-{name}.tif", blocksize=128, overview_levels=[2], overwrite=True)
        for codec in ("deflate", "zstd") if name == "grey" else ("deflate",):
            target = targets / f"odc-geo-dask-{name}{'' if codec == 'deflate' else f'-{codec}'}.tif"
            lazy = image.chunk({"y": 128, "x": 128})
            save_cog_with_dask(lazy, target, blocksize=128, compression=codec, stats=False).compute()
    print(odc.geo.__version__)


if __name__ == "__main__":
    main()
