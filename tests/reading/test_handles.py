"""Kept handles: few, of one version each, closed when nobody needs them, over storages near and far."""

import os
from dataclasses import replace

import numpy as np
import pytest

from gateway.errors import CannotBeDrawn, StorageUnavailable, VersionChanged
from gateway.reading import handles
from gateway.reading.handles import HandlePool
from tests.tiles.far import FarStorage
from tests.tiles.rasters import dataset, landscape, opener, utm, write


@pytest.fixture
def files(tmp_path):
    for name in "abc":
        write(tmp_path / f"{name}.tif", landscape(1, 300, 400, seed=ord(name)), utm())
    return tmp_path


def records(folder):
    storages, _ = dataset(folder, "a.tif")
    return storages, [replace(dataset(folder, f"{name}.tif")[1], id=name) for name in "abc"]


def descriptors():
    return len(os.listdir("/proc/self/fd"))


def test_a_version_is_opened_once(files):
    storages, (first, *_) = records(files)
    pool = HandlePool(opener(storages), 2)
    with pool.use(first) as one, pool.use(first) as two:
        assert one is two
    with pool.use(first) as three:
        assert three is one
    pool.close()


def test_the_longest_unused_is_closed_and_nothing_stays_open(files):
    storages, all_three = records(files)
    before = descriptors()
    pool = HandlePool(opener(storages), 2)
    handles = []
    for record in all_three:
        with pool.use(record) as handle:
            with handle.lock:
                handle.level(0).read(1)
            handles.append(handle)
    assert [handle.source.fd < 0 for handle in handles] == [True, False, False]
    pool.close()
    assert descriptors() == before


def test_a_handle_in_use_is_closed_by_its_last_user(files):
    storages, (first, second, _) = records(files)
    pool = HandlePool(opener(storages), 1)
    with pool.use(first) as handle:
        with pool.use(second):
            pass
        with handle.lock:
            assert handle.level(0).read(1).shape == (300, 400)
    assert handle.source.fd < 0
    pool.close()


def test_another_version_is_refused_when_opened_and_when_used(files):
    storages, (first, *_) = records(files)
    pool = HandlePool(opener(storages), 2)
    with pytest.raises(VersionChanged), pool.use(replace(first, version="1-2-3")):
        pass
    with pool.use(first) as handle:
        pass
    os.utime(files / "a.tif", ns=(5, 5))
    with pytest.raises(VersionChanged), pool.use(first):
        pass
    assert handle.source.fd < 0
    pool.close()


def test_the_facts_are_those_of_the_file(files):
    storages, (first, *_) = records(files)
    pool = HandlePool(opener(storages), 2)
    with pool.use(first) as handle:
        view = handle.view
        assert view.levels[0] == (400, 300)
        assert [handle.level(n).shape[::-1] for n in range(len(view.levels))] == list(view.levels)
        assert (view.bands, view.alpha, view.masked, view.dtype, view.nodata) == ((1,), None, False, "uint8", None)
    pool.close()


def test_a_block_that_cannot_be_decoded_is_told_and_not_kept(files):
    storages, (first, *_) = records(files)
    path = files / "a.tif"
    facts, broken = path.stat(), bytearray(path.read_bytes())
    half = len(broken) // 2
    broken[half:] = b"\xff" * (len(broken) - half)
    path.write_bytes(broken)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    pool = HandlePool(opener(storages), 2)
    with pytest.raises(CannotBeDrawn, match="cannot be decoded"), pool.use(first) as handle, handle.lock:
        handle.level(0).read(1)
    pool.close()


def test_every_level_of_an_object_without_a_path_is_read_through_its_source(files):
    storages, (first, *_) = records(files)
    far = FarStorage(storages["data"])
    near_pool, pool = HandlePool(opener(storages), 2), HandlePool(opener({"data": far}), 2)
    with near_pool.use(first) as near, pool.use(first) as handle, near.lock, handle.lock:
        for level in range(len(near.view.levels)):
            assert np.array_equal(handle.level(level).read(), near.level(level).read())
    near_pool.close()
    pool.close()


def test_an_object_whose_reads_fail_is_opened_anew_the_next_time(files):
    storages, (first, *_) = records(files)
    far = FarStorage(storages["data"])
    pool = HandlePool(opener({"data": far}), 2)
    with pool.use(first) as handle:
        assert handle.view.levels
    far.opened[0].fail()
    with pytest.raises(StorageUnavailable), pool.use(first) as handle, handle.lock:
        handle.level(0).read(1)
    with pool.use(first) as handle, handle.lock:
        assert handle.level(0).read(1).shape == (300, 400)
    assert len(far.opened) == 2
    pool.close()


def test_gdal_keeps_the_rasters_of_the_last_versions_and_of_the_others_what_is_known(files, monkeypatch):
    monkeypatch.setattr(handles, "MOST_RASTERS", 1)
    storages, (one, two, _) = records(files)
    pool, kept = HandlePool(opener(storages), 4), []
    for version in (one, two):
        with pool.use(version) as handle:
            assert handle.view.size == (400, 300)
            assert handle.lend(lambda raster: raster.width) == 400
        kept.append(handle)
    assert [handle.has_rasters for handle in kept] == [False, True]
    with pool.use(one) as handle, handle.lock:
        assert handle is kept[0]
        assert handle.level(0).read(1).shape == (300, 400)
    assert [handle.has_rasters for handle in kept] == [True, False]
    pool.close()
