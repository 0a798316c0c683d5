"""Which client and which public origin a request has, when trusted proxies stand in front."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class Proxies:
    """The networks whose X-Forwarded-* fields are believed; from all others they are ignored."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = tuple(ipaddress.ip_network(n, strict=False) for n in networks)

    def trusts(self, address: str) -> bool:
        """Return whether `address` is one of ours."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)

    def client_ip(self, peer: str, headers: Mapping[str, str]) -> str:
        """Return the address nearest to us in X-Forwarded-For that is no trusted proxy, else the peer.

        Read from the right: each proxy appends the address it saw, and everything left of the first
        untrusted one may be invented by the client.
        """
        client = peer
        if not self._networks:
            return client
        for address in reversed(headers.get("X-Forwarded-For", "").split(",")):
            if not self.trusts(client):
                break
            try:
                client = str(ipaddress.ip_address(address.strip()))
            except ValueError:
                break
        return client

    def origin(self, peer: str, headers: Mapping[str, str], protocol: str, host: str) -> str:
        """Return scheme and host under which the client sees the gateway."""
        if self.trusts(peer):
            forwarded = headers.get("X-Forwarded-Proto", "").split(",")[-1].strip().lower()
            protocol = forwarded if forwarded in ("http", "https") else protocol
            named = headers.get("X-Forwarded-Host", "").split(",")[-1].strip()
            host = named if HOST.fullmatch(named) else host
        return f"{protocol}://{host}"
