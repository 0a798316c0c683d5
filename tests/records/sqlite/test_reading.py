import pytest

from gateway.catalogue.search import Search
from gateway.errors import TooBroad
from gateway.model import Principal
from gateway.records import DatasetQuery, open_sqlite
from gateway.records.sqlite import collections, listing, reading, searching
from tests.records.conftest import dataset, register

ENDLESS = "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers) SELECT max(n) FROM numbers"
NOBODY = Principal()
ASKED = (
    lambda records, reader: records.search(Search(), reader),
    lambda records, reader: records.outline(Search(), reader),
    lambda records, reader: records.queryables(reader),
    lambda records, reader: records.find_datasets(DatasetQuery(reader)),
    lambda records, reader: records.collections(reader),
    lambda records, reader: records.collection("sheets", reader),
)


@pytest.fixture
def records(tmp_path):
    opened = open_sqlite(tmp_path / "a.db")
    register(opened, dataset(1))
    yield opened
    opened.close()


def endless(database, reader):
    with reading.as_of_one_moment(database, reader, 0.01):
        return database.execute(ENDLESS).fetchall()


def test_a_statement_without_an_end_is_ended_and_its_connection_serves_on(records):
    connections = records._connections
    before = connections._current()
    with pytest.raises(TooBroad, match="narrow"):
        connections.run(endless, NOBODY)
    assert connections._current() is before
    assert not before.conn.in_transaction
    assert [found.id for found in records.search(Search(), NOBODY).datasets] == [dataset(1).id]


def hurried(database):
    with reading.as_of_one_moment(database, NOBODY, 60.0) as deadline:
        asked = searching.AsOf(database, deadline)
        with pytest.raises(TooBroad), asked.hurried(0.01):
            asked.rows(ENDLESS, {})
        return asked.rows("SELECT id FROM datasets", {})


def test_what_is_hurried_ends_sooner_and_others_follow(records):
    assert records._connections.run(hurried) == [{"id": dataset(1).id}]


def test_every_question_that_may_read_much_is_bounded_but_not_for_operators(records, monkeypatch):
    monkeypatch.setattr(reading, "STEPS_BETWEEN_LOOKS", 1)
    for room, name in (
        (searching, "SEARCH_SECONDS"),
        (listing, "LISTING_SECONDS"),
        (collections, "COLLECTIONS_SECONDS"),
    ):
        monkeypatch.setattr(room, name, -1.0)
    for ask in ASKED:
        with pytest.raises(TooBroad):
            ask(records, NOBODY)
        assert ask(records, None) is not None
