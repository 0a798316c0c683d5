"""The files of a layer one by one: one that cannot be drawn has nothing to do with those beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from gateway.errors import CannotBeDrawn, NoPlace, NotFound, ObjectMissing, VersionChanged
from gateway.reading.handles import Handle, Version
from gateway.tiles.engine import TileEngine

T = TypeVar("T")

# Of these there is no picture, and the others of the layer have nothing to do with it.
LEFT_OUT = (CannotBeDrawn, ObjectMissing, NoPlace)


def each_of(engine: TileEngine, source: Version, work: Callable[[Handle], T], left_out: list[str]) -> T | None:
    """Return what `work` makes of a dataset of a layer; None, and its id is noted, for one that cannot be drawn.

    Raises VersionChanged with the dataset's id.
    """
    try:
        return engine.lend(source, work)
    except LEFT_OUT:
        left_out.append(source.id)
    except VersionChanged as error:
        raise VersionChanged(error.detail, members={"dataset": source.id}) from error
    return None


def first_of(engine: TileEngine, sources: Sequence[Version], work: Callable[[Version, Handle], T]) -> T:
    """Return what `work` makes of the first dataset that can be drawn; raises NotFound."""
    for source in sources:
        if (found := each_of(engine, source, partial(work, source), [])) is not None:
            return found
    raise NotFound("None of these datasets can be drawn.")
