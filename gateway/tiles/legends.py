"""Colour maps by name: their colours, and a strip of them for a legend."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import numpy as np
from rio_tiler.colormap import cmap

from gateway.errors import NotFound
from gateway.tiles.encode import encode
from gateway.tiles.model import TileFormat

# Longer text is no misspelt name, and would only cost time.
LONGEST_NAME = 40


def names() -> list[str]:
    """Return the names of all colour maps."""
    return sorted(cmap.list())


def hint(name: str) -> str:
    """Return the end of a sentence about a misspelt name: the nearest one, where there is one."""
    near = get_close_matches(name.lower()[:LONGEST_NAME], cmap.list(), 1)
    return f"; did you mean {near[0]}?" if near else "."


def colours(name: str) -> Any:
    """Return the colours of a map: by value, or as pairs of an interval and a colour; raises NotFound."""
    if name not in cmap.list():
        raise NotFound(f"There is no such colour map{hint(name)}")
    found = cmap.get(name)
    if isinstance(found, dict):
        return {str(value): [int(part) for part in colour] for value, colour in found.items()}
    return [[list(map(float, interval)), [int(part) for part in colour]] for interval, colour in found]


def picture(name: str, width: int, height: int, *, vertical: bool = False) -> bytes:
    """Return a PNG of `width` x `height` pixels with the colours from left to right, or upwards; raises NotFound."""
    found = colours(name)
    strip = [tuple(each) for each in (found.values() if isinstance(found, dict) else (pair[1] for pair in found))]
    table = np.array(strip, np.uint8)
    length = height if vertical else width
    colours_along = table[np.arange(length) * len(table) // length].T
    pixels = np.broadcast_to(
        colours_along[:, ::-1, None] if vertical else colours_along[:, None, :], (4, height, width)
    )
    return bytes(encode(TileFormat.PNG, np.ascontiguousarray(pixels[:3]), np.ascontiguousarray(pixels[3])))
