"""Searches in an SQLite file."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any

from gateway.catalogue.layers import Outline
from gateway.catalogue.search import Page, Search
from gateway.model import Principal
from gateway.records.deadlines import SEARCH_SECONDS, Deadline
from gateway.records.rows import Row
from gateway.records.search import names
from gateway.records.search import outline as outlines
from gateway.records.search.searching import find
from gateway.records.search.sqlite import SqliteDialect
from gateway.records.sqlite.connection import rows_of
from gateway.records.sqlite.library import Database
from gateway.records.sqlite.reading import as_of_one_moment, ended_in_time


class AsOf:
    """The file as of one moment, asked until the deadline."""

    dialect = SqliteDialect()

    def __init__(self, database: Database, deadline: Deadline) -> None:
        self._database = database
        self._deadline = deadline

    def rows(self, sql: str, values: dict[str, Any]) -> list[Row]:
        """Return the rows of a query by column name; raises TooBroad."""
        self._deadline.check()
        with ended_in_time():
            return rows_of(self._database, sql, values)

    def hurried(self, seconds: float) -> AbstractContextManager[None]:
        """Return a context whose statements take so long together at most."""
        return self._deadline.sooner(seconds)


def search(database: Database, wanted: Search, reader: Principal | None) -> Page:
    """Return one page of the datasets that a reader may see, all of it as of one moment."""
    with as_of_one_moment(database, reader, SEARCH_SECONDS) as deadline:
        return find(AsOf(database, deadline), wanted, reader)


def outline(database: Database, wanted: Search, reader: Principal | None) -> Outline:
    """Return what the datasets of a search come to that a reader may see, all of it as of one moment."""
    with as_of_one_moment(database, reader, SEARCH_SECONDS) as deadline:
        return outlines.outline(AsOf(database, deadline), wanted, reader)


def queryables(database: Database, reader: Principal | None, collection: str | None) -> Mapping[str, frozenset[str]]:
    """Return the properties that a reader may filter by."""
    with as_of_one_moment(database, reader, SEARCH_SECONDS) as deadline:
        return names.queryables(AsOf(database, deadline), reader, collection)
