"""What the door asks of every request, remembered while nothing of it changes."""

from __future__ import annotations

from gateway.records.base import Revision, Standing

REMEMBERED = 4096


class Standings:
    """Standings by dataset and user, each good for one revision of the dataset and of the users.

    The revision is read for every request: a change by any process counts at once, and makes nothing else old.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str, str | None], tuple[Revision, Standing]] = {}

    def known(self, dataset_id: str, user: str | None, revision: Revision) -> Standing | None:
        """Return the standing of this revision, None where it is to be read anew."""
        known = self._known.get((dataset_id, user))
        return known[1] if known is not None and known[0] == revision else None

    def keep(self, dataset_id: str, user: str | None, revision: Revision, standing: Standing) -> Standing:
        """Return the standing, which was read after its revision: what is written between makes it look old only."""
        if len(self._known) >= REMEMBERED:
            self._known.clear()
        self._known[dataset_id, user] = revision, standing
        return standing
