"""Small pictures in SQL."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from gateway.catalogue.search import Search
from gateway.model import Dataset, Principal
from gateway.records.deadlines import SEARCH_SECONDS
from gateway.records.rows import Row
from gateway.records.search.searching import find_ids
from gateway.records.smallpictures import (
    COLUMNS,
    PAGE,
    SIDE,
    TOTAL,
    Crowd,
    SmallPicture,
    are_outdated,
    crowd_from,
    pictures_of,
    sizes,
)
from gateway.records.sqlite.connection import Connections, rows_of
from gateway.records.sqlite.library import Database
from gateway.records.sqlite.reading import as_of_one_moment
from gateway.records.sqlite.searching import AsOf

TABLE = """CREATE TABLE small_pictures (
    dataset_id TEXT NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    side INTEGER NOT NULL,
    version TEXT NOT NULL,
    extent_degrees REAL NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (dataset_id, side)
)"""
# Of pictures whose head is another one: `datasets recheck` takes them anew.
CLEARED = "DELETE FROM small_pictures"
NAMES = ", ".join(COLUMNS)
INSERT = f"INSERT OR REPLACE INTO small_pictures ({NAMES}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - no text of others
AFTER = f"""SELECT {NAMES} FROM small_pictures WHERE (dataset_id, side) > (:id, :side)
    ORDER BY dataset_id, side LIMIT :limit"""  # noqa: S608 - no text of others
LEAST = """SELECT i.value AS id, p.version, p.body, p.extent_degrees FROM json_each(:ids) AS i
    LEFT JOIN small_pictures AS p ON p.dataset_id = i.value AND p.side = 4 ORDER BY i.key"""
# A picture is of the version on record, or it is gone. Rows of datasets are long, and read of the others alone.
OF_IDS = f"""SELECT i.id, CASE WHEN p.dataset_id IS NULL
        THEN (SELECT d.version FROM datasets AS d WHERE d.id = i.id AND d.raster IS NOT NULL)
        ELSE p.version END AS version, p.body AS body
    FROM (SELECT j.value AS id, j.key + 1 AS number, {TOTAL.format(number="j.key")}
        FROM json_each(:ids) AS j
        LEFT JOIN small_pictures AS m ON m.dataset_id = j.value AND m.side = 16) AS i
    LEFT JOIN small_pictures AS p ON p.dataset_id = i.id
        AND p.side = {SIDE.format(few=":few", more=":more", middle=":middle", large=":large")}
    ORDER BY i.number"""  # noqa: S608 - no text of others


class SqliteSmallPictures:
    """The small pictures in one file (a `SmallPictureRecords`)."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def of_search(self, search: Search, reader: Principal | None, degrees: float) -> Crowd:
        """Return those of all that is looked for and that the reader may see."""
        return self._connections.run(_of_search, search, reader, degrees)

    def every(self) -> Iterator[SmallPicture]:
        """Yield all of them; a database of an older release has none."""
        after = "", 0
        while page := self._connections.run(_after, after):
            yield from page
            after = page[-1].dataset_id, page[-1].side

    def copy_in(self, pictures: Sequence[SmallPicture]) -> None:
        """Store those of another database."""
        self._connections.write(_insert, pictures)


def keep(database: Database, known: Dataset | None, now: Dataset) -> None:
    """Store what came with a verdict, and drop what it was taken in place of. In a transaction."""
    new = pictures_of(now)
    if known is not None and (new or are_outdated(known, now)):
        database.execute("DELETE FROM small_pictures WHERE dataset_id = ?", [now.id])
    _insert(database, new)


def _insert(database: Database, pictures: Sequence[SmallPicture]) -> None:
    for picture in pictures:
        database.execute(INSERT, list(picture))


def _after(database: Database, after: tuple[str, int]) -> list[SmallPicture]:
    if "small_pictures" not in database.table_names():
        return []
    rows = rows_of(database, AFTER, {"id": after[0], "side": after[1], "limit": PAGE})
    return [SmallPicture(**row) for row in rows]


def _of_search(database: Database, search: Search, reader: Principal | None, degrees: float) -> Crowd:
    with as_of_one_moment(database, reader, SEARCH_SECONDS) as deadline:
        asked = AsOf(database, deadline)
        ids = find_ids(asked, search, reader)
        values = sizes(degrees)

        def read(statement: str, some: list[str]) -> list[Row]:
            return asked.rows(statement, {"ids": json.dumps(some), **values})

        return crowd_from(read, (LEAST, OF_IDS), ids, values["few"])
