"""The work behind each task. Loaded where the work is done, never by a process that holds clients' connections."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gateway.cog import inspect
from gateway.cog.stretch import with_stretch
from gateway.model import Inspection
from gateway.studio.tasks import Size, Source
from gateway.tiles.engine import TileEngine
from gateway.tiles.model import Encoded, Style, TileFormat

Work = Callable[..., Any]


def work_of(name: str) -> Work:
    """Return the work of that name; it is called with the engine, the sources and what the task tells."""
    return WORKS[name]


def _facts(name: str, engine: TileEngine, source: Source, *told: Any) -> Any:
    # rio-tiler takes long to import, and the first tiles do not need it.
    from gateway.tiles import facts  # noqa: PLC0415

    return engine.lend(source, lambda raster: getattr(facts, name)(raster, *told))


def _preview(engine: TileEngine, source: Source, style: Style, size: Size, format: TileFormat | None) -> Encoded:
    drawn: Encoded = _facts("preview", engine, source, engine.resolved(source, style, format), size, format)
    return drawn


def _part(engine: TileEngine, source: Source, where: tuple[Any, Any], *how: Any) -> Encoded:
    style, size, format = how
    style = engine.resolved(source, style, format)
    drawn: Encoded = _facts("part", engine, source, *where, style, size, format)
    return drawn


def _zooms(engine: TileEngine, source: Source, tms: str) -> tuple[int, int]:
    from gateway.tiles import wmts  # noqa: PLC0415

    wmts.grid(tms)
    found: tuple[int, int] = _facts("zooms", engine, source, tms)
    return found


def _statistics(engine: TileEngine, source: Source, style: Style, max_size: int, options: dict[str, Any]) -> Any:
    from gateway.tiles import facts  # noqa: PLC0415

    return engine.lend(source, lambda raster: facts.statistics(raster, style, max_size, **options))


def _verdict(engine: TileEngine, source: Source, allow_missing_overviews: bool) -> Inspection:
    with engine.source(source) as opened:
        return with_stretch(opened, inspect(opened, allow_missing_overviews=allow_missing_overviews))


def _document(name: str, _: TileEngine, *told: Any) -> Any:
    from gateway.tiles import wmts  # noqa: PLC0415

    return getattr(wmts, name)(*told)


def _legend(name: str, _: TileEngine, *told: Any) -> Any:
    from gateway.tiles import legends  # noqa: PLC0415

    return getattr(legends, name)(*told)


WORKS: Mapping[str, Work] = {
    "tile": TileEngine.tile,
    "stored": TileEngine.stored,
    "preview": _preview,
    "part": _part,
    "info": partial(_facts, "info"),
    "point": partial(_facts, "point"),
    "zooms": _zooms,
    "statistics": _statistics,
    "verdict": _verdict,
    "grids": partial(_document, "grids"),
    "grid_json": partial(_document, "grid_json"),
    "capabilities": partial(_document, "capabilities"),
    "colormaps": partial(_legend, "names"),
    "colours": partial(_legend, "colours"),
    "legend": partial(_legend, "picture"),
}
