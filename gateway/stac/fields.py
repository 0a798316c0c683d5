"""Which members of items are wanted (fields extension of the STAC API)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# What makes an item.
DEFAULT = (
    "id", "type", "stac_version", "stac_extensions", "geometry", "bbox", "links", "assets", "collection",
    "properties.datetime", "properties.start_datetime", "properties.end_datetime",
)  # fmt: skip
# Members of an item itself; other names without a dot are of its properties.
TOP = frozenset({*(name for name in DEFAULT if "." not in name), "properties"})

Paths = Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of members, with dots between those in one another; `include` None is not given, which is not empty.

    Included names are all that is wanted, with what is in them, less what is excluded: the longest name of a member
    decides, of equal ones the included. Without them all is wanted less what is excluded, or only DEFAULT of it where
    `include` is empty or nothing is excluded.
    https://github.com/stac-api-extensions/fields/blob/v1.0.0/README.md#includeexclude-semantics
    """

    include: tuple[str, ...] | None = None
    exclude: tuple[str, ...] = ()

    def of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is wanted of an item."""
        exclude = [_path(name) for name in self.exclude]
        if self.include:
            return _chosen(item, [_path(name) for name in self.include], exclude, whole=False)
        if self.include is None and exclude:
            return _chosen(item, [], exclude, whole=True)
        least = _chosen(item, [_path(name) for name in DEFAULT], [], whole=False)
        return _chosen(least, [], exclude, whole=True)


def _path(name: str) -> tuple[str, ...]:
    first, _, rest = name.partition(".")
    if first not in TOP:
        return "properties", name
    # Names of properties may have dots, those of other members not.
    parts = (rest,) if first == "properties" else tuple(rest.split("."))
    return (first, *parts) if rest else (first,)


def _chosen(value: Mapping[str, Any], include: Paths, exclude: Paths, *, whole: bool) -> dict[str, Any]:
    """Return the members that are wanted; `whole` says whether those are of which no path tells anything."""
    included, excluded = _by_first(include), _by_first(exclude)
    found = {}
    for name, each in value.items():
        more, less = included.get(name, []), excluded.get(name, [])
        wanted = () in more or (whole and () not in less)
        if isinstance(each, Mapping) and any((*more, *less)):
            part = _chosen(each, [path for path in more if path], [path for path in less if path], whole=wanted)
            if wanted or part:
                found[name] = part
        elif wanted:
            found[name] = each
    return found


def _by_first(paths: Paths) -> dict[str, list[tuple[str, ...]]]:
    below: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in paths:
        below.setdefault(first, []).append(tuple(rest))
    return below
