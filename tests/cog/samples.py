"""True COGs as real writers make them; each is small and has several levels."""

from dataclasses import dataclass, field

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.transform import from_origin


@dataclass(frozen=True)
class Sample:
    """Pixels, and the creation options of GDAL's COG driver; `smooth` pixels compress as photographs do."""

    options: dict
    bands: int = 1
    rows: int = 280
    cols: int = 340
    dtype: str = "uint8"
    mask: bool = False
    nodata: float | None = None
    empty_rows: int = 0
    environment: dict = field(default_factory=dict)


SMALL = {"BLOCKSIZE": 128}
SAMPLES = {
    "deflate": Sample({**SMALL, "COMPRESS": "DEFLATE"}),
    "plain": Sample({**SMALL, "COMPRESS": "NONE"}),
    "uint16": Sample({**SMALL, "COMPRESS": "LZW", "PREDICTOR": "YES"}, dtype="uint16"),
    "float32": Sample({**SMALL, "COMPRESS": "DEFLATE", "PREDICTOR": "YES"}, dtype="float32", nodata=float("nan")),
    "complex": Sample({**SMALL, "COMPRESS": "NONE", "RESAMPLING": "NEAREST"}, dtype="complex64"),
    "zstd": Sample({**SMALL, "COMPRESS": "ZSTD"}, bands=3),
    "lerc": Sample({**SMALL, "COMPRESS": "LERC"}, dtype="float32"),
    "jpeg": Sample({**SMALL, "COMPRESS": "JPEG"}, bands=3),
    "jpeg_mask": Sample({**SMALL, "COMPRESS": "JPEG"}, bands=3, mask=True),
    "webp": Sample({**SMALL, "COMPRESS": "WEBP"}, bands=3),
    "webp_alpha": Sample({**SMALL, "COMPRESS": "WEBP"}, bands=4),
    "mask": Sample({**SMALL, "COMPRESS": "LZW"}, bands=2, mask=True),
    "sparse": Sample({**SMALL, "COMPRESS": "DEFLATE", "SPARSE_OK": "YES"}, nodata=0, empty_rows=200),
    "all_sparse": Sample({**SMALL, "COMPRESS": "DEFLATE", "SPARSE_OK": "YES"}, nodata=0, empty_rows=280),
    "bigtiff": Sample({**SMALL, "COMPRESS": "DEFLATE", "BIGTIFF": "YES"}, bands=2),
    "big_endian": Sample({**SMALL, "COMPRESS": "DEFLATE"}, environment={"GDAL_TIFF_ENDIANNESS": "BIG"}),
    "big_endian_bigtiff": Sample({**SMALL, "BIGTIFF": "YES"}, environment={"GDAL_TIFF_ENDIANNESS": "BIG"}),
    "large_tile": Sample({"BLOCKSIZE": 512, "COMPRESS": "DEFLATE"}),
    "tall": Sample({**SMALL, "COMPRESS": "DEFLATE"}, rows=700, cols=40),
    "web_mercator": Sample({"TILING_SCHEME": "GoogleMapsCompatible", "COMPRESS": "DEFLATE"}),
}


def pixels_of(sample):
    """(bands, rows, cols) of a pattern with a little noise, different in each band."""
    noise = np.random.default_rng(1).integers(0, 12, (sample.bands, sample.rows, sample.cols))
    bands, rows, cols = np.indices(noise.shape)
    pixels = ((rows // 3 + cols // 5 + 40 * bands) % 200 + 20 + noise).astype(sample.dtype)
    pixels[:, : sample.empty_rows] = 0
    if sample.bands == 4:
        pixels[3] = 255
        pixels[3, :50] = 0
    return pixels


def write_sample(name, path):
    """Write the sample of that name and return its path."""
    sample = SAMPLES[name]
    profile = {
        "driver": "GTiff",
        "count": sample.bands,
        "height": sample.rows,
        "width": sample.cols,
        "dtype": sample.dtype,
        "crs": CRS.from_epsg(32633),
        "transform": from_origin(500_000, 5_300_000, 30, 30),
        "nodata": sample.nodata,
    }
    if sample.bands == 4:
        profile["photometric"] = "RGB"
        profile["alpha"] = "YES"
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, **sample.environment), MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(pixels_of(sample))
            if sample.mask:
                seen = np.full((sample.rows, sample.cols), 255, "uint8")
                seen[:90, :200] = 0
                raster.write_mask(seen)
        copy(memory.name, path, driver="COG", **sample.options)
    return path
