import threading

import psycopg
import pytest

from gateway.catalogue.search import Search
from gateway.errors import TooBroad
from gateway.model import Principal
from gateway.records import DatasetQuery
from gateway.records.postgres import collections, listing, searching

NOBODY = Principal()
ASKED = (
    lambda records: records.search(Search(), NOBODY),
    lambda records: records.outline(Search(), NOBODY),
    lambda records: records.queryables(NOBODY),
    lambda records: records.find_datasets(DatasetQuery(NOBODY)),
    lambda records: records.collections(NOBODY),
    lambda records: records.collection("sheets", NOBODY),
)
TABLES = "datasets, dataset_audiences, collections"


def test_every_question_that_takes_too_long_is_ended_and_its_connection_serves_on(
    records, postgres, fresh, monkeypatch
):
    for room, name in (
        (searching, "SEARCH_SECONDS"),
        (listing, "LISTING_SECONDS"),
        (collections, "COLLECTIONS_SECONDS"),
    ):
        monkeypatch.setattr(room, name, 0.2)
    records.ping()
    before = threading.active_count()
    with psycopg.connect(postgres.server.url(fresh)) as other:
        other.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE")
        for ask in ASKED:
            with pytest.raises(TooBroad, match="narrow"):
                ask(records)
    for name in ("SEARCH_SECONDS",):
        monkeypatch.setattr(searching, name, 60.0)
    assert records.search(Search(), NOBODY).datasets == ()
    assert threading.active_count() == before


def hurried(connection):
    with connection.as_of_one_moment(60.0) as deadline:
        asked = searching.AsOf(connection, deadline)
        with pytest.raises(TooBroad), asked.hurried(0.05):
            asked.rows("SELECT pg_sleep(600)", {})
        return asked.rows("SELECT 1 AS one", {})


def test_what_is_hurried_ends_sooner_and_others_follow(records):
    assert records._pool.run(hurried) == [{"one": 1}]


def test_no_statement_of_a_search_begins_after_its_time(records, monkeypatch):
    monkeypatch.setattr(searching, "SEARCH_SECONDS", 0.001)
    monkeypatch.setattr("gateway.records.deadlines.Deadline.passed", property(lambda _: True))
    with pytest.raises(TooBroad):
        records.search(Search(), NOBODY)
