"""How far a check looks into a file; in a module of its own, which loads no GDAL."""

from __future__ import annotations

DEPTHS = ("header", "blocks", "full")


def usual_depth(*, remote: bool) -> str:
    """Return the depth when nobody says: the leaders of remote blocks cost a request each."""
    return "header" if remote else "blocks"


def is_deeper(depth: str, other: str) -> bool:
    """Return whether a look at `depth` sees more than one at `other`."""
    return DEPTHS.index(depth) > DEPTHS.index(other)


def reaches(depth: str | None, wanted: str | None) -> bool:
    """Return whether a look at `depth` is as deep as `wanted`; None is no depth in particular."""
    return wanted is None or (depth is not None and DEPTHS.index(depth) >= DEPTHS.index(wanted))
