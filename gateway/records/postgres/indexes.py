"""Indexes of the catalogue built while nodes read and write it: none of them waits, however long it takes."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import psycopg

from gateway.records.postgres.connection import Bounded, one

LOG = logging.getLogger("gateway.records")
# A number of our own among the advisory locks of the database.
LOCK = 0x636F672D696E6478
PAUSE_SECONDS = 0.05
STATE = """SELECT i.indisvalid AS valid FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid
    WHERE c.relname = %s AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'datasets'::regclass)"""
# For words that are in few titles. Not every server has the extension, and not every owner may make it.
WORDS = {"datasets_by_words": "ON datasets USING gin (title_folded gin_trgm_ops)"}
TRIGRAMS = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
HAS_TRIGRAMS = (
    "SELECT EXISTS (SELECT 1 FROM pg_opclass WHERE opcname = 'gin_trgm_ops' AND pg_opclass_is_visible(oid))"
)


def build(connection: Bounded, indexes: Mapping[str, str]) -> bool:
    """Return whether all indexes are there, by name and by what follows it; those that are missing are built now.

    The log says so where a long transaction of somebody else, such as an export of the audit, keeps one from being
    built; the next migration tries again. The connection is in no transaction. Raises psycopg.Error.
    """
    with alone(connection):
        for name, definition in indexes.items():
            state = connection.execute(STATE, [name]).fetchone()
            if state is not None and not state["valid"]:
                # What an attempt that was cut off has left.
                connection.execute(f"DROP INDEX CONCURRENTLY {name}")
            if state is None or not state["valid"]:
                try:
                    connection.execute(f"CREATE INDEX CONCURRENTLY {name} {definition}")
                except psycopg.errors.LockNotAvailable:
                    LOG.warning("the index %s was not built while others were busy: run `cog-gateway migrate`", name)
                    return False
    return True


def build_words(connection: Bounded) -> None:
    """Return when there is an index for words, where the server has the extension pg_trgm. Raises psycopg.Error."""
    try:
        # Of two who make it at once one fails, whatever IF NOT EXISTS says.
        with alone(connection):
            connection.execute(TRIGRAMS)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.FeatureNotSupported, psycopg.errors.UndefinedFile):
        LOG.info("no extension pg_trgm: a search for words reads all titles")
    if one(connection, HAS_TRIGRAMS):
        build(connection, WORDS)


@contextmanager
def alone(connection: Bounded) -> Iterator[None]:
    """Let nobody else build or fill meanwhile."""
    # Never waited for in a statement: building waits for all statements that run.
    while not one(connection, "SELECT pg_try_advisory_lock(%s)", [LOCK]):
        time.sleep(PAUSE_SECONDS)
    try:
        yield
    finally:
        if not connection.closed:
            connection.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
