"""What the door asks of every request, remembered while nothing of it changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from gateway.model import Dataset, Grant

# Numbers that tell one state of a dataset, its grants and the users from every other one.
Revision = tuple[int | None, ...]
REMEMBERED = 4096


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose credential it is, and by which token on record they have it; None for neither."""

    user: str | None = None
    token_id: str | None = None


NOBODY = Holder()


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether somebody may have a dataset; `dataset` is None for an unknown id.

    `refused` is who has been disabled, or whose token is on record no longer.
    """

    dataset: Dataset | None
    grants: tuple[Grant, ...]
    refused: bool


class NotRemembered(Exception):
    """What was asked for has to be read from the database, by whoever may wait for it."""


class Remembering(Protocol):
    """The standings that a process remembers of a database in a network."""

    def revisions(self, dataset_ids: Sequence[str]) -> Future[Mapping[str, Revision]]:
        """Return a future of the datasets' revisions, read after this call; it may fail with RecordsUnavailable."""

    def as_of(self, dataset_id: str, revision: Revision) -> AbstractContextManager[None]:
        """Return a context within which, in this thread, `standing` of the dataset answers from memory alone.

        It is as of that revision, and raises NotRemembered where another one is remembered.
        """


class Standings:
    """Standings by dataset and holder, each good for one revision of the dataset and of the users.

    The revision is read for every request: a change by any process counts at once, and makes nothing else old.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, Holder], tuple[Revision, Standing]] = {}

    def known(self, dataset_id: str, holder: Holder, revision: Revision) -> Standing | None:
        """Return the standing of this revision, None where it is to be read anew."""
        known = self._known.get((dataset_id, holder))
        return known[1] if known is not None and known[0] == revision else None

    def keep(self, dataset_id: str, holder: Holder, revision: Revision, standing: Standing) -> Standing:
        """Return the standing, which was read after its revision: what is written between makes it look old only."""
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[dataset_id, holder] = revision, standing
        return standing
