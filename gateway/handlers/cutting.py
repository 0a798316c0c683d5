"""Parts made once for all who wait for them, and dropped when nobody does any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from gateway.cog.parts import Part, PlannedPart
from gateway.errors import GatewayError
from gateway.files import FileSource
from gateway.handlers.results import ThreadResults
from gateway.model import Dataset
from gateway.partfiles import KEPT_SECONDS, KeptPart, Making, PartFiles, key_of
from gateway.pools import Pool
from gateway.services import Services
from gateway.studio import tasks

P = ParamSpec("P")
T = TypeVar("T")
# Another worker makes the same part: it is looked at again after so long.
LOOK_SECONDS = 0.25


@dataclass
class Waiting:
    """A part that is being made, and how many wait for it."""

    task: asyncio.Task[KeptPart]
    count: int = 0


class PartCutter:
    """Makes parts, each once however many ask for it; those of one worker."""

    def __init__(self, services: Services, results: ThreadResults) -> None:
        settings = services.settings
        self._services, self._results = services, results
        self._files = PartFiles(settings.parts_dir or settings.state_dir / "parts", settings.parts_mb << 20)
        self._waiting: dict[str, Waiting] = {}

    async def ready(self, dataset: Dataset, part: Part) -> KeptPart | None:
        """Return the part if it lies ready."""
        return await self._in_thread(self._files.find, key_of(dataset.id, dataset.version, part))

    async def opened(self, kept: KeptPart) -> FileSource | None:
        """Return the file of a part for the caller to close, None where it is there no longer."""
        return await self._in_thread(self._files.open, kept)

    async def cut(self, dataset: Dataset, planned: PlannedPart) -> KeptPart:
        """Return the part, made unless it lies ready.

        Who is cancelled waits no more; when it was the last one the making ends. Raises Unavailable, VersionChanged,
        and what the work raises.
        """
        key = key_of(dataset.id, dataset.version, planned.part)
        waiting = self._waiting.get(key)
        if waiting is None:
            waiting = self._waiting[key] = Waiting(asyncio.create_task(self._made(key, dataset, planned)))
        waiting.count += 1
        try:
            return await asyncio.shield(waiting.task)
        finally:
            waiting.count -= 1
            if not waiting.count:
                # Whoever comes now begins anew.
                if self._waiting.get(key) is waiting:
                    del self._waiting[key]
                waiting.task.cancel()
                await asyncio.wait([waiting.task])

    async def _made(self, key: str, dataset: Dataset, planned: PlannedPart) -> KeptPart:
        while True:
            if (found := await self._in_thread(self._files.find, key)) is not None:
                return found
            if (making := await self._begun(key, planned.decoded_bytes)) is not None:
                break
            await asyncio.sleep(LOOK_SECONDS)
        try:
            return await self._written(making, dataset, planned.part)
        finally:
            self._services.pools[Pool.DISK].submit(making.close)

    async def _begun(self, key: str, decoded_bytes: int) -> Making | None:
        """Return the part to be made here, None where somebody makes it; raises Unavailable without room."""
        begun = self._services.pools[Pool.DISK].submit(self._files.begin, key, decoded_bytes)
        try:
            return await self._results.expect(begun)
        except asyncio.CancelledError:
            # A thread that has begun goes on: what nobody waits for is given up there, or nobody could make it again.
            begun.add_done_callback(_given_up)
            raise

    async def _written(self, making: Making, dataset: Dataset, part: Part) -> KeptPart:
        pictures, folder = self._services.pictures, str(making.folder)
        if not pictures.holds(dataset):
            await self._in_thread(pictures.open, dataset)
        work = pictures.submit(dataset, lambda source: tasks.write_part(source, part, folder))
        try:
            written = await self._results.expect(work)
            kept = await self._in_thread(making.finish, written)
        except GatewayError:
            self._services.metrics.parts.add("failed")
            raise
        self._services.metrics.parts.add("written")
        asyncio.get_running_loop().call_later(KEPT_SECONDS + 1, self._sweep)
        return kept

    def _sweep(self) -> None:
        self._services.pools[Pool.DISK].submit(self._files.sweep)

    async def _in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._results.expect(self._services.pools[Pool.DISK].submit(work, *args, **kwargs))


def _given_up(begun: Future[Making | None]) -> None:
    """Close a part that was begun for nobody."""
    if not begun.cancelled() and begun.exception() is None and (making := begun.result()) is not None:
        making.close()
