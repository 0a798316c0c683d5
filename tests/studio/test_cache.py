"""The cache of encoded tiles: bounded, each tile made once for all who wait, errors never kept."""

from concurrent.futures import Future

import pytest

from gateway.colour.model import Encoded, TileFormat
from gateway.errors import BadParameter, Unavailable
from gateway.studio.cache import ENTRY_BYTES, TileCache


def tile(size=1000):
    return Encoded(b"x" * size, TileFormat.PNG, "hot")


def done(result):
    future = Future()
    future.set_result(result)
    return future


def test_what_was_made_is_kept():
    cache, made = TileCache(1 << 20), []
    for _ in range(3):
        assert cache.get_or_make("a", lambda: made.append(1) or done(tile())).result() == tile()
    assert len(made) == 1
    assert cache.get("a") == tile()
    assert cache.get("b") is None


def test_the_longest_unused_goes_first():
    cache = TileCache(3 * (1000 + ENTRY_BYTES))
    for key in "abc":
        cache.get_or_make(key, lambda: done(tile()))
    cache.get("a")
    cache.get_or_make("d", lambda: done(tile()))
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.size_bytes == 3 * (1000 + ENTRY_BYTES)


def test_a_tile_larger_than_the_cache_throws_nothing_out():
    cache = TileCache(2 * (1000 + ENTRY_BYTES))
    cache.get_or_make("a", lambda: done(tile()))
    assert cache.get_or_make("b", lambda: done(tile(100_000))).result() == tile(100_000)
    assert cache.get("b") is None
    assert cache.get("a") is not None


def test_who_asks_meanwhile_gets_the_same_tile():
    cache, work = TileCache(1 << 20), Future()
    first = cache.get_or_make("a", lambda: work)
    second = cache.get_or_make("a", lambda: pytest.fail("made twice"))
    work.set_result(tile())
    assert first.result(0) == second.result(0) == tile()


def test_who_asks_meanwhile_gets_the_same_error_and_the_next_one_tries_anew():
    cache, work = TileCache(1 << 20), Future()
    first = cache.get_or_make("a", lambda: work)
    second = cache.get_or_make("a", lambda: pytest.fail("made twice"))
    work.set_exception(BadParameter("bidx: none"))
    assert first.exception(0) is second.exception(0)
    assert isinstance(first.exception(0), BadParameter)
    assert cache.get_or_make("a", lambda: done(tile())).result() == tile()


def test_a_tile_is_dropped_when_the_last_who_waited_has_left():
    cache, work = TileCache(1 << 20), Future()
    askers = [cache.get_or_make("a", lambda: work) for _ in range(3)]
    askers[0].cancel()
    askers[1].cancel()
    assert not work.cancelled()
    askers[2].cancel()
    assert work.cancelled()
    assert cache.get_or_make("a", lambda: done(tile())).result() == tile()


def test_who_still_waits_for_a_tile_that_was_dropped_is_told():
    cache, work = TileCache(1 << 20), Future()
    asker = cache.get_or_make("a", lambda: work)
    work.cancel()
    with pytest.raises(Unavailable):
        asker.result(0)


def test_what_cannot_begin_is_raised_and_forgotten():
    cache = TileCache(1 << 20)

    def full():
        raise Unavailable("busy")

    with pytest.raises(Unavailable):
        cache.get_or_make("a", full)
    assert cache.get_or_make("a", lambda: done(tile())).result() == tile()
