"""An overview is in its root and on record, or nothing of it is: whatever comes between."""

from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from rasterio.transform import from_origin

from gateway.catalogue.overviews import Overview, OverviewState
from gateway.cog import convert
from gateway.cog.convert import NoRoom
from gateway.errors import NotACog, NotFound
from gateway.ingest import Ingestor
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import IngestStatus
from gateway.model import Finding, Report, Scale, Severity
from gateway.overviews import making, planning
from gateway.overviews.making import Maker, MembersChanged
from gateway.overviews.planning import CannotOverview
from gateway.overviews.removal import Removal
from gateway.records import AuditQuery, Change, open_records
from gateway.sources import Source
from gateway.storage import open_storage
from gateway.tiles.overviews import Unreadable
from tests.rasters import write_cog_of
from tests.records.conftest import act
from tests.s3 import one_store


class Bench:
    """Two scenes on record, as they are ingested, and a root of its own for what is made."""

    def __init__(self, folder):
        self.folders = {"data": folder / "data", "made": folder / "made"}
        for each in self.folders.values():
            each.mkdir()
        self.storages = {name: open_storage(name, f"file:{each}") for name, each in self.folders.items()}
        self.records = open_records(folder / "gateway.db")
        self.told = []
        self.ids = [self.ingest(f"{number}.tif", 10 + number / 4) for number in range(2)]

    def ingest(self, name, west):
        path, place = self.folders["data"] / name, from_origin(west, 48, 1 / 80, 1 / 80)
        write_cog_of(path, np.full((1, 40, 40), 9, "uint8"), crs="EPSG:4326", transform=place)
        options = IngestOptions(visibility=Scale.PUBLIC, collection="scenes")
        outcome = Ingestor(self.records, self.storages).ingest(Source(name, path, name), options)
        assert outcome.status is IngestStatus.REGISTERED, outcome
        return outcome.id

    @contextmanager
    def maker(self):
        maker = Maker(self.records, self.storages)
        try:
            yield maker
        finally:
            maker.close()

    def make(self, zoom=7, root="made", watched=lambda tiles, number: tiles, collection="scenes"):
        with self.maker() as maker:
            return maker.make((collection, zoom, root), self.told.append, watched)

    def change(self):
        self.records.change_dataset(self.ids[0], Change(owner=f"user{len(self.files())}"), act())

    def files(self, root="made"):
        return sorted(path.relative_to(self.folders[root]).as_posix()
                      for path in self.folders[root].rglob("*") if path.is_file())  # fmt: skip

    def rows(self):
        return [stored.row for stored in self.records.audit_rows(AuditQuery(action="overview.made"))]


@pytest.fixture
def bench(tmp_path):
    bench = Bench(tmp_path)
    yield bench
    bench.records.close()


def test_it_is_judged_recorded_and_in_place_of_the_one_before(bench):
    first = bench.make()
    assert bench.files() == [first.key]
    assert (first.zoom, first.members, first.holds, first.state) == (7, 2, True, OverviewState.KEPT)
    assert (first.report.valid, first.raster.crs, len(first.sha256)) == (True, "EPSG:3857", 64)
    known = bench.records.overviews.of_collection("scenes")
    assert (known.id, known.key, known.version, known.sha256) == (first.id, first.key, first.version, first.sha256)
    assert bench.rows()[-1].detail["members"] == 2
    second = bench.make(zoom=5, root="data")
    assert bench.files() == []
    assert second.key in bench.files("data")
    assert [each.id for each in bench.records.overviews.every()] == [second.id]
    # What lies there is passed over by ingest, and refused by name.
    path = bench.folders["data"] / second.key
    outcome = Ingestor(bench.records, bench.storages).ingest(Source("x", path, "x.tif"), IngestOptions())
    assert outcome.status is IngestStatus.FAILED
    assert outcome.message == "is the overview of a collection, which is no dataset"
    removal = Removal(bench.records, bench.storages)
    assert removal.remove("scenes").id == second.id
    assert removal.remove("scenes") is None
    assert second.key not in bench.files("data")


def test_of_two_runs_at_once_the_one_that_ends_last_is_kept(bench):
    other = []

    def between(tiles, _):
        other.append(bench.make())
        return tiles

    last = bench.make(watched=between)
    assert [each.id for each in bench.records.overviews.every()] == [last.id]
    assert bench.files() == [last.key]
    assert len(bench.rows()) == 2


def nothing_left(bench):
    return not bench.files() and not bench.records.overviews.every() and not bench.rows()


def test_a_dataset_that_changes_while_it_is_made_ends_it(bench, monkeypatch):
    def before(tiles, _):
        bench.change()
        return tiles

    def behind(tiles, _):
        yield from tiles
        bench.change()

    for watched in (before, behind):
        with pytest.raises(MembersChanged, match="has changed while"):
            bench.make(watched=watched)
        assert nothing_left(bench)


def test_nothing_is_left_of_a_run_that_is_interrupted(bench):
    def interrupted(tiles, _):
        yield next(iter(tiles))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bench.make(watched=interrupted)
    assert nothing_left(bench)


def test_what_a_run_that_was_killed_has_left_is_removed_by_a_later_one(bench):
    long_ago = datetime.now(UTC) - timedelta(days=2)
    for name, begun_at in (("killed", long_ago), ("running", datetime.now(UTC))):
        begun = Overview(name, "scenes", "made", f".overviews/scenes/{name}.tif", 7, 2, begun_at)
        assert bench.records.overviews.begin(begun)
        with bench.storages["made"].staging(begun.key) as path:
            path.write_bytes(b"half")
    made = bench.make()
    assert bench.files() == sorted([made.key, ".overviews/scenes/running.tif"])
    assert {each.id for each in bench.records.overviews.every()} == {made.id, "running"}


def test_a_file_that_somebody_else_has_put_there_stays_and_one_out_of_reach_is_tried_again(bench):
    first = bench.make()
    path = bench.folders["made"] / first.key
    path.write_bytes(b"another")
    second = bench.make(root="data")
    assert bench.files() == [first.key]
    # The root of the second one is not configured for a while.
    away = bench.storages.pop("data")
    removal = Removal(bench.records, bench.storages)
    assert removal.remove("scenes").id == second.id
    assert removal.left == [f"data:{second.key}"]
    bench.storages["data"] = away
    removal.sweep("scenes")
    assert (removal.left, bench.records.overviews.every()) == ([], ())
    assert second.key not in bench.files("data")


def test_what_cannot_be_read_is_named_and_what_there_is_no_overview_of(bench, monkeypatch):
    with pytest.raises(NotFound):
        bench.make(collection="nowhere")
    with pytest.raises(CannotOverview, match="of zoom level 7: give that or a lower one"):
        bench.make(zoom=8)
    monkeypatch.setattr(planning, "MOST_BYTES", 1000)
    with pytest.raises(CannotOverview, match=r"takes 0\.0 GB before compression"):
        bench.make()
    monkeypatch.setattr(planning, "MOST_BYTES", 16 << 30)
    # All of its blocks lie under a dataset.
    monkeypatch.setattr(planning, "MOST_EMPTY", -1)
    with pytest.raises(CannotOverview, match=r"takes 0 blocks between datasets .* the limit is -1: give a lower one"):
        bench.make()
    monkeypatch.setattr(planning, "MOST_EMPTY", 1 << 18)
    monkeypatch.setattr(convert, "_free_bytes", lambda folder: 1000)
    with pytest.raises(NoRoom, match=r"0\.0 MB free"):
        bench.make()
    monkeypatch.undo()
    (bench.folders["data"] / "0.tif").unlink()
    with pytest.raises(Unreadable, match=bench.ids[0]):
        bench.make()
    assert nothing_left(bench)
    bench.records.remove_dataset(bench.ids[0], act())
    bench.records.remove_dataset(bench.ids[1], act())
    with pytest.raises(CannotOverview, match="no dataset of scenes can be drawn"):
        bench.make()


def test_what_is_no_true_cog_comes_to_nothing(bench, monkeypatch):
    bad = Report("full", (Finding("overviews", "there are none", Severity.ERROR),))
    found = making.inspect
    monkeypatch.setattr(making, "inspect", lambda *a, **k: replace(found(*a, **k), report=bad))
    with pytest.raises(NotACog, match="no true COG: there are none"):
        bench.make()
    monkeypatch.undo()
    judge = making.judge
    monkeypatch.setattr(making, "judge", lambda reading: replace(judge(reading), stat=None))
    with pytest.raises(NotACog, match="no regular file"):
        bench.make()
    assert nothing_left(bench)


@one_store
def test_it_may_lie_in_a_bucket(bench, store, bucket):
    bench.storages["far"] = far = open_storage("far", store.root(bucket, "cogs"))
    first, second = (bench.make(root="far") for _ in range(2))
    assert [each.key for each in far.listed("")] == [second.key]
    assert (second.version, second.report.valid) == (far.stat(second.key).version, True)
    # Another one than was on record stays, and what is gone is gone.
    assert not far.remove(second.key, first.version + "0")
    assert far.remove(first.key, first.version)
    assert far.remove(second.key, second.version)
    far.close()


def test_the_zoom_level_is_chosen_and_told(bench):
    made = bench.make(zoom=None)
    (plan,) = bench.told
    assert (made.zoom, plan.grid.zoom, plan.members) == (7, 7, 2)
    assert plan.size_bytes == plan.tiles * 256 * 256 * 2 * 4 // 3
