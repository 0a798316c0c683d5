"""The database in PostgreSQL, for any number of nodes; only here psycopg is known."""

from gateway.records.postgres.migrations import bring_up
from gateway.records.postgres.records import PostgresRecords, open_postgres

__all__ = ["PostgresRecords", "bring_up", "open_postgres"]
