"""The datasets under a picture of a layer, each judged in the version that is there now, as for its own pictures.

What was looked at a moment ago is not looked at again for the next tile: who draws compares the versions once more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from gateway.catalogue.search import Box
from gateway.errors import Forbidden, GatewayError, NotACog, NotFound, Unavailable
from gateway.gatekeeper import vouched
from gateway.handlers.layers import LayerHandler
from gateway.members import Found, Layer, Wanted
from gateway.model import Dataset, TokenKind
from gateway.remembered import Remembered
from gateway.stac.assets import can_be_drawn

T = TypeVar("T")

# For so long a version counts as the one that is there: tiles of one screen are made of the same datasets.
VOUCHED_SECONDS = 2.0
REMEMBERED = 100_000
# So many are looked at at once, for all requests of a worker: the threads that look let some hundreds wait, and what
# they refuse would be missing from a picture.
LOOKS = 32
# What is not judged by then is left out of this picture.
JUDGE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Judged:
    """The datasets that a picture is made of, in the layer's order, and how many lie there in all.

    `trouble` is why one of them is left out that may be back in a moment. `of_all` tells that the one dataset is the
    overview of all that lie there.
    """

    datasets: tuple[Dataset, ...]
    number: int
    trouble: GatewayError | None = None
    of_all: bool = False

    def used(self, ids: Sequence[str]) -> str:
        """Return how many datasets a picture was made of and how many lie there, by the ids of what was painted."""
        return f"{self.number if self.of_all and ids else len(ids)}/{self.number}"


class Vouched:
    """Versions that were found in their storages a moment ago, by what is on record of them."""

    def __init__(self) -> None:
        self._known: Remembered[tuple[str, str], bool] = Remembered(REMEMBERED, VOUCHED_SECONDS)
        self._looking = asyncio.Semaphore(LOOKS)

    def holds(self, dataset: Dataset) -> bool:
        """Return whether the version on record was found there a moment ago."""
        return self._known.get((dataset.id, dataset.version)) is not None

    def keep(self, dataset: Dataset) -> None:
        """Remember that the version on record is there."""
        self._known.keep((dataset.id, dataset.version), True)

    async def looked_at(self, dataset: Dataset, look: Callable[[Dataset], Awaitable[T]]) -> T | Dataset:
        """Return what `look` makes of a dataset when it is its turn, or the dataset where another has looked."""
        async with self._looking:
            return dataset if self.holds(dataset) else await look(dataset)

    def forget(self) -> None:
        """Look at everything anew."""
        self._known.clear()


class MembersHandler(LayerHandler):
    """A resource that is made of the datasets under some ground."""

    @property
    def vouched_versions(self) -> Vouched:
        """Return what is remembered of versions."""
        known: Vouched = self.application.settings["vouched"]
        return known

    async def members(self, layer: Layer, wanted: Wanted, box: Box | None) -> Judged:
        """Return the datasets under a box as judged now; None is nowhere on Earth, and nothing lies there.

        Raises NotFound for a collection that the caller does not see, Forbidden where values are asked for of none
        that they may download, and the trouble where nothing is left for it.
        """
        if self.gives_file and self.principal.kind is TokenKind.TILES:
            raise Forbidden("Values need the right to download: a tile token does not give it.")
        if box is None:
            await self.looked_up(layer, self.services.members.require_seen, layer, self.reader)
            return Judged((), 0)
        find = self.services.members.find
        found = await self.looked_up(layer, find, layer, wanted, box, self.reader, self.action)
        if found.number and not found.datasets:
            raise Forbidden("What lies there may be viewed but not downloaded by you.")
        return await self.judged(found)

    async def judged(self, found: Found) -> Judged:
        """Return those that are true COGs and there now."""
        known = self.vouched_versions
        asked = [dataset for dataset in found.datasets if not known.holds(dataset)]
        looked_at = dict(zip((dataset.id for dataset in asked), await self._looked_at(asked), strict=True))
        kept: list[Dataset] = []
        trouble: GatewayError | None = None
        for dataset in found.datasets:
            answer = looked_at.get(dataset.id, dataset)
            if isinstance(answer, GatewayError):
                trouble = trouble if isinstance(answer, NotFound | NotACog) else answer
            else:
                if dataset.id in looked_at:
                    known.keep(answer)
                kept += [answer] if can_be_drawn(answer) else []
        if trouble is not None and not kept:
            raise trouble
        return Judged(tuple(kept), found.number, trouble)

    async def _looked_at(self, datasets: Sequence[Dataset]) -> list[Dataset | GatewayError]:
        """Return each as judged in the version that is there, or why it cannot be had; in bounded time."""
        if not datasets:
            return []
        known = self.vouched_versions
        tasks = [asyncio.ensure_future(known.looked_at(dataset, self._vouched)) for dataset in datasets]
        try:
            await asyncio.wait(tasks, timeout=JUDGE_SECONDS)
        finally:
            for task in tasks:
                task.cancel()
        late = Unavailable("A file of this layer is being judged.", retry_after_seconds=1)
        return [late if not task.done() or task.cancelled() else task.result() for task in tasks]

    async def _vouched(self, dataset: Dataset) -> Dataset | GatewayError:
        try:
            decide = partial(vouched, self.services.gatekeeper, dataset)
            return (await self.decisions.made(dataset.id, decide))[0]
        except (NotFound, NotACog, Unavailable) as error:
            return error

    def forget_versions(self) -> None:
        """Look at all versions anew: one of them was another one when it was drawn."""
        self.vouched_versions.forget()
