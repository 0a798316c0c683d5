"""The database as one SQLite file, for all processes of one machine."""

from gateway.records.sqlite.health import old_library
from gateway.records.sqlite.records import SqliteRecords, open_sqlite

__all__ = ["SqliteRecords", "old_library", "open_sqlite"]
