"""What may read much of the catalogue: never on the threads that downloads wait for."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from gateway.handlers.base import BaseHandler
from gateway.pools import Pool

P = ParamSpec("P")
T = TypeVar("T")


async def searched(handler: BaseHandler, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `work` returns, run in the pool for searches; raises Unavailable when its queue is full."""
    return await handler.results.expect(handler.services.pools[Pool.SEARCH].submit(work, *args, **kwargs))
