"""sqlite_utils, without what it would load beside itself.

It imports pandas and numpy wherever they are installed, to know their types as columns, of which there are none here.
pandas brings pyarrow, whose threads begin at once: a process that forks workers must have none, and each start of a
process would take a quarter of a second longer.
"""

from gateway.imports import hidden

with hidden("pandas", "numpy"):
    from sqlite_utils import Database, Migrations
    from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]

__all__ = ["Database", "Migrations", "sqlite3"]
