import tracemalloc
from contextlib import closing
from pathlib import Path

from gateway.cli import spool
from gateway.cli.spool import Spool
from gateway.sources import Lack, Problem, Source


def sources(count):
    for number in range(count):
        yield Source(f"/data/{number}.tif", Path(f"/data/{number}.tif"), f"{number}.tif")


def test_items_come_again_in_their_order_as_often_as_they_are_asked_for():
    items = [*sources(3), Problem("gone.tif", Lack.MISSING, "no such file or folder")]
    with closing(Spool(iter(items))) as kept:
        assert len(kept) == 4
        assert list(kept) == list(kept) == items


def test_what_items_share_stays_one_object():
    storages = [object(), object()]
    with closing(Spool(((storages[n % 2], n) for n in range(6)), shared=lambda item: item[:1])) as kept:
        read = list(kept)
    assert [(storages.index(storage), number) for storage, number in read] == [(n % 2, n) for n in range(6)]


def test_many_items_take_no_more_memory_than_few(monkeypatch):
    monkeypatch.setattr(spool, "MEMORY_BYTES", 1 << 16)
    peaks = []
    for count in (1_000, 8_000):
        tracemalloc.start()
        with closing(Spool(sources(count))) as kept:
            assert sum(1 for _ in kept) == count
            peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0]
