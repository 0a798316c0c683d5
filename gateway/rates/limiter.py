"""The limits by name, and who is counted as one."""

from __future__ import annotations

import importlib
import ipaddress
import math
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.errors import SettingsError, TooManyRequests
from gateway.rates.counted import Counted

if TYPE_CHECKING:
    from concurrent.futures import Future

    from limits.storage import Storage

    from gateway.rates.table import SharedTable
    from gateway.rates.valkey import ValkeyCounts

OFF = "off"
# One host has a whole network of IPv6 addresses (RFC 6177 section 2).
HOST_PREFIX = 64
# In the names of what nodes share: keys of another strategy hold another type of value.
STRATEGY = "fixed-window"


class RateLimits:
    """Limits such as 60/minute by name, counted in `folder` together with other processes.

    `folder` None counts for this process alone. At `valkey_url` all nodes count what they share; while it does not
    serve, each machine does. Make it after a fork, never before. A window begins with the first request of somebody
    and lasts as long as the limit says. Raises SettingsError for a URL that cannot be used.
    """

    def __init__(
        self,
        limits: Mapping[str, str],
        folder: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
        valkey_url: str | None = None,
    ) -> None:
        self._limits = {name: limit for name, limit in limits.items() if limit != OFF}
        self._folder = folder
        self._own: tempfile.TemporaryDirectory[str] | None = None
        self._clock = clock
        self._valkey = None if valkey_url is None else _opened(valkey_url)

    def spend(self, name: str, user: str | None, ip: str, cost: int = 1) -> None:
        """Count `cost` for who asks; raises TooManyRequests beyond the limit, with the seconds until the window ends.

        A user counts as one wherever they ask from, anonymous people by their address.
        """
        _tell(self._spent_here(name, user, ip, cost))

    def spend_shared(self, name: str, user: str | None, ip: str) -> Counted[None]:
        """Count one for who asks, over all nodes; the outcome is that of `spend`."""
        # Here in any case: who has spent something does not begin anew when Valkey goes away.
        here = partial(_tell, self._spent_here(name, user, ip))
        if self._valkey is None or name not in self._limits:
            return Counted(here)
        item, names = self._items[name], (STRATEGY, name, _hidden(identity(user, ip)))
        return self._valkey.count(lambda storage: _tell(_spent(storage, item, names, 1, time.monotonic)), here)

    def _spent_here(self, name: str, user: str | None, ip: str, cost: int = 1) -> TooManyRequests | None:
        if name not in self._limits:
            return None
        item = self._items[name]
        # What costs more than the limit is let through where nothing else was spent: it would never be otherwise.
        return _spent(self._table, item, (name, identity(user, ip)), min(cost, item.amount), self._clock)

    def count(self, name: str, ip: str, window: int, lifetime_seconds: int) -> int:
        """Return how often this address did something in a window of the caller's, this time included.

        Over all nodes, and for threads, as `counted` is. The number of the window is the caller's; the count can be
        asked for during `lifetime_seconds`.
        """
        here = int(self._table.incr(_window_key(name, ip, window), lifetime_seconds))
        if self._valkey is None:
            return here
        key = _shared_window_key(name, ip, window)
        return self._valkey.count(lambda storage: storage.incr(key, lifetime_seconds), lambda: here).wait()

    def counted(self, name: str, ip: str, window: int) -> int:
        """Return how often it did, over all nodes; 0 once the count's lifetime is over."""
        here = partial(self._table.get, _window_key(name, ip, window))
        if self._valkey is None:
            return here()
        key = _shared_window_key(name, ip, window)
        return self._valkey.count(lambda storage: storage.get(key), here).wait()

    def load(self) -> None:
        """Import and open what the first request would wait for."""
        if self._limits:
            self._table, self._items  # noqa: B018
        if self._valkey is not None:
            self._valkey.try_it()

    def counts_alone(self) -> bool | None:
        """Return whether this machine counts for itself just now, None where nothing is shared.

        Where it does, Valkey is asked again, and nobody waits for that.
        """
        if self._valkey is None:
            return None
        self._valkey.look()
        return self._valkey.away

    def try_valkey(self) -> Future[bool] | None:
        """Return a future of whether all nodes can be counted for, None where nothing is shared."""
        return None if self._valkey is None else self._valkey.try_it()

    def close(self) -> None:
        """Close the file, if there ever was one, and the connection."""
        if self._valkey is not None:
            self._valkey.close()
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
    def _items(self) -> Mapping[str, Any]:
        from limits import parse  # noqa: PLC0415

        return {name: parse(limit) for name, limit in self._limits.items()}


def _spent(
    storage: Storage, item: Any, names: tuple[str, ...], cost: int, clock: Callable[[], float]
) -> TooManyRequests | None:
    """Return None after `cost` was counted within the limit `item`, or what tells when its window ends."""
    from limits.strategies import FixedWindowRateLimiter  # noqa: PLC0415

    if FixedWindowRateLimiter(storage).hit(item, *names, cost=cost):
        return None
    ends = storage.get_expiry(item.key_for(*names))
    return TooManyRequests(retry_after_seconds=max(1, math.ceil(ends - clock())))


def _tell(limited: TooManyRequests | None) -> None:
    if limited is not None:
        raise limited


def _opened(url: str) -> ValkeyCounts:
    """Return the counts in Valkey: only who shares them needs its library."""
    try:
        valkey = importlib.import_module("gateway.rates.valkey")
    except ImportError as error:
        told = "limits in Valkey need the extra: pip install 'cog-gateway[valkey]'"
        raise SettingsError(f"{told} ({str(error).splitlines()[0]})") from error
    counts: ValkeyCounts = valkey.ValkeyCounts(url)
    return counts


def _window_key(name: str, ip: str, window: int) -> str:
    return f"{name}/{identity(None, ip)}/{window}"


def _shared_window_key(name: str, ip: str, window: int) -> str:
    return f"window/{name}/{_hidden(identity(None, ip))}/{window}"


def _hidden(who: str) -> str:
    """Return a name of fixed length that is no user and no address: Valkey need not know them."""
    return blake2b(who.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


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
