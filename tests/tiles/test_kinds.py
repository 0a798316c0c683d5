"""Rasters of every data type and compression: each is a picture, or a refusal that explains."""

import math

import numpy as np
import pytest
import rasterio

from gateway.colour.model import Style, TileFormat
from gateway.errors import GatewayError
from gateway.ground.address import TileAddress
from gateway.tiles import facts, pictures
from tests.tiles.rasters import UTM, engine_of, landscape, utm, write
from tests.tiles.test_warp import tile_over

INTEGERS = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")
FLOATS = ("float32", "float64")
COMPLEX = ("complex64", "complex128", "complex_int16")
# Creation options of GDAL's GTiff driver by what they make; `dtype` and `bands` are of the pixels.
KINDS = {
    **{dtype: {"dtype": dtype} for dtype in (*INTEGERS, *FLOATS, *COMPLEX)},
    **{f"{name.lower()} {dtype}": {"compress": name, "dtype": dtype} for name in ("LERC", "LERC_ZSTD")
       for dtype in ("uint8", "int16", "uint32", "float32", "float64")},
    **{name.lower(): {"compress": name} for name in ("LZW", "ZSTD", "LZMA", "PACKBITS")},
    "one bit": {"nbits": 1}, "one bit, white is 0": {"nbits": 1, "photometric": "MINISWHITE"},
    "fax": {"nbits": 1, "compress": "CCITTFAX4"}, "four bits": {"nbits": 4}, "half": {"dtype": "float32", "nbits": 16},
    "cmyk": {"bands": 4, "photometric": "CMYK"}, "cmyk jpeg": {"bands": 4, "photometric": "CMYK", "compress": "JPEG"},
    "jpeg of 12 bits": {"dtype": "uint16", "compress": "JPEG", "nbits": 12}, "lab": {"bands": 3, "photometric": "CIELAB"},
    "ycbcr jpeg": {"bands": 3, "photometric": "YCBCR", "compress": "JPEG"},
    "masked jpeg": {"bands": 3, "photometric": "YCBCR", "compress": "JPEG", "masked": True},
    "webp": {"bands": 3, "compress": "WEBP", "webp_lossless": True}, "two bands": {"bands": 2, "compress": "DEFLATE"},
    "five bands": {"bands": 5}, "bands apart": {"bands": 3, "interleave": "band", "compress": "JPEG"},
    "alpha of 16 bits": {"bands": 4, "dtype": "uint16", "photometric": "RGB", "alpha": "YES"},
    "nodata out of range": {"nodata": 255, "dtype": "int16"}, "nodata nan": {"dtype": "float32", "nodata": math.nan},
    "palette": {"colours": {1: (255, 0, 0, 255), 2: (0, 0, 255, 0)}},
}  # fmt: skip
STYLES = (
    Style(), Style(expression="b1*2"), Style(bidx=(1,), colormap_name="viridis"), Style(rescale=((0, 100),)),
    Style(algorithm="hillshade"), Style(nodata=math.nan), Style(reproject="cubic", unscale=True),
    Style(bidx=(1,), colormap=((1, (1, 2, 3, 255)),)),
)  # fmt: skip


def values_of(dtype, bands, nbits):
    if nbits in (1, 4):
        return landscape(bands, 300, 300) >> (8 - nbits)
    if dtype in COMPLEX:
        hills = landscape(bands, 300, 300, "float32")
        return (hills + 1j * hills).astype("complex64" if dtype == "complex_int16" else dtype)
    return (landscape(bands, 300, 300) >> (1 if dtype == "int8" else 0)).astype(dtype)


def written(path, dtype="uint8", bands=1, *, masked=False, colours=None, **options):
    profile = {
        "driver": "GTiff", "count": bands, "height": 300, "width": 300, "dtype": dtype, "crs": UTM, "transform": utm(),
        "tiled": True, "blockxsize": 128, "blockysize": 128,
    }  # fmt: skip
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile, **options) as raster:
        raster.write(values_of(dtype, bands, options.get("nbits")))
        if colours:
            raster.write_colormap(1, colours)
        if masked:
            raster.write_mask(np.arange(90_000).reshape(300, 300) % 7 > 2)
    return path


def refusal(work, *args):
    """Return the status of a refusal that says why, 0 for one that does not, or 200."""
    try:
        work(*args)
    except GatewayError as error:
        return error.status if error.detail else 0
    return 200


def answers(engine, record, address):
    """Yield what was asked of a raster, and the status of the answer."""
    for style in STYLES:
        for format in (None, *TileFormat):
            yield (style, format), refusal(engine.tile, record, address, style, format)
        yield (style, "preview"), refusal(pictured, engine, record, style)
        yield (style, "statistics"), refusal(told, engine, record, style)
    yield "info", refusal(told, engine, record, None)


def pictured(engine, record, style):
    style = engine.resolved(record, style, TileFormat.PNG)
    engine.lend(record, lambda handle: pictures.preview(handle, style, (64, None, None), TileFormat.PNG))


def told(engine, record, style):
    engine.lend(
        record, facts.info if style is None else lambda handle: facts.statistics(handle, style, (64, None, None))
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_picture_or_a_refusal_that_explains(tmp_path, kind):
    path = written(tmp_path / "a.tif", **KINDS[kind])
    tile = tile_over(path, 12)
    with engine_of(path) as (engine, record):
        found = dict(answers(engine, record, TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y)))
    refusals = (400, 422) if kind.startswith("complex") else (400,)
    assert {what: status for what, status in found.items() if status not in (200, *refusals)} == {}
    assert found["info"] == 200
    assert found[Style(), TileFormat.NPY] == 200
    if kind.startswith("complex"):
        assert found[Style(), TileFormat.PNG] == found[Style(), "preview"] == found[Style(), "statistics"] == 422
    else:
        assert found[Style(bidx=(1,), colormap_name="viridis"), TileFormat.PNG] == 200


@pytest.mark.parametrize("value", [math.nan, math.inf, 1e308])
def test_values_that_no_range_holds_are_pictures(tmp_path, value):
    pixels = np.full((1, 300, 300), value)
    pixels[0, ::2] *= -1
    path = write(tmp_path / "a.tif", pixels, utm())
    tile = tile_over(path, 12)
    with engine_of(path) as (engine, record):
        address = TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y)
        assert refusal(engine.tile, record, address, Style(), TileFormat.PNG) == 200
        assert refusal(told, engine, record, Style()) in (200, 422)
