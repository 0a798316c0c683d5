from datetime import UTC, datetime

import pytest

from gateway.catalogue.search import Interval, Search
from gateway.model import Principal, Scale
from gateway.records.postgres.searching import PLANNED, AsOf
from gateway.records.search import searching
from gateway.records.search.walking import Walked, walked
from tests.records.conftest import act, dataset

MONTH = Interval(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC))
PLANS = {
    "box and month": ({"bbox": (8, 47, 8.4, 47.4), "datetime": MONTH}, Principal(), "dataset_audiences_places"),
    "box and month, along the time": (
        {"bbox": (8, 47, 8.4, 47.4), "datetime": MONTH},
        Principal(),
        "dataset_audiences_newest",
    ),
    "newest of the world": ({}, Principal(), "dataset_audiences_newest"),
    "newest of a collection": ({"collections": ("sheets",)}, Principal(), "dataset_audiences_newest_of_collection"),
    "a caller who may see 1 of 1,000": ({}, Principal("ben"), "dataset_audiences_newest"),
    "the 1,000th page": ({"after": ("2026-01-01T00:00:00.000Z", "x")}, Principal(), "dataset_audiences_newest"),
}


@pytest.fixture
def filled(records, execute):
    """Two thousand datasets, of which the planner knows."""
    new = [
        (dataset(number, collection=f"c{number % 20}", visibility=Scale.PUBLIC if number % 2 else Scale.PRIVATE,
                 download=Scale.PRIVATE), act())
        for number in range(1, 2001)
    ]  # fmt: skip
    records.register_datasets(new)
    execute("ANALYZE dataset_audiences")
    return records


def test_searches_go_through_their_index_and_sort_nothing_large(filled, monkeypatch):
    monkeypatch.setattr(searching, "FEW", 0)
    plans = {}

    class Watched(AsOf):
        def rows(self, sql, values):
            if "ORDER BY" in sql and "dataset_audiences" in sql:
                explained = self._connection.execute("EXPLAIN " + sql, values).fetchall()
                plans.setdefault(case, []).append([next(iter(row.values())).strip() for row in explained])
            return super().rows(sql, values)

    def find(connection, wanted, reader):
        with connection.as_of_one_moment(10) as deadline:
            connection.execute(PLANNED)
            return searching.find(Watched(connection, deadline), Search(**wanted), reader)

    for case, (wanted, reader, index) in PLANS.items():
        with_walk = case != "box and month"
        monkeypatch.setattr(searching, "walked", walked if with_walk else lambda *_: Walked([], None, False))
        filled._pool.run(find, wanted, reader)
        assert plans[case], case
        for plan in plans[case]:
            text = "\n".join(plan)
            assert f" {index} " in text, text
            assert "Seq Scan on dataset_audiences" not in text, text
