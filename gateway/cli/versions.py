"""The versions that the parts of a cluster must share, compared and told in words."""

from __future__ import annotations

from typing import Any

from gateway.errors import GatewayError


class ClusterError(GatewayError):
    """A cluster that cannot be worked with, or that was lost; `detail` says why and what to do."""


def require_versions(who: str, found: dict[str, str], wanted: dict[str, str]) -> None:
    """Raise ClusterError, with all differences, where versions are not those that are wanted."""
    other = [f"{name} {found.get(name) or 'is missing'} there and {wanted[name]} here"
             for name in wanted if found.get(name) != wanted[name]]  # fmt: skip
    if other:
        raise ClusterError(f"{who} has other versions: {', '.join(other)}")


def facts_of(found: dict[str, Any]) -> dict[str, str]:
    """Return the versions in what the library tells of one process; Python's without its last part."""
    packages = found["packages"]
    return {**packages, "python": ".".join(packages["python"].split(".")[:2])}
