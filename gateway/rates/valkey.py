"""Counts that all nodes share in Valkey or Redis, and what serves while it does not."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar, cast
from urllib.parse import urlsplit

from limits.storage import RedisStorage
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

from gateway.errors import SettingsError
from gateway.rates.counted import PATIENCE_SECONDS, Counted

T = TypeVar("T")

log = logging.getLogger("gateway")
# The names that redis-py gives the schemes of the settings.
SCHEMES = {"valkey": "redis", "valkeys": "rediss"}
PREFIX = "cog-gateway"
# A connection and an answer take so long at most.
ANSWER_SECONDS = 0.05
REST_SECONDS = 1.0
# What is no number is no count, whoever has written it.
FAILURES = (RedisError, ValueError)
# A count of nothing, by which is found out whether Valkey counts, leaves its key there for this long.
TRIED_SECONDS = 1


class ValkeyStorage(RedisStorage):
    """The storage of `limits`, which tells the end of a window to the millisecond and by this machine's clock.

    `last_key` is the one that was asked for last.
    """

    STORAGE_SCHEME = None  # type: ignore[assignment]

    def __init__(self, url: str) -> None:
        self.last_key = "tried"
        scheme = urlsplit(url).scheme
        super().__init__(
            SCHEMES.get(scheme, scheme) + url.removeprefix(scheme),
            key_prefix=PREFIX,
            socket_timeout=ANSWER_SECONDS,
            socket_connect_timeout=ANSWER_SECONDS,
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]
        )
        # Made, not connected: what a URL must not ask for shows itself here.
        self._client.connection_pool.make_connection()

    def prefixed_key(self, key: str) -> str:
        """Return the key's name in Valkey."""
        self.last_key = key
        return super().prefixed_key(key)

    def get_expiry(self, key: str) -> float:
        """Return when the key's window ends, by the monotonic clock; now where there is none."""
        left_ms = self._client.pttl(self.prefixed_key(key))
        return time.monotonic() + max(left_ms, 0) / 1000

    def disconnect(self) -> None:
        """Close the connections; the next question opens one."""
        self._client.connection_pool.disconnect()

    @property
    def _client(self) -> Redis:
        return cast(Redis, self.get_connection())


class ValkeyCounts:
    """Counts in Valkey, by one thread over one connection. Make it after a fork, never before.

    While Valkey does not answer, or answers by an error, each machine counts for itself and nobody waits; the thread
    asks again after a second. Raises SettingsError for a URL that cannot be used.
    """

    def __init__(self, url: str) -> None:
        self._place = place_of(url)
        try:
            self._storage = ValkeyStorage(url)
        except (TypeError, ValueError, RedisError):
            # Whose texts may quote what the URL holds.
            raise SettingsError(f"VALKEY_URL, of {self._place}, asks for what redis-py does not know") from None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="valkey")
        self._away = False
        self._asks_again_at = 0.0
        self._began_at: float | None = None

    @property
    def away(self) -> bool:
        """Return whether this machine counts for itself just now."""
        began_at = self._began_at
        return self._away or (began_at is not None and time.monotonic() - began_at > PATIENCE_SECONDS)

    def count(self, there: Callable[[ValkeyStorage], T], here: Callable[[], T]) -> Counted[T]:
        """Return the outcome of `there`, done in the thread, and of `here`."""
        if self.away:
            self.look()
            return Counted(here)
        return Counted(here, self._thread.submit(self._done, there, here))

    def look(self) -> None:
        """Let the thread ask Valkey again, where it failed and a second has passed."""
        if self._away and time.monotonic() >= self._asks_again_at:
            self._asks_again_at = time.monotonic() + REST_SECONDS
            self.try_it()

    def try_it(self) -> Future[bool]:
        """Return a future of whether Valkey counts, which the thread finds out."""
        return self._thread.submit(self._tried)

    def close(self) -> None:
        """End the thread and close the connection."""
        self._thread.shutdown(cancel_futures=True)
        self._storage.disconnect()

    def _done(self, there: Callable[[ValkeyStorage], T], here: Callable[[], T]) -> T:
        if self._away:
            # It waited behind one that failed.
            return here()
        try:
            with self._timed():
                return there(self._storage)
        except FAILURES as error:
            self._lost(error)
        return here()

    def _tried(self) -> bool:
        try:
            with self._timed():
                # With the key that was asked for last: it may be this one alone that fails.
                self._storage.incr(self._storage.last_key, TRIED_SECONDS, 0)
        except FAILURES as error:
            self._lost(error)
            return False
        if self._away:
            self._away = False
            log.warning("Limits are counted by all nodes together again.")
        return True

    @contextmanager
    def _timed(self) -> Iterator[None]:
        self._began_at = time.monotonic()
        try:
            yield
        finally:
            self._began_at = None

    def _lost(self, error: Exception) -> None:
        if not self._away:
            told = (str(error).splitlines() or [type(error).__name__])[0]
            log.warning("Limits are counted by this machine alone: Valkey at %s: %s", self._place, told)
        self._away, self._asks_again_at = True, time.monotonic() + REST_SECONDS
        # It may lead to a server that has become a replica, or hold half of an answer.
        self._storage.disconnect()


def place_of(url: str) -> str:
    """Return where a server is, without user and password."""
    parts = urlsplit(url)
    return parts.netloc.rpartition("@")[2] or parts.path
