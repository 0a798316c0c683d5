"""Which tile: the id of its tile matrix set and its place there."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TileAddress:
    """One tile: the id of its tile matrix set, its place there, and how it is drawn.

    `tilesize` and `buffer` are in pixels at scale 1; the image has (tilesize * scale + 2 * buffer) pixels a side.
    """

    tms: str
    z: int
    x: int
    y: int
    tilesize: int = 256
    scale: int = 1
    buffer: float = 0

    @property
    def size(self) -> int:
        """Return the pixels of one side, without the buffer."""
        return self.tilesize * self.scale

    @property
    def pixels(self) -> int:
        """Return how many pixels the image has, with the buffer."""
        return math.ceil((self.tilesize + 2 * self.buffer) * self.scale) ** 2
