"""sqlite_utils, without what it would load beside itself.

It imports pandas and numpy wherever they are installed, to know their types as columns, of which there are none here.
pandas brings pyarrow, whose threads begin at once: a process that forks workers must have none, and each start of a
process would take a quarter of a second longer.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def _hidden(*names: str) -> Iterator[None]:
    """Let modules be missing in the block: importing what is None in `sys.modules` raises ModuleNotFoundError."""
    loaded = {name: sys.modules[name] for name in names if name in sys.modules}
    sys.modules.update(dict.fromkeys(names))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]
        sys.modules.update(loaded)


with _hidden("pandas", "numpy"):
    from sqlite_utils import Database, Migrations
    from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]

__all__ = ["Database", "Migrations", "sqlite3"]
