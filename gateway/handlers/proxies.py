"""Which client a request has and under which address it sees us, when trusted proxies stand in front."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence

from gateway.settings import DEFAULT_PORTS

PROTOCOL = re.compile(r"https?", re.IGNORECASE)
PORT = re.compile(r"[0-9]{1,5}")
PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+/?")
MAX_PORT = 65_535
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
        return self._walk(peer, headers)[0]

    def _walk(self, peer: str, headers: Mapping[str, str]) -> tuple[str, int]:
        """Return the client, and how many trusted proxies the request came through, the peer included."""
        client, hops = peer, 0
        if not self._networks:
            return client, hops
        for address in reversed(headers.get("X-Forwarded-For", "").split(",")):
            if not self.trusts(client):
                return client, hops
            hops += 1
            try:
                client = str(ipaddress.ip_address(address.strip()))
            except ValueError:
                return client, hops
        return client, hops + self.trusts(client)

    def base(self, peer: str, headers: Mapping[str, str], protocol: str, host: str) -> str:
        """Return the URL under which the client sees the gateway: scheme, host, and the path before its own.

        Each field may be a list to which every proxy appended what it saw: the entry that counts is that of the
        outermost proxy which is trusted, or the first one where fewer proxies spoke.
        """
        _, hops = self._walk(peer, headers)
        if not hops:
            return f"{protocol}://{host}"

        def said(name: str, form: re.Pattern[str]) -> str | None:
            entries = headers.get(f"X-Forwarded-{name}", "").split(",")
            entry = entries[max(0, len(entries) - hops)].strip()
            return entry if form.fullmatch(entry) else None

        protocol = (said("Proto", PROTOCOL) or protocol).lower()
        named = said("Host", HOST)
        host = _with_port(named or host, said("Port", PORT), protocol, replace=named is None)
        return f"{protocol}://{host}{(said('Prefix', PREFIX) or '').rstrip('/')}"


def _with_port(host: str, port: str | None, protocol: str, *, replace: bool) -> str:
    """Return the host with the port that a proxy says, unless the proxy's own word for the host has one."""
    bare = re.sub(r":[0-9]+$", "", host)
    if port is None or not 0 < int(port) <= MAX_PORT or (bare != host and not replace):
        return host
    return bare if int(port) == DEFAULT_PORTS[protocol] else f"{bare}:{int(port)}"
