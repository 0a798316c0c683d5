"""Searches in a database of PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg.errors import QueryCanceled

from gateway.catalogue.layers import Outline
from gateway.catalogue.search import Page, Search
from gateway.errors import TooBroad
from gateway.model import Principal
from gateway.records.deadlines import SEARCH_SECONDS, Deadline
from gateway.records.postgres.connection import Bounded
from gateway.records.postgres.datasets import COLUMNS, of_row
from gateway.records.rows import Row
from gateway.records.search import names
from gateway.records.search import outline as outlines
from gateway.records.search.postgres import PostgresDialect
from gateway.records.search.searching import find

HURRIED = "SELECT set_config('statement_timeout', %s, true)"
# Tables of which little is known yet are not read whole, and an order is that of an index where there is one.
PLANNED = "SELECT set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true)"


class AsOf:
    """The database as of one moment, asked until the deadline."""

    dialect = PostgresDialect(COLUMNS, of_row)

    def __init__(self, connection: Bounded, deadline: Deadline) -> None:
        self._connection = connection
        self._deadline = deadline

    def rows(self, sql: str, values: dict[str, Any]) -> list[Row]:
        """Return the rows of a query by column name; raises TooBroad."""
        self._deadline.check()
        return self._connection.execute(sql, values).fetchall()

    @contextmanager
    def hurried(self, seconds: float) -> Iterator[None]:
        """Let the statements within take so long each, and none begin later; after its TooBroad others may follow."""
        try:
            with self._connection.transaction(), self._deadline.sooner(seconds):
                self._connection.execute(HURRIED, [f"{max(seconds, 0.001) * 1000:.0f}"])
                yield
        except QueryCanceled as error:
            raise TooBroad from error


def search(connection: Bounded, wanted: Search, reader: Principal | None) -> Page:
    """Return one page of the datasets that a reader may see, all of it as of one moment."""
    with connection.as_of_one_moment(SEARCH_SECONDS) as deadline:
        connection.execute(PLANNED)
        return find(AsOf(connection, deadline), wanted, reader)


def outline(connection: Bounded, wanted: Search, reader: Principal | None) -> Outline:
    """Return what the datasets of a search come to that a reader may see, all of it as of one moment."""
    with connection.as_of_one_moment(SEARCH_SECONDS) as deadline:
        connection.execute(PLANNED)
        return outlines.outline(AsOf(connection, deadline), wanted, reader)


def queryables(connection: Bounded, reader: Principal | None, collection: str | None) -> Mapping[str, frozenset[str]]:
    """Return the properties that a reader may filter by."""
    with connection.as_of_one_moment(SEARCH_SECONDS) as deadline:
        connection.execute(PLANNED)
        return names.queryables(AsOf(connection, deadline), reader, collection)
