"""What the door asks of every request, remembered while the catalogue stays as it is."""

from __future__ import annotations

from sqlite_utils import Database

from gateway.records import datasets, people
from gateway.records.base import Standing

REMEMBERED = 4096


class Standings:
    """Standings by dataset and user, each good for one revision of the catalogue.

    The revision is read for every request: a change by any process counts at once.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], tuple[int, Standing]] = {}

    def read(self, database: Database, dataset_id: str, user: str | None) -> Standing:
        """Return the standing, read anew only when the catalogue has another revision than when it was read."""
        # Before the facts: what is written between the two reads makes them look old, never new.
        (revision,) = database.conn.execute("SELECT number FROM revision").fetchone()
        known = self._known.get((dataset_id, user))
        if known is not None and known[0] == revision:
            return known[1]
        standing = Standing(
            dataset=datasets.by_id(database, dataset_id),
            grants=people.grants(database, dataset_id),
            disabled=user is not None and people.is_disabled(database, user),
        )
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[dataset_id, user] = revision, standing
        return standing
