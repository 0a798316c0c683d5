"""Which members of items are wanted (fields extension of the STAC API)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# What makes an item.
DEFAULT = (
    "id", "type", "stac_version", "stac_extensions", "geometry", "bbox", "links", "assets", "collection",
    "properties.datetime", "properties.start_datetime", "properties.end_datetime",
)  # fmt: skip
# Members of an item itself; other names without a dot are of its properties.
TOP = frozenset({*(name for name in DEFAULT if "." not in name), "properties"})


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of members, with dots between those in one another.

    What is included is all that is wanted, without what is excluded; the longer name of two counts,
    of equal ones the included. Where nothing is included all but the excluded is wanted, without both DEFAULT.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is wanted of an item."""
        wanted = [_path(name) for name in self.include or (() if self.exclude else DEFAULT)]
        inner = {path[:length] for path in wanted for length in range(1, len(path) + 1)} if self.include else set()
        unwanted = [path for path in map(_path, self.exclude) if path not in inner]
        return _without(_kept(item, wanted) if wanted else item, unwanted)


def _path(name: str) -> tuple[str, ...]:
    first, _, rest = name.partition(".")
    if first not in TOP:
        return "properties", name
    # Names of properties may have dots, those of other members not.
    parts = (rest,) if first == "properties" else tuple(rest.split("."))
    return (first, *parts) if rest else (first,)


def _kept(value: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Return the members that are on one of the paths."""
    below = _by_first(paths)
    found = {}
    for name, each in value.items():
        if name in below:
            rest = below[name]
            found[name] = each if () in rest or not isinstance(each, Mapping) else _kept(each, rest)
    return found


def _without(value: Mapping[str, Any], paths: Iterable[tuple[str, ...]]) -> dict[str, Any]:
    """Return the members that no path ends at."""
    below = _by_first(paths)
    return {
        name: _without(each, below[name]) if name in below and isinstance(each, Mapping) else each
        for name, each in value.items()
        if () not in below.get(name, ())
    }


def _by_first(paths: Iterable[tuple[str, ...]]) -> dict[str, list[tuple[str, ...]]]:
    below: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(tuple(rest))
    return below
