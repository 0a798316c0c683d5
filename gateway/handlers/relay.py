"""Bytes of a store through the gateway into a connection, at the client's pace, and never of two versions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from tornado.iostream import StreamClosedError

from gateway.errors import GatewayError
from gateway.handlers.streaming import Aborted, Connection
from gateway.ranges import ByteRange
from gateway.storage import RemoteObject
from gateway.storage.base import Body

CHUNK_BYTES = 256 << 10
# A store closes what a slow client leaves unread; the rest is asked for anew, as long as there is progress.
FRUITLESS_TRIES = 3

InThread = Callable[..., Awaitable[Any]]


class Relay:
    """One body on its way from a store. `sent` counts the bytes that the connection has taken."""

    def __init__(
        self, connection: Connection, source: RemoteObject, span: ByteRange, stall_seconds: float, in_thread: InThread
    ) -> None:
        self._connection = connection
        self._source = source
        self._span = span
        self._stall_seconds = stall_seconds
        self._in_thread = in_thread
        self._body: Body | None = None
        self.sent = 0

    async def run(self) -> None:
        """Send the whole span after the headers have been flushed; memory holds one chunk, no thread waits.

        Raises Aborted, and then the connection is closed, for a body that is not the one promised.
        """
        try:
            while self.sent < self._span.length:
                chunk = await self._next()
                await asyncio.wait_for(self._connection.write(chunk), self._stall_seconds)
                self.sent += len(chunk)
        except (OSError, StreamClosedError, TimeoutError) as error:
            self._connection.stream.close()
            reason = "the client took no more" if isinstance(error, TimeoutError) else "the client left"
            raise Aborted(reason) from error
        except (Aborted, GatewayError) as error:
            self._connection.stream.close()
            raise Aborted("the store gave no more of this version") from error
        finally:
            await self._give_up()

    async def _next(self) -> bytes:
        """Return the next bytes, at least one."""
        for _ in range(FRUITLESS_TRIES):
            if self._body is None:
                start = self._span.start + self.sent
                self._body = await self._in_thread(self._source.body, start, self._span.stop - start)
            chunk: bytes = await self._in_thread(self._source.next_of, self._body, CHUNK_BYTES)
            if chunk:
                return chunk
            await self._give_up()
        raise Aborted("the store gave no more")

    async def _give_up(self) -> None:
        if self._body is not None:
            body, self._body = self._body, None
            # A body that nobody closes is closed with its connection.
            with suppress(GatewayError):
                await self._in_thread(body.close)
