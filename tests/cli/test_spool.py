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


class Counted:
    """An item that knows how many of its kind there are at once."""

    alive = most = 0

    def __new__(cls, *_):
        Counted.alive += 1
        Counted.most = max(Counted.most, Counted.alive)
        return super().__new__(cls)

    def __init__(self, number):
        self.number = number

    def __del__(self):
        Counted.alive -= 1


def test_of_many_items_few_are_in_memory_at_once(monkeypatch):
    monkeypatch.setattr(spool, "MEMORY_BYTES", 1 << 16)
    with closing(Spool(map(Counted, range(8_000)))) as kept:
        assert [item.number for item in kept] == list(range(8_000))
        # Their file has left memory, too.
        assert kept._file._rolled
    assert Counted.most < 5
