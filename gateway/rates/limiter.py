"""The limits by name, and who is counted as one."""

from __future__ import annotations

import ipaddress
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import TooManyRequests

if TYPE_CHECKING:
    from gateway.rates.table import SharedTable

OFF = "off"
# One host has a whole network of IPv6 addresses (RFC 6177 section 2).
HOST_PREFIX = 64


class RateLimits:
    """Limits such as 60/minute by name, counted in `folder` together with other processes.

    `folder` None counts for this process alone. Make it after a fork, never before. A window begins with the first
    request of somebody and lasts as long as the limit says.
    """

    def __init__(
        self, limits: Mapping[str, str], folder: Path | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = {name: limit for name, limit in limits.items() if limit != OFF}
        self._folder = folder
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._clock = clock

    def spend(self, name: str, user: str | None, ip: str, cost: int = 1) -> None:
        """Count `cost` for who asks; raises TooManyRequests beyond the limit, with the seconds until the window ends.

        A user counts as one wherever they ask from, anonymous people by their address.
        """
        if name not in self._limits:
            return
        item, who = self._items[name], identity(user, ip)
        # What costs more than the limit is let through where nothing else was spent: it would never be otherwise.
        if not self._strategy.hit(item, name, who, cost=min(cost, item.amount)):
            ends = self._table.get_expiry(item.key_for(name, who))
            raise TooManyRequests(retry_after_seconds=max(1, math.ceil(ends - self._clock())))

    def count(self, name: str, ip: str, window: int, lifetime_seconds: float) -> int:
        """Return how often this address did something in a window of the caller's, this time included.

        The number of the window is the caller's; the count can be asked for during `lifetime_seconds`.
        """
        return int(self._table.incr(_window_key(name, ip, window), lifetime_seconds))

    def counted(self, name: str, ip: str, window: int) -> int:
        """Return how often it did, in all processes; 0 once the count's lifetime is over."""
        return int(self._table.get(_window_key(name, ip, window)))

    def load(self) -> None:
        """Import and open what the first request would wait for."""
        if self._limits:
            self._strategy, self._items  # noqa: B018

    def close(self) -> None:
        """Close the file, if there ever was one."""
        if "_table" in vars(self):
            self._table.close()
        if self._own is not None:
            self._own.cleanup()

    @cached_property
    def _table(self) -> SharedTable:
        # `limits` takes a third of a second to import, and commands never need it.
        from gateway.rates.table import SharedTable  # noqa: PLC0415

        if self._folder is None:
            self._own = tempfile.TemporaryDirectory(prefix="cog-gateway-rates-")
        folder = self._folder or Path(self._own.name if self._own else "")
        return SharedTable(folder / "rates", self._clock)

    @cached_property
    def _strategy(self) -> Any:
        from limits.strategies import FixedWindowRateLimiter  # noqa: PLC0415

        return FixedWindowRateLimiter(self._table)

    @cached_property
    def _items(self) -> Mapping[str, Any]:
        from limits import parse  # noqa: PLC0415

        return {name: parse(limit) for name, limit in self._limits.items()}


def _window_key(name: str, ip: str, window: int) -> str:
    return f"{name}/{identity(None, ip)}/{window}"


def identity(user: str | None, ip: str) -> str:
    """Return whom a request is counted for: the user, else the address, of IPv6 its network."""
    if user is not None:
        return f"user {user}"
    try:
        address = ipaddress.ip_address(ip)
    except ValueError:
        return "nobody"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return f"net {ipaddress.ip_network((address, HOST_PREFIX), strict=False)}"
    return f"ip {getattr(address, 'ipv4_mapped', None) or address}"
