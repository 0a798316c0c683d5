"""Bytes of a store through the gateway into a connection, at the client's pace, and never of two versions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from tornado.iostream import StreamClosedError

from gateway.errors import GatewayError
from gateway.handlers.connections import ClientConnection, Exchange
from gateway.handlers.streaming import Aborted
from gateway.ranges import ByteRange
from gateway.storage import RemoteObject
from gateway.storage.base import Body

CHUNK_BYTES = 256 << 10
# A store closes what a slow client leaves unread; the rest is asked for anew, as long as there is progress.
FRUITLESS_TRIES = 3
NO_MORE = "the store gave no more of this version"

InThread = Callable[..., Awaitable[Any]]


class StoreTransfer:
    """One span of an object in a store on its way. `sent` counts the bytes that the connection has taken."""

    def __init__(
        self,
        connection: ClientConnection,
        exchange: Exchange,
        source: RemoteObject,
        span: ByteRange,
        in_thread: InThread,
    ) -> None:
        self._connection = connection
        self._exchange = exchange
        self._source = source
        self._span = span
        self._in_thread = in_thread
        self._body: Body | None = None
        self.sent = 0

    async def run(self) -> None:
        """Send the whole span after the headers have been flushed; memory holds one chunk, no thread waits.

        Raises Aborted, OSError and StreamClosedError; the connection must be closed then.
        """
        try:
            while self.sent < self._span.length:
                chunk = await self._next()
                taken = await self._connection.write(self._exchange, chunk)
                self.sent += taken
                if taken != len(chunk):
                    raise StreamClosedError
        except GatewayError as error:
            raise Aborted(NO_MORE) from error
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
        raise Aborted(NO_MORE)

    async def _give_up(self) -> None:
        if self._body is not None:
            body, self._body = self._body, None
            # A body that nobody closes is closed with its connection.
            with suppress(GatewayError):
                await self._in_thread(body.close)
