"""Standings remembered by this process, each as long as the database names the same revision."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from gateway.errors import RecordsUnavailable
from gateway.records.postgres.beacon import Beacon
from gateway.records.standing import Holder, NotRemembered, Revision, Standing, Standings

# A little longer than the Beacon is patient; an attempt that runs then may take as long again.
ANSWER_SECONDS = 2.5


class FollowedStandings:
    """Answers by the revisions that a Beacon reads (a `Remembering`); `read` returns a standing from the database."""

    def __init__(self, beacon: Beacon, read: Callable[[str, Holder], Standing]) -> None:
        self._beacon = beacon
        self._read = read
        self._standings = Standings()
        # What a thread knows of the dataset that it decides about just now.
        self._known = threading.local()

    def standing(self, dataset_id: str, holder: Holder) -> Standing:
        """Return the standing as it is now; raises NotRemembered within `as_of` alone."""
        told: Revision | None = getattr(self._known, "revisions", {}).get(dataset_id)
        # Before the facts: what is written between the two reads makes them look old, never new.
        revision = self._asked(dataset_id) if told is None else told
        known = self._standings.known(dataset_id, holder, revision)
        if known is not None:
            return known
        if told is not None:
            raise NotRemembered
        return self._standings.keep(dataset_id, holder, revision, self._read(dataset_id, holder))

    def _asked(self, dataset_id: str) -> Revision:
        try:
            return self._beacon.ask([dataset_id]).result(ANSWER_SECONDS)[dataset_id]
        except TimeoutError:
            # Such as a server that has fallen silent, or a name that is not resolved.
            raise RecordsUnavailable("The database does not answer.") from None

    def revisions(self, dataset_ids: Sequence[str]) -> Future[Mapping[str, Revision]]:
        """Return a future of the datasets' revisions, read after this call."""
        return self._beacon.ask(dataset_ids)

    @contextmanager
    def as_of(self, dataset_id: str, revision: Revision) -> Iterator[None]:
        """Let `standing` of the dataset, in this thread, answer from memory as of that revision."""
        self._known.revisions = {dataset_id: revision}
        try:
            yield
        finally:
            self._known.revisions = {}
