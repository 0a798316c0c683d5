"""Whether the process lives, and whether it can serve."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Awaitable, Callable
from types import TracebackType

from gateway.errors import GatewayError, Unavailable
from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler
from gateway.pools import Pool
from gateway.records import LEAST_MONTHS_AHEAD
from gateway.storage import Storage

log = logging.getLogger("gateway")
# Longer than a busy audit or store takes, shorter than the patience of who asks.
AUDIT_SECONDS = 1.0
PART_SECONDS = 1.0
STORE_REMEMBERED_SECONDS = 1.0
OK, FAILING = "ok", "failing"


class Parts:
    """The states of the parts of one process: each is asked by one thread at a time, however many want to know."""

    def __init__(self) -> None:
        self._asking: dict[str, asyncio.Task[str]] = {}
        self._known: dict[str, tuple[float, str]] = {}

    async def state(self, name: str, ask: Callable[[], Awaitable[None]], good_for_seconds: float) -> str:
        """Return ok, or failing where `ask` raises a GatewayError or takes long; an answer is kept for a while."""
        at, state = self._known.get(name, (-math.inf, FAILING))
        if time.monotonic() - at < good_for_seconds:
            return state
        asking = self._asking.get(name)
        if asking is None:
            asking = self._asking[name] = asyncio.create_task(self._ask(name, ask))
        done, _ = await asyncio.wait({asking}, timeout=PART_SECONDS)
        return asking.result() if done else FAILING

    async def _ask(self, name: str, ask: Callable[[], Awaitable[None]]) -> str:
        state = FAILING
        try:
            await ask()
            state = OK
        except GatewayError as error:
            # Once: who asks does so again and again, and learns only which part it is.
            if self._known.get(name, (0.0, OK))[1] == OK:
                log.warning("not ready: %s: %s", name, getattr(error, "reason", "") or error.detail)
        finally:
            self._known[name] = time.monotonic(), state
            del self._asking[name]
        return state


class LiveHandler(BaseHandler):
    """The process answers: that is all it says."""

    @access(OPEN)
    def get(self) -> None:
        """Send 200."""
        self.set_header("Cache-Control", "no-store")
        self.send_json({"status": "ok"})

    head = get


class ReadyHandler(BaseHandler):
    """Whether new requests should come here: catalogue, audit and storage roots work, and no drain is on."""

    @access(OPEN)
    async def get(self) -> None:
        """Send 200 with every part `ok`; raises Unavailable with the parts where one fails."""
        names = ("audit", "database", *(f"root {name}" for name in self.services.storages))
        roots = (self.root_state(name, storage) for name, storage in self.services.storages.items())
        states = await asyncio.gather(self.audit_state(), self.database_state(), *roots)
        parts = dict(zip(names, states, strict=True))
        if self.application.settings["load"].draining:
            parts["server"] = "draining"
        unready_ones = [state for state in parts.values() if state != OK]
        parts |= await self.told_only()
        if unready_ones:
            unready = Unavailable("The server cannot serve just now; `parts` says why.")
            unready.members["parts"] = parts
            raise unready
        self.set_header("Cache-Control", "no-store")
        self.send_json({"status": "ready", "parts": parts})

    head = get

    async def audit_state(self) -> str:
        """Return whether a row can be written; one is tried where none was written a moment ago."""
        try:
            async with asyncio.timeout(AUDIT_SECONDS):
                await self.results.expect(self.services.audit.probe())
        except (GatewayError, TimeoutError):
            return FAILING
        return OK

    async def database_state(self) -> str:
        """Return whether the catalogue can be read."""
        return await self.parts.state("database", lambda: self.in_thread(self.services.records.ping), 0)

    async def told_only(self) -> dict[str, str]:
        """Return the states of parts that somebody has to look at, and for which nobody is to be sent elsewhere."""
        told = {}
        for name, storage in self.services.storages.items():
            if storage.request_ids is not None:
                told[f"request ids {name}"] = storage.request_ids.value
        if self.services.rates.counts_alone() is not None:
            told["valkey"] = await self.valkey_state()
        if (months := self.services.records.months_ahead()) is not None:
            told["audit months"] = OK if months >= LEAST_MONTHS_AHEAD else FAILING
        return told

    async def valkey_state(self) -> str:
        """Return whether all nodes count their limits together."""

        async def ask() -> None:
            tried = self.services.rates.try_valkey()
            if tried is not None and not await self.results.expect(tried):
                raise Unavailable("Valkey does not serve.")

        return await self.parts.state("valkey", ask, STORE_REMEMBERED_SECONDS)

    async def root_state(self, name: str, storage: Storage) -> str:
        """Return whether a storage root can be read; those that wait for stores ask one in a network."""
        pool = self.services.pools[Pool.STORE if storage.remote else Pool.DISK]

        async def ask() -> None:
            await self.results.expect(pool.submit(storage.ping))

        return await self.parts.state(f"root {name}", ask, STORE_REMEMBERED_SECONDS if storage.remote else 0)

    @property
    def parts(self) -> Parts:
        """Return what is known of the parts of this process."""
        parts: Parts = self.application.settings["parts"]
        return parts

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log what is our fault; that a part fails is for who asks, again and again, and in the log already."""
        if not isinstance(value, Unavailable):
            super().log_exception(typ, value, tb)
