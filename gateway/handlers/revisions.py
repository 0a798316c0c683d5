"""The revisions of datasets for the requests of one loop: one question after another, each for all who wait."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from concurrent.futures import Future

from gateway.handlers.results import ThreadResults
from gateway.records import Remembering, Revision

Asker = tuple[str, "asyncio.Future[Revision]"]


class Revisions:
    """Asks what is on record for many requests at once: each question costs more than a request's part in it."""

    def __init__(self, remembering: Remembering, results: ThreadResults) -> None:
        self._remembering = remembering
        self._results = results
        self._askers: list[Asker] = []
        self._asking = False

    def expect(self, dataset_id: str) -> asyncio.Future[Revision]:
        """Return a future of the dataset's revision, read after this call; it may fail with RecordsUnavailable."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Revision] = loop.create_future()
        self._askers.append((dataset_id, answer))
        if not self._asking:
            self._asking = True
            # With all whose requests the loop finds in this turn.
            loop.call_soon(self._ask)
        return answer

    def _ask(self) -> None:
        askers, self._askers = [asker for asker in self._askers if not asker[1].done()], []
        self._asking = bool(askers)
        if askers:
            ids = list({dataset_id for dataset_id, _ in askers})
            self._results.tell(self._remembering.revisions(ids), lambda work: self._told(askers, work))

    def _told(self, askers: list[Asker], work: Future[Mapping[str, Revision]]) -> None:
        error = work.exception()
        for dataset_id, answer in askers:
            if answer.done():
                continue
            if error is None:
                answer.set_result(work.result()[dataset_id])
            else:
                # One of its own: what is raised in several places keeps the frames of all.
                answer.set_exception(copy.copy(error))
        self._ask()
