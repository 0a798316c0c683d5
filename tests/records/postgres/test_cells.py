from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from gateway.catalogue.search import Search
from gateway.model import Principal, RasterFacts, Scale
from gateway.records import Change
from tests.records.conftest import act, dataset
from tests.records.test_extents import expected, extents
from tests.records.test_search import day

WRITERS, EACH = 4, 30


def placed(number):
    west, south = number % 64 / 128, 40 + number % 50 / 64
    bounds = (west, south, west + 0.25, south + 0.25)
    return dataset(number, raster=RasterFacts(10, 10, 1, "uint8", None, None, bounds), dates=day(number))


def test_cells_are_right_after_many_have_written_into_one_at_once(records, execute):
    def write(writer):
        for number in range(1000 * writer + 1, 1000 * writer + 1 + EACH):
            records.register_datasets([(placed(number), act())])
            if number % 3 == 0:
                records.remove_dataset(dataset(number).id, act())
            elif number % 3 == 1:
                scale = Change(visibility=Scale.PRIVATE, download=Scale.PRIVATE, dates=day(-number))
                records.change_dataset(dataset(number).id, scale, act())

    with ThreadPoolExecutor(WRITERS) as writers:
        list(writers.map(write, range(WRITERS)))
    for reader in (None, Principal(), Principal("ana")):
        assert extents(records, reader) == expected(records, reader)
    (told,) = execute("SELECT sum(number), count(DISTINCT shard) FROM collection_cells WHERE audience <> 'user:ana'")
    assert told[0] == records.search(Search(), None).matched == WRITERS * EACH * 2 // 3
    # Each connection has had rows of its own.
    assert told[1] > 1


def test_what_was_not_outermost_when_it_went_may_be_after_others_have_gone(records, postgres, fresh, execute):
    """Two delete at once, the second sooner: what is left lies east of both."""
    import psycopg

    around = dataset(9, raster=RasterFacts(10, 10, 1, "uint8", None, None, (0.4, 39.0, 0.95, 42.0)), dates=day(0, 3))
    inside = [
        dataset(n, raster=RasterFacts(10, 10, 1, "uint8", None, None, (n / 8, 40.0, 0.9, 41.0)), dates=day(1))
        for n in (1, 2, 3)
    ]
    records.register_datasets([(each, act()) for each in (around, *inside)])
    shards = {shard for (shard,) in execute("SELECT shard FROM collection_cells")}
    with ExitStack() as stack:
        taking: list[psycopg.Connection] = []
        while len(taking) < 2:
            one = stack.enter_context(psycopg.connect(postgres.server.url(fresh)))
            if one.info.backend_pid % 16 not in shards:
                taking.append(one)
                shards.add(one.info.backend_pid % 16)
        for connection, each in zip(taking, (inside[1], inside[0]), strict=True):
            connection.execute("DELETE FROM datasets WHERE id = %s", [each.id])
        for connection in reversed(taking):
            connection.commit()
        assert records.collection("sheets", None).extent.bbox == (0.375, 39.0, 0.95, 42.0)
