"""GeoTIFFs that are no COGs, as cameras, archives and old programs leave them; each is large enough for overviews."""

import numpy as np
import rasterio
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from rasterio.transform import from_origin

ROWS, COLS = 610, 730
UTM = {"crs": CRS.from_epsg(32633), "transform": from_origin(500_000, 5_300_000, 30, 30)}
PLACED = {"driver": "GTiff", "height": ROWS, "width": COLS, **UTM}
CORNERS = [(0, 0, 10, 50), (0, COLS, 11, 50), (ROWS, 0, 10, 49), (ROWS, COLS, 11.2, 49)]
LINE, SAMPLE = [0.1 * k for k in range(20)], [1.0, *[0.01] * 19]


def noise(bands, dtype, low=1, high=250):
    """(bands, rows, cols) of a slope with noise."""
    grain = np.random.default_rng(3).integers(0, 30, (bands, ROWS, COLS))
    band, row, col = np.indices(grain.shape)
    return (low + (row + col + 50 * band + grain) % (high - low)).astype(dtype)


def put(path, pixels, *, finish=None, env=None, **options):
    """Write pixels; `finish` is called with the open raster."""
    profile = {**PLACED, "count": len(pixels), "dtype": pixels.dtype, **options}
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True, **(env or {})), rasterio.open(path, "w", **profile) as raster:
        raster.write(pixels)
        if finish:
            finish(raster)
    return path


def tagged(raster):
    """Give a raster tags of its own, of bands, and of other domains; names, scales, units, statistics."""
    raster.update_tags(SURVEY="north <1>", TIFFTAG_SOFTWARE="a camera")
    raster.update_tags(ns="FLIGHT", PILOT="Ä & Ö")
    raster.descriptions = [f"band {band}" for band in raster.indexes]
    raster.scales, raster.offsets = [0.5] * raster.count, [10.0] * raster.count
    raster.units = ["m"] * raster.count
    for band in raster.indexes:
        raster.update_tags(band, STATISTICS_MINIMUM=band, STATISTICS_MAXIMUM=250, SENSOR="x")
    raster.update_tags(1, ns="CALIBRATION", GAIN="2")


def holes(dtype, nodata, **options):
    """A maker of one band in which a corner is nodata."""

    def make(path):
        pixels = noise(1, dtype)
        pixels[:, :90, :200] = nodata
        return put(path, pixels, nodata=nodata, **options)

    return make


def rgb(path):
    return put(path, noise(3, "uint8"), photometric="RGB", finish=tagged)


def rgba(path):
    pixels = noise(4, "uint8")
    pixels[3] = 255
    pixels[3, :70] = 0
    return put(path, pixels, photometric="RGB", alpha="YES")


def coloured(raster):
    raster.write_colormap(1, {k: (k, 255 - k, 7, 255) for k in range(256)})


def palette(path):
    return put(path, noise(1, "uint8"), photometric="PALETTE", finish=coloured)


def colour_table(path):
    """A table of colours beside pixels that are called grey: GDAL takes it for a palette."""
    return put(path, noise(1, "uint8"), finish=coloured)


def masked(path):
    seen = np.full((ROWS, COLS), 255, "uint8")
    seen[:120, 300:] = 0
    seen[400, 401] = 0
    return put(path, noise(3, "uint8"), photometric="RGB", finish=lambda raster: raster.write_mask(seen))


def jpeg(path):
    return put(path, noise(3, "uint8"), compress="JPEG", photometric="YCBCR", jpeg_quality=80)


def planar(path):
    def interpret(raster):
        raster.colorinterp = (ColorInterp.green, ColorInterp.red, ColorInterp.undefined, ColorInterp.blue)

    return put(path, noise(4, "uint16", 1, 60_000), interleave="band", compress="LZW", finish=interpret)


def unplaced(path, dtype, finish):
    return put(path, noise(1, dtype), crs=None, transform=None, finish=finish)


def gcps(path):
    points = [GroundControlPoint(r, c, x, y, 0, str(k)) for k, (r, c, x, y) in enumerate(CORNERS)]

    def place(raster):
        raster.gcps = (points, CRS.from_epsg(4326))

    return unplaced(path, "uint16", place)


def rpcs(path):
    model = RPC(
        height_off=1, height_scale=2, lat_off=3, lat_scale=4, long_off=5, long_scale=6, line_off=7, line_scale=8,
        samp_off=9, samp_scale=10, line_num_coeff=LINE, line_den_coeff=SAMPLE, samp_num_coeff=SAMPLE,
        samp_den_coeff=LINE, err_bias=1, err_rand=2,
    )  # fmt: skip

    def place(raster):
        raster.rpcs = model

    return unplaced(path, "uint16", place)


def big_endian(path):
    return put(path, noise(2, "int32", -9000, 9000), env={"GDAL_TIFF_ENDIANNESS": "BIG"}, bigtiff="YES")


def tiled(path):
    return put(path, noise(1, "uint16", 1, 60_000), tiled=True, blockxsize=256, blockysize=256, compress="ZSTD")


def wrong_order(path):
    """Overviews by GDAL's own tool: their directories and tiles stand behind those of the image."""
    tiled(path)
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2])
    return path


GEOTIFFS = {
    "rgb striped": rgb,
    "rgb with alpha": rgba,
    "palette": palette,
    "colour table": colour_table,
    "uint16 with nodata": holes("uint16", 0),
    "int16 with nodata": holes("int16", -9999),
    "float32 with NaN nodata": holes("float32", np.nan, compress="DEFLATE", predictor=3),
    "float64 with nodata": holes("float64", -1.5e300),
    "int8": holes("int8", -7),
    "mask": masked,
    "jpeg": jpeg,
    "planar separate": planar,
    "gcps": gcps,
    "rpcs": rpcs,
    "big endian": big_endian,
    "tiled without overviews": tiled,
    "overviews behind the image": wrong_order,
}
