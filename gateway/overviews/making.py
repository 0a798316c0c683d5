"""Overviews made: whole in their root before they are on record, and on record as begun before that.

So what a run that was killed leaves behind is known to a later one, which removes it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from gateway.catalogue.overviews import FOLDER, Overview, OverviewState
from gateway.cog import inspect
from gateway.errors import NotACog, NotFound, StorageUnavailable
from gateway.files import most_files, open_file
from gateway.judging import MADE_DEPTH, Reading, judge
from gateway.model import AuditRow, Report
from gateway.overviews.members import MembersUnder, Tile
from gateway.overviews.planning import CannotOverview, Plan, plan_of
from gateway.overviews.removal import Removal, detail_of
from gateway.reading.handles import Version
from gateway.records import Records
from gateway.storage import OpenObject, Storage
from gateway.tiles.engine import TileEngine
from gateway.tiles.overviews import base_in, finish, room_for

OPEN_RASTERS, CACHE_BYTES = 512, 128 << 20
BASE_NAME = "base.tif"
# After so many tiles it is asked whether the datasets are still the same.
LOOK_EVERY = 256

Told = Callable[[Plan], None]
Watched = Callable[[Iterable[Tile], int], Iterable[Tile]]


class MembersChanged(CannotOverview):
    """A collection of which a dataset has changed while its overview was made."""

    def __init__(self, collection: str) -> None:
        super().__init__(f"a dataset of {collection} has changed while its overview was made: make it again")


class Maker:
    """Makes overviews; `removal` has removed what was there before."""

    def __init__(
        self, records: Records, storages: Mapping[str, Storage], *, allow_missing_overviews: bool = False
    ) -> None:
        self.removal = Removal(records, storages)
        self._records, self._storages = records, storages
        self._allow_missing_overviews = allow_missing_overviews
        self._engine = TileEngine(self._opened, handles=most_files(OPEN_RASTERS, 2), cache_bytes=CACHE_BYTES)

    def close(self) -> None:
        """Close all files."""
        self._engine.close()

    def make(self, wanted: tuple[str, int | None, str], told: Told, watched: Watched) -> Overview:
        """Return the overview of a collection, in place of the one before, once it is on record.

        `wanted` are the collection, the zoom level or None, and the root. `told` is called with the plan before
        anything is painted; the tiles go through `watched`, which is told their number. Raises NotFound,
        CannotOverview, Differs, Unreadable, NotACog where what was made is none, NoRoom, and what records and
        storages raise.
        """
        collection, zoom, root = wanted
        id = str(uuid.uuid4())
        begun = Overview(id, collection, root, f"{FOLDER}/{collection}/{id}.tif", 0, 0, datetime.now(UTC))
        if not self._records.overviews.begin(begun):
            raise NotFound("There is no such collection.")
        with ExitStack() as undoing:
            undoing.callback(self.removal.undo, begun)
            members = MembersUnder(self._records, collection)
            plan = plan_of(collection, members, self._engine, zoom)
            told(plan)
            with self._storages[root].staging(begun.key) as path:
                self._paint(begun, plan, path, watched(members.tiles(plan.grid.zoom), plan.tiles))
            made = self._recorded(begun, plan)
            undoing.pop_all()
        self.removal.sweep(collection)
        return made

    def _paint(self, begun: Overview, plan: Plan, path: Path, tiles: Iterable[Tile]) -> None:
        """Write the COG, and judge it to its last byte before it is in the root."""
        room_for(plan.tiles, plan.kind, path.parent)
        base_path = path.with_name(BASE_NAME)
        with base_in(base_path, self._engine, plan.grid, plan.kind) as base:
            for number, (address, under) in enumerate(tiles):
                if number % LOOK_EVERY == 0:
                    self._require_unchanged(begun)
                base.paint(address, under)
        finish(base_path, path, plan.grid, plan.kind)
        base_path.unlink()
        with open_file(path) as made:
            allowed = self._allow_missing_overviews
            _require_cog(inspect(made, depth=MADE_DEPTH, allow_missing_overviews=allowed).report)

    def _require_unchanged(self, begun: Overview) -> None:
        now = self._records.overviews.by_id(begun.id)
        if now is None or not now.holds:
            raise MembersChanged(begun.collection)

    def _recorded(self, begun: Overview, plan: Plan) -> Overview:
        """Return the overview as it is on record, judged where it lies."""
        judged = judge(Reading(self._storages[begun.root], begun.key, self._allow_missing_overviews))
        report, stat = judged.inspection.report, judged.stat
        _require_cog(report)
        if stat is None:
            raise NotACog("What was made is no regular file.")
        made = replace(
            begun, state=OverviewState.KEPT, zoom=plan.grid.zoom, members=plan.members, version=stat.version,
            size_bytes=stat.size_bytes, sha256=judged.sha256, report=report, raster=judged.inspection.raster,
            made_at=datetime.now(UTC),
        )  # fmt: skip
        row = AuditRow("overview.made", version=made.version, detail=detail_of(made))
        if not self._records.overviews.finish(made, row):
            raise MembersChanged(begun.collection)
        return made

    def _opened(self, source: Version) -> OpenObject:
        try:
            return self._storages[source.root].open(source.key)
        except KeyError as error:
            raise StorageUnavailable(f"there is no storage root named {source.root}") from error


def _require_cog(report: Report) -> None:
    if not report.valid:
        raise NotACog("What was made is no true COG: " + report.errors[0].message)
