"""The work behind each task. Loaded where the work is done, never by a process that holds clients' connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.cog import inspect
from gateway.cog.summary import with_summary
from gateway.colour.model import Encoded, Style
from gateway.ground import boxes
from gateway.ground.address import TileAddress
from gateway.model import Inspection
from gateway.studio.tasks import Source
from gateway.tiles import pictures
from gateway.tiles.engine import TileEngine

Work = Callable[..., Any]


def work_of(name: str) -> Work:
    """Return the work of that name; it is called with the engine, the sources and what the task tells."""
    return WORKS[name]


def _facts(name: str, engine: TileEngine, source: Source, *told: Any) -> Any:
    # rio-tiler takes long to import, and the first tiles do not need it.
    from gateway.tiles import facts  # noqa: PLC0415

    return engine.lend(source, lambda handle: getattr(facts, name)(handle, *told))


def _preview(engine: TileEngine, source: Source, dst_crs: str | None, *how: Any) -> Encoded:
    style, size, format = how
    style = engine.resolved(source, style, format)
    return engine.lend(source, lambda handle: pictures.preview(handle, style, size, format, dst_crs))


def _part(engine: TileEngine, source: Source, where: tuple[Any, Any], *how: Any) -> Encoded:
    style, size, format, most_bytes = how
    style = engine.resolved(source, style, format)
    if format is not None and format.carries_values:
        engine.lend(source, lambda handle: pictures.check_part(handle, where, style, size, most_bytes))
    return engine.lend(source, lambda handle: pictures.part(handle, *where, style, size, format))


def _native(name: str, engine: TileEngine, source: Source, *told: Any) -> Any:
    from gateway.tiles import native  # noqa: PLC0415 - most painters need none of it

    return engine.lend(source, lambda handle: getattr(native, name)(handle, *told))


def _statistics(engine: TileEngine, source: Source, style: Style, *how: Any) -> Any:
    from gateway.tiles import facts  # noqa: PLC0415

    size, dst_crs, options = how
    return engine.lend(source, lambda handle: facts.statistics(handle, style, size, dst_crs, **options))


def _zonal_statistics(engine: TileEngine, source: Source, *how: Any) -> Any:
    from gateway.tiles import zonal  # noqa: PLC0415 - most painters need none of it

    return engine.lend(source, lambda handle: zonal.zonal_statistics(handle, *how))


def _feature_picture(engine: TileEngine, source: Source, where: tuple[Any, Any], *told: Any) -> Encoded:
    from gateway.tiles.features import feature_picture  # noqa: PLC0415

    (style, size, format), most_bytes = told
    how = engine.resolved(source, style, format), size, format
    return engine.lend(source, lambda handle: feature_picture(handle, *where, how, most_bytes))


def _native_feature(engine: TileEngine, source: Source, *told: Any) -> Any:
    from gateway.tiles.features import planned_feature  # noqa: PLC0415

    return engine.lend(source, lambda handle: planned_feature(handle, *told))


def _verdict(engine: TileEngine, source: Source, allow_missing_overviews: bool) -> Inspection:
    with engine.source(source) as opened:
        found = inspect(opened, allow_missing_overviews=allow_missing_overviews)
        return with_summary(opened, found)


def _feature(engine: TileEngine, source: Source, address: TileAddress, pixel: tuple[int, int], style: Style) -> Any:
    from gateway.tiles import facts  # noqa: PLC0415

    frame = engine.frame(address)
    return engine.lend(source, lambda handle: facts.feature(handle, frame, pixel, style))


def _layer(name: str, engine: TileEngine, *given: Any) -> Any:
    from gateway.tiles import layers  # noqa: PLC0415 - most painters need none of it

    sources = [each for each in given if isinstance(each, Source)]
    return getattr(layers, name)(engine, sources, *given[len(sources) :])


def _crowd(name: str, engine: TileEngine, *given: Any) -> Any:
    from gateway.tiles import crowd  # noqa: PLC0415 - most painters need none of it

    sources = [each for each in given if isinstance(each, Source)]
    return getattr(crowd, name)(engine, sources, *given[len(sources) :])


def _default_range(engine: TileEngine, source: Source) -> Any:
    from gateway.colour.stretch import stretch_of  # noqa: PLC0415 - most painters need none of it

    return engine.lend(source, lambda handle: handle.once("stretch", lambda: stretch_of(handle)))


def _tile_box(engine: TileEngine, address: TileAddress, widened_pixels: float) -> Any:
    return boxes.box_of_frame(engine.frame(address), widened_pixels)


def _place_of_pixel(engine: TileEngine, address: TileAddress, pixel: tuple[int, int]) -> Any:
    return boxes.place_of_pixel(engine.frame(address), pixel)


def _zoom_of_box(_: TileEngine, *told: Any) -> Any:
    from gateway.tiles.zooms import zoom_of_box  # noqa: PLC0415

    return zoom_of_box(*told)


def _ground(name: str, _: TileEngine, *told: Any) -> Any:
    return getattr(boxes, name)(*told)


def _document(name: str, _: TileEngine, *told: Any) -> Any:
    from gateway.tiles import wmts  # noqa: PLC0415

    return getattr(wmts, name)(*told)


def _legend(name: str, _: TileEngine, *told: Any) -> Any:
    from gateway.colour import legends  # noqa: PLC0415

    return getattr(legends, name)(*told)


def _picture(
    _: TileEngine, name: str, width: int, height: int, vertical: bool, ends: tuple[float, float] | None
) -> bytes:
    from gateway.colour import legends  # noqa: PLC0415

    return legends.picture(name, width, height, vertical=vertical, ends=ends)


WORKS: Mapping[str, Work] = {
    "tile": TileEngine.tile,
    "stored": TileEngine.stored,
    "preview": _preview,
    "part": _part,
    "native_part": partial(_native, "planned"),
    "native_feature": _native_feature,
    "write_part": partial(_native, "cut"),
    "info": partial(_facts, "info"),
    "point": partial(_facts, "point"),
    "feature": _feature,
    "on_map": partial(_facts, "on_map"),
    "statistics": _statistics,
    "zonal_statistics": _zonal_statistics,
    "feature_picture": _feature_picture,
    "layer_tile": partial(_layer, "layer_tile"),
    "crowd_tile": partial(_crowd, "crowd_tile"),
    "crowd_part": partial(_crowd, "crowd_part"),
    "crowd_statistics": partial(_crowd, "crowd_statistics"),
    "layer_part": partial(_layer, "layer_part"),
    "layer_statistics": partial(_layer, "layer_statistics"),
    "layer_point": partial(_layer, "layer_point"),
    "default_range": _default_range,
    "verdict": _verdict,
    "tile_box": _tile_box,
    "bounds_box": partial(_ground, "box_of_bounds"),
    "place_in_degrees": partial(_ground, "place_in_degrees"),
    "place_of_pixel": _place_of_pixel,
    "zoom_of_box": _zoom_of_box,
    "grids": partial(_document, "grids"),
    "grid_json": partial(_document, "grid_json"),
    "capabilities": partial(_document, "capabilities"),
    "colormaps": partial(_legend, "names"),
    "colours": partial(_legend, "colours"),
    "legend": _picture,
}
