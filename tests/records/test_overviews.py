"""Overviews on record: one for a collection, true until a member changes, for those who see every member."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.catalogue.collections import Collection
from gateway.catalogue.overviews import Overview, OverviewState
from gateway.copying import contents
from gateway.model import Finding, Grant, Inspection, Level, Principal, Report, Scale, Severity
from gateway.principal import StoredKind, StoredToken, Target
from gateway.records import Change, Verdict
from tests.records.conftest import RASTER, START, act, dataset, register

ANA, STAN, ADMIN = Principal("ana"), Principal("stan"), Principal("ada", frozenset({"admin"}))
BAD = Report("blocks", (Finding("overviews", "none", Severity.ERROR),))
MOVED = Change(collection="others")


def overview(number, **changes):
    return replace(Overview(f"o{number}", "sheets", "data", f".overviews/{number}.tif", 7, 2, START), **changes)


def finished(number):
    made = {"version": "1-2-3", "size_bytes": 99, "sha256": "cd" * 32, "report": Report("full"), "raster": RASTER}
    return overview(number, state=OverviewState.KEPT, made_at=START, **made)


def keep(records, number=1):
    assert records.overviews.begin(overview(number))
    assert records.overviews.finish(finished(number), act())


@pytest.fixture
def stocked(records):
    """Two sheets, of which the second one is ana's alone, and one dataset elsewhere."""
    register(records, dataset(1, visibility=Scale.PUBLIC))
    register(records, dataset(2, visibility=Scale.PRIVATE))
    register(records, dataset(3, collection="others"))
    return records


def test_it_is_kept_as_it_was_judged_and_takes_the_place_of_the_one_before(stocked):
    assert not stocked.overviews.begin(overview(9, collection="nowhere"))
    keep(stocked)
    assert stocked.overviews.of_collection("sheets") == finished(1)
    assert stocked.overviews.of_collection("others") is None
    keep(stocked, 2)
    assert stocked.overviews.of_collection("sheets") == finished(2)
    assert [each.id for each in stocked.overviews.left("sheets", START)] == ["o1"]
    # Begun and never ended: after some time it is left as well.
    assert stocked.overviews.begin(overview(3))
    assert [each.id for each in stocked.overviews.left("sheets", START + timedelta(days=1))] == ["o1", "o3"]
    stocked.overviews.forget("o1")
    stocked.overviews.drop(["o2"], [act()])
    assert stocked.overviews.of_collection("sheets") is None
    assert not stocked.overviews.finish(finished(1), act())
    assert {each.id: each.state for each in stocked.overviews.every()} == {"o2": "dropped", "o3": "begun"}
    assert contents(stocked).overviews.count == 2


def judged(version="1f-2e-3d", report=None, raster=RASTER, sha256="ab" * 32):
    def change(records):
        known = records.dataset(dataset(1).id)
        verdict = Verdict(version, 1234, Inspection(report or known.report, raster), sha256, known.origin)
        assert records.judge_dataset(known, verdict, act())

    return change


def changed(number, change):
    return lambda records: records.change_dataset(dataset(number).id, change, act())


CHANGES = {
    "added": lambda records: register(records, dataset(4)),
    "removed": lambda records: records.remove_dataset(dataset(4).id, act()),
    "replaced": judged("new"),
    "invalid": judged(report=BAD, raster=None),
    "altered": judged(sha256="ef" * 32),
    "hidden": changed(1, Change(visibility=Scale.INTERNAL)),
    "given away": changed(2, Change(owner="stan")),
    "dated": changed(1, Change(dates=replace(dataset(1).dates, start_at=START))),
    "moved out": changed(1, MOVED),
    "moved in": changed(3, Change(collection="sheets")),
    "granted": lambda records: records.add_grant(Grant(dataset(2).id, Level.VIEW, user="stan"), act()),
}
KEPT = {
    "renamed": changed(1, Change(title="Another")),
    "judged again": judged(report=replace(dataset(1).report, checked_at=START)),
    "elsewhere": changed(3, Change(visibility=Scale.PRIVATE)),
}


def test_it_holds_until_a_member_changes_also_while_it_is_written(stocked):
    for number, (name, change) in enumerate({**KEPT, **CHANGES}.items(), 10):
        keep(stocked, number)
        assert stocked.overviews.begin(overview(number + 100))
        change(stocked)
        holds = name in KEPT
        assert stocked.overviews.of_collection("sheets").holds == holds, name
        assert (stocked.overviews.for_reader("sheets", ADMIN) is not None) == holds, name
        assert stocked.overviews.finish(finished(number + 100), act()) == holds, name
    stocked.remove_grant(dataset(2).id, act(), user="stan")
    assert not stocked.overviews.of_collection("sheets").holds


def test_it_is_for_those_alone_who_see_every_member(stocked):
    def seen(reader):
        return stocked.overviews.for_reader("sheets", reader) is not None

    keep(stocked)
    assert [seen(each) for each in (None, ADMIN, ANA, STAN, Principal())] == [True, True, True, False, False]
    stocked.add_grant(Grant(dataset(2).id, Level.VIEW, role="survey"), act())
    keep(stocked, 2)
    assert seen(Principal("cy", frozenset({"survey"})))
    assert not seen(STAN)
    for target, may in ((Target(), True), (Target(collection="sheets"), True), (Target(collection="others"), False),
                        (Target(dataset_id=dataset(1).id), False)):  # fmt: skip
        stored = StoredToken(
            *("t", StoredKind.OWN, "", "ana", frozenset(), "name", True, target), START, START + timedelta(days=1)
        )
        assert seen(replace(ANA, stored=stored)) == may
    stocked.change_dataset(dataset(2).id, Change(visibility=Scale.PUBLIC), act())
    keep(stocked, 3)
    assert seen(Principal())


def test_it_goes_with_its_collection(records):
    records.create_collection(Collection("sheets", "Sheets", START, START), act())
    keep(records)
    assert records.remove_collection("sheets", act())
    assert records.overviews.of_collection("sheets") is None
    assert [each.id for each in records.overviews.left("sheets", START)] == ["o1"]
