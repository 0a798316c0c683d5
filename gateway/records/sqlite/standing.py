"""Standings in SQL: a revision, and what is read where it is another one than before."""

from __future__ import annotations

from gateway.records.sqlite import datasets, lists, people
from gateway.records.sqlite.library import Database
from gateway.records.standing import NOBODY, Holder, Standing, Standings

# A number that every change of this dataset or its grants raises, and one that every change of the users does, and
# every token that goes.
REVISIONS = "SELECT users, (SELECT number FROM dataset_revisions WHERE dataset_id = ?) FROM revision"


def read(database: Database, generation: int, standings: Standings, dataset_id: str, holder: Holder) -> Standing:
    """Return the standing, read only where the file or a revision is another one than that of the one remembered."""
    revision = (generation, *database.conn.execute(REVISIONS, [dataset_id]).fetchone())
    known = standings.known(dataset_id, holder, revision)
    if known is not None:
        return known
    standing = Standing(
        dataset=datasets.by_id(database, dataset_id),
        grants=people.grants(database, [dataset_id]),
        refused=holder != NOBODY
        and (people.is_refused(database, holder) or lists.leaves_out(database, holder.token_id, dataset_id)),
    )
    return standings.keep(dataset_id, holder, revision, standing)
