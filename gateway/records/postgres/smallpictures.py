"""Small pictures in SQL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.catalogue.search import Search
from gateway.model import Dataset, Principal
from gateway.records.deadlines import SEARCH_SECONDS
from gateway.records.postgres.connection import Bounded
from gateway.records.postgres.pool import Pool
from gateway.records.postgres.searching import PLANNED, AsOf
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

TABLE = """CREATE TABLE small_pictures (
    dataset_id text COLLATE "C" NOT NULL REFERENCES datasets (id) ON DELETE CASCADE,
    side integer NOT NULL,
    version text NOT NULL,
    extent_degrees double precision NOT NULL,
    body bytea NOT NULL,
    PRIMARY KEY (dataset_id, side)
)"""
# Of pictures whose head is another one: `datasets recheck` takes them anew.
CLEARED = "TRUNCATE small_pictures"
NAMES = ", ".join(COLUMNS)
INSERT = f"""INSERT INTO small_pictures ({NAMES}) VALUES (%s, %s, %s, %s, %s) ON CONFLICT (dataset_id, side)
    DO UPDATE SET version = excluded.version, extent_degrees = excluded.extent_degrees,
    body = excluded.body"""  # noqa: S608 - no text of others
AFTER = f"""SELECT {NAMES} FROM small_pictures WHERE (dataset_id, side) > (%s, %s)
    ORDER BY dataset_id, side LIMIT %s"""  # noqa: S608 - no text of others
LEAST = """SELECT i.id AS id, p.version, p.body, p.extent_degrees
    FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS i (id, number)
    LEFT JOIN small_pictures AS p ON p.dataset_id = i.id AND p.side = 4 ORDER BY i.number"""
# A picture is of the version on record, or it is gone. Rows of datasets are long, and read of the others alone.
OF_IDS = f"""SELECT i.id, CASE WHEN p.dataset_id IS NULL
        THEN (SELECT d.version FROM datasets AS d WHERE d.id = i.id AND d.raster IS NOT NULL)
        ELSE p.version END AS version, p.body
    FROM (SELECT j.id, j.number, {TOTAL.format(number="j.number")}
        FROM unnest(%(ids)s::text[]) WITH ORDINALITY AS j (id, number)
        LEFT JOIN small_pictures AS m ON m.dataset_id = j.id AND m.side = 16) AS i
    LEFT JOIN small_pictures AS p ON p.dataset_id = i.id
        AND p.side = {SIDE.format(few="%(few)s", more="%(more)s", middle="%(middle)s", large="%(large)s")}
    ORDER BY i.number"""  # noqa: S608 - no text of others


class PostgresSmallPictures:
    """The small pictures in one database (a `SmallPictureRecords`)."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def of_search(self, search: Search, reader: Principal | None, degrees: float) -> Crowd:
        """Return those of all that is looked for and that the reader may see."""
        return self._pool.run(_of_search, search, reader, degrees)

    def every(self) -> Iterator[SmallPicture]:
        """Yield all of them."""
        after = "", 0
        while page := self._pool.run(_after, after):
            yield from page
            after = page[-1].dataset_id, page[-1].side

    def copy_in(self, pictures: Sequence[SmallPicture]) -> None:
        """Store those of another database."""
        self._pool.run(_copy_in, pictures)


def keep(connection: Bounded, known: Dataset | None, now: Dataset) -> None:
    """Store what came with a verdict, and drop what it was taken in place of. In a transaction."""
    new = pictures_of(now)
    if known is not None and (new or are_outdated(known, now)):
        connection.execute("DELETE FROM small_pictures WHERE dataset_id = %s", [now.id])
    for picture in new:
        connection.execute(INSERT, list(picture))


def _copy_in(connection: Bounded, pictures: Sequence[SmallPicture]) -> None:
    with connection.transaction():
        for picture in pictures:
            connection.execute(INSERT, list(picture))


def _after(connection: Bounded, after: tuple[str, int]) -> list[SmallPicture]:
    return [SmallPicture(**row) for row in connection.execute(AFTER, [*after, PAGE])]


def _of_search(connection: Bounded, search: Search, reader: Principal | None, degrees: float) -> Crowd:
    with connection.as_of_one_moment(SEARCH_SECONDS) as deadline:
        connection.execute(PLANNED)
        asked = AsOf(connection, deadline)
        ids = find_ids(asked, search, reader)
        values = sizes(degrees)

        def read(statement: str, some: list[str]) -> list[Row]:
            return asked.rows(statement, {"ids": some, **values})

        return crowd_from(read, (LEAST, OF_IDS), ids, values["few"])
