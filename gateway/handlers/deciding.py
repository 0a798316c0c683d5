"""Decisions about a dataset, made where nothing has to be waited for, or by the threads that may wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from gateway.errors import RecordsUnavailable, StorageUnavailable
from gateway.gatekeeper import Wait
from gateway.handlers.results import ThreadResults
from gateway.handlers.revisions import Revisions
from gateway.ids import dataset_uuid
from gateway.pools import Pool
from gateway.records import NotRemembered, Revision
from gateway.remembered import Remembered
from gateway.services import Services

T = TypeVar("T")

# Whoever asks for a file in a store is answered within three seconds.
STORE_SECONDS = 2.9
# A thread goes at least this often, so that a disk that hangs is met by a thread and not by the loop.
RECENT_SECONDS = 1.0
REMEMBERED = 1024
POOLS = {
    Wait.DISK: Pool.DISK,
    Wait.STORE: Pool.STORE,
    Wait.JUDGEMENT: Pool.JUDGE,
    Wait.STORE_JUDGEMENT: Pool.TRANSFER,
}


class Decisions:
    """Lets synchronous work decide: on the loop, in a thread for disks, for stores, or for judgements.

    A reader of many ranges asks for the same file again and again. What a thread has found a moment ago is in the
    caches of the kernel, and looking there costs less than the way to a thread and back; where a disk would have to
    be waited for, and once every while in any case, a thread goes.
    """

    def __init__(self, services: Services, results: ThreadResults) -> None:
        self._results = results
        self._recent: Remembered[str, bool] = Remembered(REMEMBERED, RECENT_SECONDS)
        self._remembering = services.records.remembering
        self._revisions = None if self._remembering is None else Revisions(self._remembering, results)
        # For a right as long as for a row.
        self._revision_seconds = services.settings.audit_wait_seconds
        self._pools = {wait: services.pools[pool] for wait, pool in POOLS.items()}

    def recently(self, dataset_id: str) -> bool:
        """Return whether a thread has looked at the dataset a moment ago."""
        return self._recent.get(dataset_id) is not None

    async def made(self, dataset_id: str, decide: Callable[[Wait], T | Wait]) -> T:
        """Return what `decide` returns, called with what it may wait for until that is enough.

        Raises what it raises, Unavailable when too much waits already, and StorageUnavailable when a store takes too
        long.
        """
        may_wait = Wait.NOTHING if self._recent.get(dataset_id) else Wait.DISK
        while True:
            if may_wait is Wait.NOTHING:
                found = self.at_once(dataset_id, await self.revision(dataset_id), decide)
            else:
                found = await self._in(may_wait, decide)
            if not isinstance(found, Wait):
                if may_wait is not Wait.NOTHING and not may_wait.for_store:
                    self._recent.keep(dataset_id, True)
                return found
            may_wait = found

    @property
    def over_network(self) -> bool:
        """Return whether the revision of a dataset is to be waited for."""
        return self._remembering is not None

    async def revision(self, dataset_id: str) -> Revision | None:
        """Return the revision of a dataset on record, read after this call; None where none is waited for.

        Raises RecordsUnavailable.
        """
        if self._revisions is None:
            return None
        try:
            async with asyncio.timeout(self._revision_seconds):
                return await self._revisions.expect(dataset_uuid(dataset_id) or dataset_id)
        except TimeoutError:
            raise RecordsUnavailable("The database does not answer.") from None

    def at_once(self, dataset_id: str, revision: Revision | None, decide: Callable[[Wait], T | Wait]) -> T | Wait:
        """Return what `decide` returns, or what it takes, over what is remembered as of this revision."""
        if self._remembering is None:
            return decide(Wait.NOTHING)
        if revision is None:
            return Wait.DISK
        try:
            with self._remembering.as_of(dataset_uuid(dataset_id) or dataset_id, revision):
                return decide(Wait.NOTHING)
        except NotRemembered:
            return Wait.DISK

    async def _in(self, may_wait: Wait, decide: Callable[[Wait], T | Wait]) -> T | Wait:
        # No name for what is awaited: an error would hold itself by it, and with it the whole request.
        if may_wait is not Wait.STORE:
            return await self._results.expect(self._pools[may_wait].submit(decide, may_wait))
        # The clients of stores have limits of their own; this one holds whatever else there is to wait for, such as
        # the resolution of a name.
        try:
            async with asyncio.timeout(STORE_SECONDS):
                return await self._results.expect(self._pools[may_wait].submit(decide, may_wait))
        except TimeoutError:
            raise StorageUnavailable("The storage of this dataset cannot be reached.") from None
