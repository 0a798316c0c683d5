"""Where datasets lie on maps, and layers of documents: frozen, and free of any outside library."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.colour.model import Encoded
from gateway.ground.bounds import GeographicBounds


@dataclass(frozen=True, slots=True)
class OnMap:
    """Where a dataset lies: bounds in degrees, and the zoom levels of one tile matrix set that fit it.

    `grid_zooms` are all levels of that tile matrix set.
    """

    bounds: GeographicBounds
    minzoom: int
    maxzoom: int
    grid_zooms: tuple[int, int]


# What GetFeatureInfo answers in.
INFO_FORMATS = ("application/json", "text/plain", "text/html", "application/geo+json")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a WMTS document.

    `bounds` are west, south, east, north in degrees, west <= east; `tiles` and `values` the templates of its tiles
    and of what GetFeatureInfo answers; `styles` its named styles, the first one being the default, each with the URL
    of a legend or None. `days` are the default and the values of its dimension `Time`, None where it has none.
    """

    identifier: str
    title: str
    bounds: tuple[float, float, float, float]
    tiles: str
    values: str
    styles: tuple[tuple[str, str | None], ...]
    days: tuple[str, tuple[str, ...]] | None = None


@dataclass(frozen=True, slots=True)
class LayerPicture:
    """A picture of several datasets.

    `used` are the ids of those that pixels were taken from, in their order; `left_out` of those that cannot be drawn.
    """

    encoded: Encoded
    used: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    @property
    def body(self) -> bytes:
        """Return the body of the picture."""
        return self.encoded.body
