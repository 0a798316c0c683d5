"""Colour maps by name: their colours, and a strip of them for a legend."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from rio_tiler.colormap import cmap

from gateway.colour.encode import encode
from gateway.colour.model import TileFormat
from gateway.errors import NotFound

# Longer text is no misspelt name, and would only cost time.
LONGEST_NAME = 40
FONT = (cv2.FONT_HERSHEY_SIMPLEX, 0.4)
INK = (40, 40, 40, 255)
# Of the labels of a legend, in pixels: the height of a line, and what is left free around a text.
LINE, MARGIN = 16, 4
Pixels = npt.NDArray[np.uint8]


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


def picture(
    name: str, width: int, height: int, *, vertical: bool = False, ends: tuple[float, float] | None = None
) -> bytes:
    """Return a PNG with a strip of `width` x `height` pixels, the colours from left to right, or upwards.

    With `ends` the values of the first and the last colour, and the one between where there is room, stand below the
    strip, or right of it, and the picture is so much larger. Raises NotFound.
    """
    found = colours(name)
    strip = [tuple(each) for each in (found.values() if isinstance(found, dict) else (pair[1] for pair in found))]
    table = np.array(strip, np.uint8)
    length = height if vertical else width
    along = table[np.arange(length) * len(table) // length]
    pixels = np.broadcast_to(along[::-1, None] if vertical else along[None, :], (height, width, 4))
    if ends is not None:
        labels = _labels(ends, length, vertical=vertical)
        pixels = np.concatenate((pixels, labels), axis=1 if vertical else 0)
    bands = np.ascontiguousarray(np.moveaxis(pixels, -1, 0))
    return bytes(encode(TileFormat.PNG, bands[:3], bands[3]))


def _labels(ends: tuple[float, float], length: int, *, vertical: bool) -> Pixels:
    """Return three values as text beside a strip of `length` pixels: an array (rows, cols, RGBA), white below it."""
    low, high = ends
    texts = [f"{value:.6g}" for value in (low, low / 2 + high / 2, high)]
    widths = [cv2.getTextSize(text, *FONT, 1)[0][0] for text in texts]
    if vertical:
        size, needed = (length, max(widths) + 2 * MARGIN), [LINE] * 3
        places = [(MARGIN, bottom - MARGIN) for bottom in (length, (length + LINE) // 2, LINE)]
    else:
        size, needed = (LINE, length), [width + 2 * MARGIN for width in widths]
        lefts = (0, (length - widths[1]) // 2, length - widths[2])
        places = [(left, LINE - MARGIN) for left in lefts]
    drawn = np.full((*size, 4), 255, np.uint8)
    # The ends go before the middle, and the first one before the last.
    for n in (0, *((2,) if needed[0] + needed[2] <= length else ()), *((1,) if sum(needed) <= length else ())):
        cv2.putText(drawn, texts[n], places[n], *FONT, INK, 1, cv2.LINE_AA)
    return drawn
