"""What the door asks of every request, remembered while nothing of it changes."""

from __future__ import annotations

from sqlite_utils import Database

from gateway.records import datasets, people
from gateway.records.base import Standing

REMEMBERED = 4096
# A number that every change of this dataset or its grants raises, and one that every change of the users does.
REVISIONS = "SELECT users, (SELECT number FROM dataset_revisions WHERE dataset_id = ?) FROM revision"


class Standings:
    """Standings by dataset and user, each good for one file and one revision of the dataset and of the users.

    The revisions are read for every request: a change by any process counts at once, and makes nothing else old.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], tuple[tuple[int, int, int | None], Standing]] = {}

    def read(self, database: Database, generation: int, dataset_id: str, user: str | None) -> Standing:
        """Return the standing, read anew only when it may have changed since it was read."""
        # Before the facts: what is written between the two reads makes them look old, never new.
        revision = (generation, *database.conn.execute(REVISIONS, [dataset_id]).fetchone())
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
