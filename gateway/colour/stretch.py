"""The default range of values of an open raster, where it was not taken when the file was judged."""

from __future__ import annotations

from gateway.cog.stretch import ranges_of
from gateway.colour.model import Stretch
from gateway.model import ordered
from gateway.reading.handles import Handle


def stretch_of(handle: Handle) -> Stretch | None:
    """Return one (low, high) for each band, or None for bytes and for what has no order."""
    if not ordered(handle.view.dtype):
        return None
    with handle.lock:
        return Stretch(ranges_of(handle.view.levels, handle.level))
