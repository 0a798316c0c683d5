from concurrent.futures import ThreadPoolExecutor

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
