"""Rasters in a network: the pixels of local ones, in few requests, closed wherever, and given up at once."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from rasterio.warp import transform

from gateway.colour.model import Style, TileFormat
from gateway.errors import StorageUnavailable, VersionChanged
from gateway.ground.address import TileAddress
from gateway.reading.far import GAP_BYTES, LEAST_BYTES, MOST_BYTES, FarSource, Kept
from gateway.tiles import facts, pictures
from gateway.tiles.engine import TileEngine
from tests.tiles.far import Far, FarStorage
from tests.tiles.rasters import (
    MERCATOR,
    UTM,
    dataset,
    engine_of,
    landscape,
    mercator_tile,
    opener,
    stretch_in,
    utm,
    write,
)

PNG, JPEG, WEBP, NPY, TIF = TileFormat.PNG, TileFormat.JPEG, TileFormat.WEBP, TileFormat.NPY, TileFormat.TIF
# Some tile of zoom 10 within the raster on the grid.
ON_GRID = TileAddress("WebMercatorQuad", 10, 549, 353)


@contextmanager
def far_engine(path, **options):
    """Yield an engine over the folder of a file as if it were far, the record of the file, and the storage."""
    storages, record = dataset(path.parent, path.name)
    storage = FarStorage(storages["data"])
    engine = TileEngine(opener({"data": storage}), **{"handles": 4, **options})
    try:
        yield engine, record, storage
    finally:
        engine.close()


@pytest.fixture(scope="module")
def on_grid(tmp_path_factory):
    pixels = landscape(3, 1024, 1024)
    return write(
        tmp_path_factory.mktemp("grid") / "a.tif", pixels, mercator_tile(8, 137, 88, 10), MERCATOR, blocksize=256,
        compress="JPEG",
    )  # fmt: skip


@pytest.fixture(scope="module")
def hills(tmp_path_factory):
    pixels = landscape(3, 1500, 1500, "uint16")
    return write(tmp_path_factory.mktemp("hills") / "a.tif", pixels, utm(), blocksize=256)


def place_of(path_crs, x, y):
    (lon,), (lat,) = transform(path_crs, "EPSG:4326", [x], [y])
    return lon, lat


def over(lon, lat, zoom):
    import morecantile

    found = morecantile.tms.get("WebMercatorQuad").tile(lon, lat, zoom)
    return TileAddress("WebMercatorQuad", zoom, found.x, found.y)


@pytest.mark.parametrize("format", [None, PNG, JPEG, WEBP, NPY, TIF])
@pytest.mark.parametrize("zoom", [9, 12])
def test_tiles_are_those_of_the_same_local_file(hills, format, zoom):
    address = over(*place_of(UTM, 515_000, 5_285_000), zoom)
    styles = [Style(), Style(bidx=(2,), colormap_name="viridis", rescale=((0, 4000),)), Style(reproject="cubic")]
    with engine_of(hills) as (near, record), far_engine(hills) as (far, _, _):
        for style in styles:
            expected = near.tile(record, address, style, format)
            assert far.tile(record, address, style, format) == expected


def test_pictures_and_facts_are_those_of_the_same_local_file(hills):
    place = place_of(UTM, 515_000, 5_285_000)
    bounds = (*place, place[0] + 0.05, place[1] + 0.05)
    size = (128, None, None)
    style = Style(rescale=((0, 4000),), bidx=(1, 2, 3))

    def all_of(handle):
        return [
            pictures.preview(handle, style, size, PNG), pictures.part(handle, bounds, (None,) * 2, style, size, PNG),
            pictures.part(handle, bounds, (None,) * 2, style, (1024, None, None), PNG),
            facts.statistics(handle, Style(), (256, None, None)), facts.point(handle, place, None, Style()),
            facts.on_map(handle, "WebMercatorQuad"), facts.info(handle),
        ]  # fmt: skip

    with engine_of(hills) as (near, record), far_engine(hills) as (far, _, _):
        found = [[engine.lend(record, all_of), stretch_in(engine, record)] for engine in (near, far)]
    assert found[0] == found[1]


def test_the_directories_are_read_once_and_a_stored_block_in_one_request_for_itself(on_grid):
    with far_engine(on_grid) as (engine, record, storage):
        assert engine.tile(record, ON_GRID, Style(), JPEG).way == "passthrough"
        (opened,) = storage.opened
        first = len(opened.asked)
        assert first <= 2
        opened.asked.clear()
        tile = engine.tile(record, TileAddress("WebMercatorQuad", 10, 550, 354), Style(), JPEG)
        ((_, length),) = opened.asked
        assert len(tile.body) - 1024 < length <= max(LEAST_BYTES, len(tile.body))


def test_a_drawn_tile_asks_for_its_blocks_alone_near_ones_together(hills):
    address = over(*place_of(UTM, 515_000, 5_285_000), 12)
    with far_engine(hills) as (engine, record, storage):
        stretch_in(engine, record)
        (opened,) = storage.opened
        opened.asked.clear()
        assert engine.tile(record, address, Style(), PNG).way == "hot"
        # 256 pixels of 25 m are 214 of the file's, or less: at most two blocks on each side, each row in one request.
        blocks = opened.size_bytes / 36 * 4
        assert 1 <= len(opened.asked) <= 2
        assert sum(length for _, length in opened.asked) <= blocks
        opened.asked.clear()
        assert engine.tile(record, address, Style(), WEBP).way == "hot"
        assert opened.asked == []


def test_rio_tiler_asks_for_near_blocks_together_too(hills):
    address = over(*place_of(UTM, 515_000, 5_285_000), 12)
    with far_engine(hills) as (engine, record, storage):
        stretch_in(engine, record)
        (opened,) = storage.opened
        opened.asked.clear()
        assert engine.tile(record, address, Style(), NPY).way == "rio-tiler"
        assert 1 <= len(opened.asked) <= 4


def test_a_raster_is_closed_by_another_thread_than_opened_it(hills, on_grid, capfd):
    address = over(*place_of(UTM, 515_000, 5_285_000), 9)
    with far_engine(hills, handles=1) as (engine, record, storage), ThreadPoolExecutor(1) as opener:
        assert opener.submit(engine.tile, record, address, Style(), PNG).result().way == "hot"
        before = len(os.listdir("/proc/self/fd"))
        with ThreadPoolExecutor(1) as closer:
            closer.submit(engine.close).result()
        assert len(os.listdir("/proc/self/fd")) == before - len(storage.opened)
    assert capfd.readouterr().err == ""


def test_a_store_that_fails_is_asked_once_and_never_again_for_that_tile(hills):
    address = over(*place_of(UTM, 515_000, 5_285_000), 12)
    for format in (PNG, NPY):
        with far_engine(hills) as (engine, record, storage):
            stretch_in(engine, record)
            opened = storage.opened[0]
            opened.asked.clear()
            opened.fail()
            with pytest.raises(StorageUnavailable):
                engine.tile(record, address, Style(), format)
            assert len(opened.asked) == 1
            assert engine.tile(record, address, Style(), format).body
            assert len(storage.opened) == 2


@pytest.mark.parametrize("format", [JPEG, PNG, NPY])
def test_an_object_replaced_between_two_tiles_is_never_mixed_with_the_old_one(on_grid, format):
    with far_engine(on_grid) as (engine, record, storage):
        engine.tile(record, ON_GRID, Style(), format)
        storage.opened[0].fail(VersionChanged("changed"))
        with pytest.raises(VersionChanged):
            engine.tile(record, TileAddress("WebMercatorQuad", 10, 550, 354), Style(), format)


def source_of(path, kept):
    storages, _ = dataset(path.parent, path.name)
    opened = Far(storages["data"].open(path.name))
    return FarSource(opened, kept), opened


def test_bytes_are_those_of_the_file_however_they_are_asked_for(tmp_path):
    data = os.urandom(200_000)
    (tmp_path / "a").write_bytes(data)
    source, _ = source_of(tmp_path / "a", Kept(1 << 20))
    extents = [(0, 10), (5, 5000), (150_000, 150_100), (4990, 30_000), (199_990, 300_000), (250_000, 250_001), (7, 7)]
    with source:
        for _ in range(2):
            assert source.read_all(extents) == [data[start:stop] for start, stop in extents]


def test_near_extents_are_one_request_and_far_ones_are_not(tmp_path):
    (tmp_path / "a").write_bytes(bytes(4 << 20))
    source, opened = source_of(tmp_path / "a", Kept(1 << 20))
    with source:
        source.read_all([(0, 5000), (5000 + GAP_BYTES, 30_000)])
        assert opened.asked == [(0, 30_000)]
        opened.asked.clear()
        source.read_all([(100_000, 105_000), (105_001 + GAP_BYTES, 130_000)])
        assert len(opened.asked) == 2
        opened.asked.clear()
        source.read_at(1 << 20, (1 << 20) + 5)
        assert [length for _, length in opened.asked] == [MOST_BYTES, 5]


def test_what_is_kept_is_bounded_and_forgotten_with_its_source(tmp_path):
    (tmp_path / "a").write_bytes(os.urandom(1 << 20))
    kept = Kept(100_000)
    (first, _), (second, asked) = source_of(tmp_path / "a", kept), source_of(tmp_path / "a", kept)
    for at in range(0, 1 << 20, 20_000):
        first.read_at(at, 10_000)
        second.read_at(at, 10_000)
        assert kept.size_bytes <= 100_000
    first.close()
    before = len(asked.asked)
    second.read_at(at, 10_000)
    assert len(asked.asked) == before
    second.read_at(0, 500_000)
    assert kept.size_bytes <= 100_000
    second.close()
    assert kept.size_bytes == 0


def test_a_body_that_breaks_off_is_no_short_read(tmp_path):
    (tmp_path / "a").write_bytes(bytes(10_000))
    source, opened = source_of(tmp_path / "a", Kept(1 << 20))
    opened.next_of = lambda body, length_bytes: b""
    with source, pytest.raises(StorageUnavailable):
        source.read_at(0, 100)


def test_threads_that_read_at_once_get_their_own_bytes(tmp_path):
    data = os.urandom(400_000)
    (tmp_path / "a").write_bytes(data)
    source, _ = source_of(tmp_path / "a", Kept(50_000))
    gate = threading.Barrier(4)

    def read(number):
        gate.wait()
        spans = [(at, at + 3000) for at in range(number * 777, 390_000, 1111)]
        return all(source.read_at(start, stop - start) == data[start:stop] for start, stop in spans)

    with source, ThreadPoolExecutor(4) as pool:
        assert all(pool.map(read, range(4)))
