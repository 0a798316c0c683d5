"""The cache of encoded tiles: bounded, each tile made once, errors never kept."""

import threading

import pytest

from gateway.errors import BadParameter, GatewayError, Unavailable
from gateway.tiles.cache import ENTRY_BYTES, TileCache
from gateway.tiles.model import Encoded, TileFormat


def tile(size=1000):
    return Encoded(b"x" * size, TileFormat.PNG, "hot")


def test_what_was_made_is_kept():
    cache, made = TileCache(1 << 20), []
    for _ in range(3):
        cache.get_or_make("a", lambda: made.append(1) or tile())
    assert len(made) == 1
    assert cache.get("a") == tile()
    assert cache.get("b") is None


def test_the_longest_unused_goes_first():
    cache = TileCache(3 * (1000 + ENTRY_BYTES))
    for key in "abc":
        cache.get_or_make(key, tile)
    cache.get("a")
    cache.get_or_make("d", tile)
    assert [key for key in "abcd" if cache.get(key)] == ["a", "c", "d"]
    assert cache.size_bytes == 3 * (1000 + ENTRY_BYTES)


def test_a_tile_larger_than_the_cache_throws_nothing_out():
    cache = TileCache(2 * (1000 + ENTRY_BYTES))
    cache.get_or_make("a", tile)
    assert cache.get_or_make("b", lambda: tile(100_000)) == tile(100_000)
    assert cache.get("b") is None
    assert cache.get("a") is not None


def both_at_once(cache, make):
    """Ask twice for one tile, the second time while the first is being made; return what each got."""
    inside, go, found = threading.Event(), threading.Event(), {}

    def slow():
        inside.set()
        assert go.wait(10)
        return make()

    def ask(name, work):
        try:
            found[name] = cache.get_or_make("a", work)
        except (GatewayError, KeyError) as error:
            found[name] = error

    first = threading.Thread(target=ask, args=("first", slow))
    first.start()
    assert inside.wait(10)
    second = threading.Thread(target=ask, args=("second", lambda: pytest.fail("made twice")))
    second.start()
    go.set()
    first.join()
    second.join()
    return found["first"], found["second"]


def test_who_asks_meanwhile_gets_the_same_tile():
    first, second = both_at_once(TileCache(1 << 20), tile)
    assert first == second == tile()


def test_who_asks_meanwhile_gets_the_same_error_and_the_next_one_tries_anew():
    def fail():
        raise BadParameter("bidx: none")

    cache = TileCache(1 << 20)
    first, second = both_at_once(cache, fail)
    assert isinstance(first, BadParameter)
    assert second is first
    assert cache.get_or_make("a", tile) == tile()


def test_nobody_waits_for_a_tile_whose_maker_died():
    def fail():
        raise KeyError("x")

    first, second = both_at_once(TileCache(1 << 20), fail)
    assert isinstance(first, KeyError)
    assert isinstance(second, Unavailable)
