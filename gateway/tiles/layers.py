"""Tiles, parts, points and statistics of several datasets that are drawn as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gateway.colour.model import LayerStyle, Style, TileFormat
from gateway.errors import NotFound
from gateway.ground.address import TileAddress
from gateway.ground.grid import Frame
from gateway.reading.handles import Handle, Version
from gateway.tiles.drawing import bands_read, check_values
from gateway.tiles.engine import TileEngine
from gateway.tiles.members import each_of, first_of
from gateway.tiles.model import LayerPicture
from gateway.tiles.painting import Blocks, Painting
from gateway.tiles.pictures import Size, Where, ground_of
from gateway.tiles.warp import placed

# A ground is looked at in so many cells a side.
CELLS = 16


def covered(engine: TileEngine, sources: Sequence[Version], frame: Frame) -> bool:
    """Return whether datasets may cover a ground together, as far as their extents tell."""
    seen, (rows, columns) = np.zeros((CELLS, CELLS), bool), frame.shape
    for source in sources:
        part = each_of(engine, source, lambda handle: placed(handle, frame.crs).part(frame), [])
        if part is not None:
            down = slice(part.top * CELLS // rows, -(-part.bottom * CELLS // rows))
            seen[down, part.left * CELLS // columns : -(-part.right * CELLS // columns)] = True
    return bool(seen.all())


def layer_tile(
    engine: TileEngine, sources: Sequence[Version], address: TileAddress, how: LayerStyle, whole: bool
) -> LayerPicture | None:
    """Return one tile; None where pixels are missing and `sources` are not the `whole` layer.

    Raises TileOutsideGrid and what `Painting.paint` raises.
    """
    frame = engine.frame(address).widened(address.buffer)
    if not (whole or covered(engine, sources, frame)):
        return None
    painting = Painting(frame, how, None if address.buffer else Blocks(engine.grids, address))
    painting.paint(engine, sources)
    return painting.picture() if whole or painting.full else None


def layer_part(
    engine: TileEngine, sources: Sequence[Version], where: Where, how: LayerStyle, size: Size
) -> LayerPicture:
    """Return a picture of some bounds, in the resolution of the first dataset unless `size` says another one.

    `where` are the bounds (west, south, east, north), and the names of their CRS and of that of the picture. Raises
    NotFound where no dataset can be drawn, and what `Painting.paint` raises.
    """
    frame = first_of(engine, sources, lambda _, handle: ground_of(handle, *where, size))
    if how.format is not None and how.format.carries_values:
        check_values(frame.shape[0] * frame.shape[1], 1)
    painting = Painting(frame, how)
    painting.paint(engine, sources)
    return painting.picture()


def layer_statistics(
    engine: TileEngine, sources: Sequence[Version], where: Where, how: LayerStyle, size: Size, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the statistics of what a part shows, before colours, as `statistics_of`; `options` are rio-tiler's.

    Raises NotFound where there is no value at all, and what `layer_part` raises.
    """
    from gateway.tiles import facts  # noqa: PLC0415 - rio-tiler takes long to import

    def ground(_: Version, handle: Handle) -> Frame:
        return ground_of(handle, *where, facts.counted_size(size, len(bands_read(how.style, handle.view))))

    painting = Painting(first_of(engine, sources, ground), replace(how, format=TileFormat.NPY))
    painting.paint(engine, sources)
    return statistics_of(painting, options)


def statistics_of(painting: Painting, options: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of what is painted: `bands` by name, and the ids of those `used` and `left_out`.

    Raises NotFound where there is no value at all.
    """
    from gateway.tiles import facts  # noqa: PLC0415 - rio-tiler takes long to import

    values = painting.values()
    if values is None:
        raise NotFound("That lies outside of the data.")
    found, view, style = values
    bands = facts.statistics_of(found, view, style, painting.frame, options)
    return {"bands": bands, "used": list(painting.used), "left_out": list(painting.left_out)}


def layer_point(
    engine: TileEngine, sources: Sequence[Version], place: tuple[float, float], coord_crs: str | None, style: Style
) -> dict[str, Any]:
    """Return the values at x and y of each dataset that lies there, as TiTiler tells them of a mosaic.

    `compared` of an asset are its values with those that are nodata.
    """
    from gateway.tiles import facts  # noqa: PLC0415 - rio-tiler takes long to import

    found, left_out = [], list[str]()
    for source in sources:
        try:
            told = each_of(
                engine, source, lambda handle: facts.point_of_layer(handle, place, coord_crs, style), left_out
            )
        except NotFound:
            continue
        if told is not None:
            found.append({"name": source.id} | {name: told[name] for name in told if name != "coordinates"})
    return {"coordinates": list(place), "assets": found, "left_out": left_out}
