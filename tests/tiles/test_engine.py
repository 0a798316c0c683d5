"""The engine as a whole: which way a tile goes, what it looks like, and that versions never mix."""

import io
import os
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio._env import get_gdal_config, set_gdal_config
from rasterio.control import GroundControlPoint
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile

from gateway.colour.model import Style, TileFormat
from gateway.errors import (
    BadParameter,
    CannotBeDrawn,
    NotFound,
    ObjectMissing,
    TileOutsideGrid,
    VersionChanged,
)
from gateway.ground.address import TileAddress
from gateway.tiles import passthrough
from tests.tiles.rasters import MERCATOR, engine_of, landscape, mercator_tile, stretch_in, utm, write
from tests.tiles.test_warp import tile_over

PNG, JPEG, WEBP = TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP


def address_over(path, zoom=12):
    tile = tile_over(path, zoom)
    return TileAddress("WebMercatorQuad", tile.z, tile.x, tile.y)


def decoded(body):
    """Return the bands of an encoded picture as GDAL reads it, a palette spread to RGBA."""
    with warnings.catch_warnings(), MemoryFile(body) as memory:
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        return _pixels(memory)


def _pixels(memory):
    with memory.open() as raster:
        pixels = raster.read()
        if raster.colorinterp[0].name != "palette":
            return pixels
        colours = raster.colormap(1)
        return np.array([colours.get(value, (0, 0, 0, 0)) for value in range(256)])[pixels[0]].transpose(2, 0, 1)


def on_grid(folder, compress="JPEG", **options):
    """Write a raster on the grid of zoom 10, with its overviews on that of 9 and 8."""
    return write(
        folder / "a.tif",
        landscape(3, 1024, 1024),
        mercator_tile(8, 137, 88, 10),
        MERCATOR,
        blocksize=256,
        compress=compress,
        **options,
    )


@pytest.fixture
def hills(tmp_path):
    return write(tmp_path / "a.tif", landscape(3, 700, 900), utm())


@pytest.mark.parametrize("format", [PNG, JPEG, WEBP])
def test_a_warped_tile_is_drawn_the_fast_way_in_every_picture_format(hills, format):
    with engine_of(hills) as (engine, record):
        tile = engine.tile(record, address_over(hills), Style(), format)
    assert (tile.way, tile.format) == ("hot", format)
    assert decoded(tile.body).shape == (3, 256, 256)


@pytest.mark.parametrize(("zoom", "format"), [(13, JPEG), (10, PNG)])
def test_without_a_format_it_is_jpeg_unless_a_pixel_is_masked(hills, zoom, format):
    with engine_of(hills) as (engine, record):
        assert engine.tile(record, address_over(hills, zoom), Style(), None).format == format


@pytest.mark.parametrize(
    ("style", "format"),
    [
        (Style(reproject="cubic"), PNG),
        (Style(expression="b1*2"), PNG),
        (Style(color_formula="gamma R 2"), PNG),
        (Style(bidx=(1, 2)), TileFormat.NPY),
        (Style(), TileFormat.TIF),
        (Style(), TileFormat.NPY),
    ],
)
def test_what_the_fast_way_does_not_do_goes_to_rio_tiler(hills, style, format):
    with engine_of(hills) as (engine, record):
        tile = engine.tile(record, address_over(hills), style, format)
    assert (tile.way, tile.format) == ("rio-tiler", format)


def test_a_buffer_widens_the_tile(hills):
    address = address_over(hills)
    wider = TileAddress(address.tms, address.z, address.x, address.y, buffer=2)
    with engine_of(hills) as (engine, record):
        tile = engine.tile(record, wider, Style(), PNG)
        plain = engine.tile(record, address, Style(), PNG)
    assert decoded(tile.body).shape[1:] == (260, 260)
    assert (decoded(tile.body)[:3, 2:-2, 2:-2] == decoded(plain.body)[:3]).mean() > 0.95


@pytest.mark.parametrize("format", [None, PNG, JPEG, WEBP])
def test_a_tile_beside_the_data_is_empty(hills, format):
    with engine_of(hills) as (engine, record):
        tile = engine.tile(record, TileAddress("WebMercatorQuad", 8, 3, 3), Style(), format)
    assert (tile.way, tile.format) == ("empty", format or PNG)
    pixels = decoded(tile.body)
    assert pixels.shape[1:] == (256, 256)
    assert not pixels[3 if tile.format is not JPEG else 0].any()


@pytest.mark.parametrize("place", [(0, 1, 0), (0, 0, -1), (25, 0, 0), (-1, 0, 0), (3, 8, 0)])
def test_a_tile_outside_of_the_grid_is_none(hills, place):
    with engine_of(hills) as (engine, record), pytest.raises(TileOutsideGrid):
        engine.tile(record, TileAddress("WebMercatorQuad", *place), Style(), PNG)


def test_an_unknown_tile_matrix_set_is_not_found(hills):
    with engine_of(hills) as (engine, record), pytest.raises(NotFound):
        engine.tile(record, TileAddress("Square", 0, 0, 0), Style(), PNG)


def test_a_band_that_is_not_there_is_named(hills):
    with engine_of(hills) as (engine, record), pytest.raises(BadParameter, match="bidx"):
        engine.tile(record, address_over(hills), Style(bidx=(4,)), PNG)


def test_bands_come_in_the_order_of_the_request(hills):
    with engine_of(hills) as (engine, record):
        straight = decoded(engine.tile(record, address_over(hills), Style(), PNG).body)
        turned = decoded(engine.tile(record, address_over(hills), Style(bidx=(3, 1, 2)), PNG).body)
        single = decoded(engine.tile(record, address_over(hills), Style(bidx=(2,)), PNG).body)
    assert np.array_equal(turned, straight[[2, 0, 1]])
    assert np.array_equal(single, straight[[1]])


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
def test_values_of_many_bits_fill_the_range_of_a_byte_without_parameters(tmp_path, dtype):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900, dtype), utm())
    with engine_of(path) as (engine, record):
        stretch = stretch_in(engine, record)
        tile = engine.tile(record, address_over(path, 13), Style(), PNG)
        told = engine.tile(record, address_over(path, 13), Style(rescale=stretch.bands), PNG)
    pixels = decoded(tile.body)
    assert np.ptp(pixels) > 200
    assert tile.body == told.body


def test_bytes_have_no_default_range(hills):
    with engine_of(hills) as (engine, record):
        assert stretch_in(engine, record) is None


def test_raw_formats_keep_the_values(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900, "uint16"), utm())
    with engine_of(path) as (engine, record):
        tile = engine.tile(record, address_over(path, 13), Style(), TileFormat.NPY)
    assert np.load(io.BytesIO(tile.body))[0].max() > 1000


@pytest.mark.parametrize("level", [0, 1, 2])
def test_stored_jpeg_blocks_leave_as_they_are(tmp_path, level):
    path = on_grid(tmp_path)
    address = TileAddress("WebMercatorQuad", 10 - level, 137 * 4 >> level, 88 * 4 >> level)
    with engine_of(path) as (engine, record):
        tile = engine.tile(record, address, Style(), JPEG)
        unasked = engine.tile(record, address, Style(), None)
    assert (tile.way, tile.format) == ("passthrough", JPEG)
    assert unasked == tile
    kwargs = {"overview_level": level - 1} if level else {}
    with rasterio.open(path, **kwargs) as raster:
        stored = raster.read(window=((0, 256), (0, 256)))
    assert np.array_equal(decoded(tile.body), stored)


@pytest.mark.parametrize("options", [{"quality": 80}, {"quality": 100}])
def test_stored_webp_blocks_leave_as_they_are(tmp_path, options):
    path = on_grid(tmp_path, "WEBP", **options)
    with engine_of(path) as (engine, record):
        tile = engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4 + 2), Style(), WEBP)
        other = engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4 + 2), Style(), JPEG)
    assert (tile.way, other.way) == ("passthrough", "hot")
    with rasterio.open(path) as raster:
        stored = raster.read(window=((512, 768), (256, 512)))
    assert np.array_equal(decoded(tile.body), stored)


@pytest.mark.parametrize(
    "style",
    [
        Style(bidx=(2,)),
        Style(bidx=(3, 2, 1)),
        Style(rescale=((0, 100),)),
        Style(nodata=0),
        Style(color_formula="gamma R 2"),
        Style(expression="b1;b2;b3"),
    ],
)
def test_a_style_that_changes_pixels_is_never_answered_with_stored_blocks(tmp_path, style):
    path = on_grid(tmp_path)
    with engine_of(path) as (engine, record):
        address = TileAddress("WebMercatorQuad", 10, 137 * 4, 88 * 4)
        assert engine.tile(record, address, style, JPEG).way != "passthrough"
        assert engine.tile(record, address, Style(bidx=(1, 2, 3), resampling="cubic"), JPEG).way == "passthrough"


@pytest.mark.parametrize("what", ["nodata", "mask", "alpha", "one band", "beside the grid", "another size"])
def test_blocks_that_are_no_whole_tiles_are_drawn(tmp_path, what):
    kwargs, pixels, transform, size = {}, landscape(3, 1024, 1024), mercator_tile(8, 137, 88, 10), 256
    compress = "JPEG"
    if what == "nodata":
        kwargs["nodata"] = 0
    elif what == "mask":
        kwargs["mask"] = np.full((1024, 1024), 255, np.uint8)
        kwargs["mask"][:9] = 0
    elif what == "alpha":
        kwargs["alpha"], pixels, compress = True, landscape(4, 1024, 1024), "WEBP"
    elif what == "one band":
        compress, pixels = "DEFLATE", landscape(1, 1024, 1024)
    elif what == "beside the grid":
        transform = transform * Affine.translation(0.5, 0)
    else:
        size = 512
    path = write(tmp_path / "a.tif", pixels, transform, MERCATOR, blocksize=256, compress=compress, **kwargs)
    format = WEBP if compress == "WEBP" else JPEG
    with engine_of(path) as (engine, record):
        tile = engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4 + 1, size), Style(), format)
    assert tile.way == "hot"


def test_a_partial_block_at_the_edge_is_drawn(tmp_path):
    path = write(
        tmp_path / "a.tif",
        landscape(3, 300, 300),
        mercator_tile(8, 137, 88, 10),
        MERCATOR,
        blocksize=256,
        compress="JPEG",
    )
    with engine_of(path) as (engine, record):
        ways = [
            engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + n, 88 * 4), Style(), JPEG).way
            for n in (0, 1)
        ]
    assert ways == ["passthrough", "hot"]


def test_blocks_of_512_are_tiles_of_512(tmp_path):
    path = write(
        tmp_path / "a.tif",
        landscape(3, 1024, 1024),
        mercator_tile(8, 137, 88, 10),
        MERCATOR,
        blocksize=512,
        compress="JPEG",
    )
    with engine_of(path) as (engine, record):
        address = TileAddress("WebMercatorQuad", 9, 137 * 2, 88 * 2, 256, 2)
        assert engine.tile(record, address, Style(), JPEG).way == "passthrough"


def test_a_colormap_makes_a_palette(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 700, 900, "uint16"), utm(), nodata=0)
    with engine_of(path) as (engine, record):
        tile = engine.tile(record, address_over(path, 10), Style(colormap_name="viridis", rescale=((0, 4000),)), PNG)
        picture = engine.tile(record, address_over(path, 13), Style(colormap_name="viridis"), None)
    assert tile.way == "hot"
    assert tile.body[25] == 3
    alpha = decoded(tile.body)[3]
    assert set(np.unique(alpha)) == {0, 255}
    assert (picture.way, picture.format) == ("hot", JPEG)


def test_the_colours_of_a_paletted_raster_are_its_own(tmp_path):
    pixels = np.zeros((1, 300, 400), np.uint8)
    pixels[:, 100:] = 7
    colours = {0: (10, 20, 30, 255), 7: (200, 100, 50, 255)}
    path = write(tmp_path / "a.tif", pixels, utm(), colours=colours)
    with engine_of(path) as (engine, record):
        drawn = decoded(engine.tile(record, address_over(path, 13), Style(), PNG).body)
    assert {tuple(colour) for colour in drawn[:3].reshape(3, -1).T} <= {colour[:3] for colour in colours.values()}


def test_categories_on_floats_are_refused_with_a_reason(tmp_path):
    path = write(tmp_path / "a.tif", landscape(1, 300, 400, "float32"), utm())
    with (
        engine_of(path) as (engine, record),
        pytest.raises(BadParameter, match="colormap: the values are no categories"),
    ):
        engine.tile(record, address_over(path), Style(colormap=((1, (0, 0, 0, 255)),)), PNG)


def test_a_colormap_on_three_bands_is_refused(hills):
    with engine_of(hills) as (engine, record), pytest.raises(BadParameter, match="colormap"):
        engine.tile(record, address_over(hills), Style(colormap_name="viridis"), PNG)


def test_categories_on_bytes_have_their_colours_and_nothing_else(tmp_path):
    pixels = np.tile(np.array([1, 2, 3], np.uint8).repeat(100), (1, 300, 1))
    path = write(tmp_path / "a.tif", pixels, utm())
    style = Style(colormap=((1, (255, 0, 0, 255)), (2, (0, 255, 0, 128))))
    with engine_of(path) as (engine, record):
        drawn = decoded(engine.tile(record, address_over(path, 12), style, PNG).body)
    found = {tuple(int(v) for v in colour) for colour in drawn.reshape(4, -1).T}
    assert {(255, 0, 0, 255), (0, 255, 0, 128)} <= found
    assert all(colour[3] == 0 for colour in found - {(255, 0, 0, 255), (0, 255, 0, 128)})


def test_without_a_mask_the_picture_has_no_alpha(hills):
    with engine_of(hills) as (engine, record):
        tile = engine.tile(record, address_over(hills, 10), Style(return_mask=False), PNG)
    assert len(decoded(tile.body)) == 3


def test_a_file_that_changed_is_never_mixed_with_the_old_one(hills):
    with engine_of(hills) as (engine, record):
        engine.tile(record, address_over(hills), Style(), PNG)
        os.utime(hills, ns=(1, 1))
        for address in (address_over(hills, 11), address_over(hills, 13)):
            with pytest.raises(VersionChanged):
                engine.tile(record, address, Style(), PNG)
        with pytest.raises(VersionChanged):
            engine.lend(record, lambda raster: raster.shape)


def test_a_file_that_is_gone_is_missing(hills):
    with engine_of(hills) as (engine, record):
        hills.unlink()
        with pytest.raises(ObjectMissing):
            engine.tile(record, TileAddress("WebMercatorQuad", 1, 0, 0), Style(), PNG)


def test_the_opened_dataset_is_that_of_the_version(hills):
    with engine_of(hills) as (engine, record):
        assert engine.lend(record, lambda handle: handle.view.size) == (900, 700)


def test_several_threads_draw_the_same_tiles(hills):
    addresses = [address_over(hills, zoom) for zoom in (9, 10, 11, 12, 13, 14)]
    with engine_of(hills, handles=1) as (engine, record):
        alone = [engine.tile(record, address, Style(), PNG).body for address in addresses]
        found = {}
        threads = [
            threading.Thread(
                target=lambda n=n: found.update({n: [engine.tile(record, a, Style(), PNG).body for a in addresses]})
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [found[n] for n in range(4)] == [alone] * 4


def test_a_sparse_block_is_drawn(tmp_path):
    pixels = landscape(3, 1024, 1024)
    pixels[:, :256, :256] = 0
    path = write(
        tmp_path / "a.tif",
        pixels,
        mercator_tile(8, 137, 88, 10),
        MERCATOR,
        blocksize=256,
        compress="JPEG",
        sparse_ok=True,
    )
    with engine_of(path) as (engine, record):
        ways = [
            engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + n, 88 * 4), Style(), JPEG).way
            for n in (0, 1)
        ]
    assert ways == ["hot", "passthrough"]


@pytest.mark.parametrize(("bands", "photometric"), [(1, None), (3, "RGB")])
def test_grey_and_rgb_jpeg_blocks_keep_their_colours(tmp_path, bands, photometric):
    pixels = landscape(bands, 1024, 1024)
    plain = tmp_path / "plain.tif"
    options = {"photometric": photometric} if photometric else {}
    with rasterio.open(
        plain,
        "w",
        driver="GTiff",
        count=bands,
        width=1024,
        height=1024,
        dtype="uint8",
        crs=MERCATOR,
        transform=mercator_tile(8, 137, 88, 10),
        tiled=True,
        blockxsize=256,
        blockysize=256,
        compress="JPEG",
        interleave="pixel",
        **options,
    ) as raster:
        raster.write(pixels)
    with engine_of(plain) as (engine, record):
        tile = engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4), Style(), JPEG)
    assert tile.way == "passthrough"
    with rasterio.open(plain) as raster:
        assert np.array_equal(decoded(tile.body), raster.read(window=((0, 256), (256, 512))))


@pytest.mark.parametrize(("compress", "off"), [("JPEG", 0.6), ("WEBP", 0)])
@pytest.mark.parametrize("bands", [(), (3, 1, 2), (2,)])
def test_a_stored_block_in_another_format_has_the_pixels_that_gdal_decodes(tmp_path, compress, off, bands):
    path = on_grid(tmp_path, compress)
    with engine_of(path) as (engine, record):
        tile = engine.tile(
            record, TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4 + 2), Style(bidx=bands), PNG
        )
    with rasterio.open(path) as raster:
        stored = raster.read(list(bands or (1, 2, 3)), window=((512, 768), (256, 512)))
    found = decoded(tile.body).astype(float)
    assert tile.way == "hot"
    # Another decoder of JPEG spreads half the colours in another way, by a few levels.
    assert np.abs(found - stored).mean() <= off
    assert np.abs(found - stored).max() <= 40 * off


@pytest.mark.parametrize(("deeper", "bands"), [(1, ()), (2, (3, 1)[:1]), (8, ())])
def test_tiles_beyond_the_stored_zoom_are_parts_of_one_block_that_is_decoded_once(
    tmp_path, deeper, bands, monkeypatch
):
    path = on_grid(tmp_path, "WEBP")
    decoded_blocks = []
    decode = passthrough.DECODERS[WEBP]
    monkeypatch.setitem(passthrough.DECODERS, WEBP, lambda body: decoded_blocks.append(1) or decode(body))
    side = 256 >> deeper
    row, column = 512 // side + 1 if deeper < 8 else 600, 256 // side + (deeper > 1)
    with engine_of(path) as (engine, record):
        # Beside it the whole block, which is another tile.
        for x, y in ((column, row), (column, row - 1 if deeper < 8 else row)):
            address = TileAddress("WebMercatorQuad", 10 + deeper, (137 * 4 << deeper) + x, (88 * 4 << deeper) + y)
            tile = engine.tile(record, address, Style(bidx=bands), PNG)
            with rasterio.open(path) as raster:
                window = ((y * side, (y + 1) * side), (x * side, (x + 1) * side))
                stored = raster.read(list(bands or (1, 2, 3)), window=window)
            assert np.array_equal(decoded(tile.body), stored.repeat(256 // side, axis=1).repeat(256 // side, axis=2))
            assert tile.way == "hot"
        assert len(decoded_blocks) == 1
        engine.tile(record, address, Style(bidx=bands, resampling="bilinear"), PNG)
        assert len(decoded_blocks) == 1


def test_a_stored_block_that_cannot_be_decoded_is_told(tmp_path):
    path = on_grid(tmp_path, "WEBP")
    with rasterio.open(path) as raster:
        offset = int(raster.get_tag_item("BLOCK_OFFSET_1_2", "TIFF", bidx=1))
    with path.open("r+b") as file:
        file.seek(offset + 16)
        file.write(bytes(64))
    with engine_of(path) as (engine, record), pytest.raises(CannotBeDrawn):
        engine.tile(record, TileAddress("WebMercatorQuad", 10, 137 * 4 + 1, 88 * 4 + 2), Style(), PNG)
    with engine_of(path) as (engine, record), pytest.raises(CannotBeDrawn):
        engine.tile(record, TileAddress("WebMercatorQuad", 11, 137 * 8 + 2, 88 * 8 + 4), Style(), PNG)


def test_a_raster_without_a_crs_has_no_tiles(tmp_path):
    pixels = landscape(1, 64, 64)
    with rasterio.open(
        tmp_path / "a.tif",
        "w",
        driver="GTiff",
        count=1,
        width=64,
        height=64,
        dtype="uint8",
        transform=utm(),
        tiled=True,
    ) as raster:
        raster.write(pixels)
    with engine_of(tmp_path / "a.tif") as (engine, record), pytest.raises(NotFound, match="no place on a map"):
        engine.tile(record, TileAddress("WebMercatorQuad", 0, 0, 0), Style(), PNG)


def test_a_raster_placed_by_control_points_is_drawn_as_one_with_a_transform(tmp_path):
    points = [
        GroundControlPoint(row, col, 500_000 + 30 * col, 5_300_000 - 30 * row) for row in (0, 300) for col in (0, 400)
    ]
    options = {"driver": "GTiff", "count": 1, "width": 400, "height": 300, "dtype": "uint8", "tiled": True}
    path = tmp_path / "a.tif"
    with rasterio.open(path, "w", **options, gcps=points, crs="EPSG:32633") as raster:
        raster.write(landscape(1, 300, 400))
    other = write(tmp_path / "b.tif", landscape(1, 300, 400), utm())
    with engine_of(path) as (engine, record):
        tiles = [engine.tile(record, address_over(other, 13), Style(), form) for form in (PNG, TileFormat.NPY)]
    with engine_of(other) as (engine, record):
        twins = [engine.tile(record, address_over(other, 13), Style(), form) for form in (PNG, TileFormat.NPY)]
    assert [tile.body for tile in tiles] == [twin.body for twin in twins]


def test_the_cache_of_decoded_blocks_is_bounded_for_every_thread(hills):
    before = get_gdal_config("GDAL_CACHEMAX")
    with engine_of(hills, cache_bytes=6 << 20) as (engine, record), ThreadPoolExecutor(1) as pool:
        pool.submit(engine.tile, record, address_over(hills), Style(), PNG).result()
        found = [get_gdal_config("GDAL_CACHEMAX"), pool.submit(get_gdal_config, "GDAL_CACHEMAX").result()]
    set_gdal_config("GDAL_CACHEMAX", before)
    assert found == [3 << 20] * 2
