"""Blocks that are decoded here have the values that GDAL reads; what is stored in another way is left to GDAL."""

import struct
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from gateway.reading.blockmemory import BlockMemory
from gateway.reading.blocks import DecodedBlocks, Form, read_window
from gateway.reading.source import read_source
from tests.tiles.rasters import handle_of, landscape, utm, write

# Over four blocks, over one, over the right and lower end where blocks are padded, of one pixel.
WINDOWS = Window(100, 90, 60, 70), Window(3, 5, 20, 30), Window(260, 180, 40, 20), Window(128, 128, 1, 1)


def hills(path, dtype="uint8", bands=3, **options):
    return write(path / "hills.tif", landscape(bands, 200, 300, dtype), utm(), **options)


@pytest.mark.parametrize("predictor", ["NO", "YES"])
@pytest.mark.parametrize("compress", ["NONE", "LZW", "DEFLATE", "ZSTD"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32"])
def test_blocks_have_the_values_that_gdal_reads(tmp_path, dtype, compress, predictor):
    path = hills(tmp_path, dtype, compress=compress, predictor=predictor)
    with handle_of(path) as handle, rasterio.open(path) as raster:
        for window in WINDOWS:
            for bands in ((1, 2, 3), (2,), (3, 1)):
                found = read_window(handle, 0, window, bands)
                assert found.dtype == raster.dtypes[0]
                assert np.array_equal(found, raster.read(bands, window=window))


def test_overviews_and_floats_are_read_too(tmp_path):
    path = write(tmp_path / "f.tif", landscape(1, 600, 700, "float32"), utm())
    with handle_of(path) as handle, rasterio.open(path, overview_level=0) as raster:
        window = Window(0, 0, 300, 200)
        assert np.array_equal(read_window(handle, 1, window, (1,)), raster.read(window=window))


@pytest.mark.parametrize(
    "options",
    [
        {"compress": "JPEG"},
        {"compress": "DEFLATE", "predictor": "FLOATING_POINT", "dtype": "float32"},
        {"dtype": "float64"},
    ],
    ids=str,
)
def test_what_is_stored_in_another_way_is_left_to_gdal(tmp_path, options):
    path = hills(tmp_path, **options)
    with handle_of(path) as handle, rasterio.open(path) as raster:
        assert read_window(handle, 0, WINDOWS[0], (1, 2, 3)) is None
        assert np.array_equal(
            read_source(handle, 0, WINDOWS[0], (2,), None).pixels, raster.read([2], window=WINDOWS[0])
        )


@pytest.mark.parametrize(
    "options",
    [{"interleave": "band"}, {"ENDIANNESS": "BIG"}, {"nbits": 4}, {"photometric": "CIELAB"}, {"sparse_ok": True}],
    ids=str,
)
def test_layouts_that_are_not_known_are_left_to_gdal(tmp_path, options):
    path = tmp_path / "plain.tif"
    profile = {"driver": "GTiff", "count": 3, "height": 200, "width": 300, "dtype": "uint8", "compress": "DEFLATE"}
    profile |= {"crs": "EPSG:32633", "transform": utm(), "tiled": True, "blockxsize": 128, "blockysize": 128}
    profile |= {"interleave": "pixel"} | options
    with rasterio.open(path, "w", **profile) as raster:
        if "sparse_ok" not in options:
            raster.write(landscape(3, 200, 300) % 16)
    with handle_of(path) as handle:
        assert read_window(handle, 0, WINDOWS[0], (1, 2, 3)) is None


def changed(path, tag, value, put=None):
    """Write a number of a tag, of its first directory, and another tag in place of it where `put` is told."""
    data = bytearray(path.read_bytes())
    first = struct.unpack_from("<I", data, 4)[0]
    entries = range(first + 2, first + 2 + 12 * struct.unpack_from("<H", data, first)[0], 12)
    at = next(at for at in entries if struct.unpack_from("<H", data, at)[0] == tag)
    if put is None:
        size, count = struct.unpack_from("<HI", data, at + 2)
        width = {3: "<H", 4: "<I"}[size]
        within = struct.calcsize(width) * count <= 4
        struct.pack_into(width, data, at + 8 if within else struct.unpack_from("<I", data, at + 8)[0], value)
    else:
        struct.pack_into("<HHIHH", data, at, put, 3, 1, value, 0)
    path.write_bytes(data)


@pytest.mark.parametrize("told", [(325, 1), (339, 2, 317)], ids=["a byte for a block", "a predictor without a codec"])
def test_plain_blocks_that_are_told_of_falsely_are_read_as_gdal_does(tmp_path, told):
    path = hills(tmp_path, bands=1, compress="NONE", overviews="NONE")
    changed(path, *told)
    with handle_of(path) as handle, rasterio.open(path) as raster:
        window = Window(0, 0, 60, 70)
        assert read_window(handle, 0, window, (1,)) is None
        assert np.array_equal(read_source(handle, 0, window, (1,), None).pixels, raster.read(window=window))


def test_what_is_read_may_be_written_to_and_the_kept_block_stays(tmp_path):
    with handle_of(hills(tmp_path)) as handle:
        first = read_window(handle, 0, Window(0, 0, 128, 128), (1, 2, 3))
        kept = first.copy()
        first[:] = 0
        assert np.array_equal(read_window(handle, 0, Window(0, 0, 128, 128), (1, 2, 3)), kept)


def test_a_window_of_many_blocks_is_left_to_gdal(tmp_path):
    path = write(tmp_path / "wide.tif", landscape(1, 650, 650), utm())
    with handle_of(path) as handle:
        assert read_window(handle, 0, Window(0, 0, 650, 650), (1,)) is None
        assert read_window(handle, 0, Window(0, 0, 500, 500), (1,)) is not None


FORM = Form((10, 10, 1), np.dtype("uint8"))


def filled(value, made=None):
    def make(block):
        block[:] = value
        if made is not None:
            made.append(value)
        return True

    return make


def test_a_block_that_is_kept_is_not_decoded_again():
    blocks, made = DecodedBlocks(BlockMemory(1 << 20)), []
    for _ in range(2):
        assert blocks.read(b"a" * 16, FORM, filled(7, made), np.copy).max() == 7
    assert made == [7]


def test_a_block_that_several_want_at_once_is_decoded_once():
    blocks, made, both, begun = DecodedBlocks(BlockMemory(1 << 20)), [], Barrier(2), Event()

    def make(block):
        begun.set()
        both.wait(10)
        return filled(3, made)(block)

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(blocks.read, b"a" * 16, FORM, make, np.copy)
        begun.wait(10)
        second = pool.submit(blocks.read, b"a" * 16, FORM, make, np.copy)
        both.wait(10)
        assert first.result().max() == second.result().max() == 3
    assert made == [3]


def test_a_block_that_cannot_be_read_keeps_nobody_waiting():
    blocks = DecodedBlocks(BlockMemory(1 << 20))
    with pytest.raises(OSError, match="gone"):
        blocks.read(b"a" * 16, FORM, lambda _: (_ for _ in ()).throw(OSError("gone")), np.copy)
    assert blocks.read(b"a" * 16, FORM, lambda _: False, np.copy) is None
    assert blocks.read(b"a" * 16, FORM, filled(1), np.copy).max() == 1


def test_what_is_overwritten_while_it_is_read_is_decoded_anew():
    memory = BlockMemory(8192)
    blocks, read = DecodedBlocks(memory), []

    def copy(block):
        if not read:
            for _ in range(9):
                memory.take(1000)
        read.append(1)
        return block.copy()

    assert blocks.read(b"a" * 16, FORM, filled(5), copy).max() == 5
    assert len(read) == 2


def test_without_room_a_block_is_decoded_all_the_same():
    blocks = DecodedBlocks(BlockMemory(512))
    assert blocks.read(b"a" * 16, FORM, filled(5), np.copy).max() == 5
