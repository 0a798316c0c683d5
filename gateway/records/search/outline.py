"""What the datasets of a search come to, taken together."""

from __future__ import annotations

from dataclasses import replace

from gateway.catalogue.collections import Extent
from gateway.catalogue.layers import Outline
from gateway.catalogue.search import MOST_COUNTED, Search
from gateway.model import Principal
from gateway.records.audiences import EVERYBODY, audiences_of
from gateway.records.extents import extent_of
from gateway.records.search.dialect import Database
from gateway.records.search.names import require_known
from gateway.records.search.searching import Finder, finder_of, within

# Of a layer that is taken every day these are ten years.
MOST_DAYS = 3660
NOTHING = Outline(Extent(), (), public=True)


def outline(database: Database, search: Search, reader: Principal | None) -> Outline:
    """Return what the datasets of a search come to that a reader may see; raises BadParameter.

    Where MOST_COUNTED of them and more meet a geometry, it is what those in its box come to.
    """
    search = within(search, reader)
    require_known(database, search, reader)
    if () in (search.ids, search.collections):
        return NOTHING
    audiences = audiences_of(reader)
    found = _by_ids(database, search, audiences)
    extent = extent_of(found.outlines())
    if not extent.count:
        return NOTHING
    hidden = tuple(audience for audience in audiences if audience != EVERYBODY)
    public = not hidden or not finder_of(database, replace(search, limit=1), hidden).finds
    return Outline(extent, found.days(MOST_DAYS), public)


def _by_ids(database: Database, search: Search, audiences: tuple[str, ...]) -> Finder:
    """Return the finder of a search, by the ids of what meets its geometry where it has one."""
    found = finder_of(database, search, audiences)
    met = found.met(MOST_COUNTED)
    return found if met is None else finder_of(database, replace(search, intersects=None, ids=met), audiences)
