"""Small pictures on record: with the verdict, of the version that is there, for those who may see the dataset."""

from dataclasses import replace

import pytest

from gateway.catalogue.search import Search
from gateway.copying import contents
from gateway.model import Finding, Inspection, Principal, Report, Scale, Severity, SmallPictures
from gateway.records import Verdict, smallpictures
from tests.records.conftest import RASTER, act, dataset, register

SMALL = SmallPictures(0.5, ((64, b"large"), (16, b"medium"), (4, b"little")))
WITH = replace(RASTER, small=SMALL)
BAD = Report("blocks", (Finding("overviews", "none", Severity.ERROR),))
ALL = Search(limit=10)


def judged(records, number, version, report, raster):
    known = records.dataset(dataset(number).id)
    assert records.judge_dataset(known, Verdict(version, 9, Inspection(report, raster)), act())


def numbers(records, reader=None, search=ALL, degrees=1.0):
    crowd = records.small_pictures.of_search(search, reader, degrees)
    return [int(id[-2:]) for id, body in zip(crowd.ids, crowd.bodies, strict=True) if body is not None]


@pytest.fixture
def stocked(records):
    for number in (1, 2, 3):
        register(records, dataset(number, raster=WITH, visibility=Scale.PRIVATE if number == 2 else Scale.PUBLIC))
    register(records, dataset(4))
    return records


def test_those_of_a_search_come_in_its_order_and_as_large_as_the_map_needs_them(stocked):
    assert (numbers(stocked), numbers(stocked, Principal())) == ([3, 2, 1], [3, 1])
    assert numbers(stocked, search=replace(ALL, limit=2)) == [4, 3][1:]
    assert numbers(stocked, search=replace(ALL, collections=())) == []
    for degrees, body in ((0.125, b"little"), (0.1, b"medium"), (0.03, b"large"), (0.001, b"large")):
        # Of the newest there is none.
        assert stocked.small_pictures.of_search(ALL, None, degrees).bodies == (None, body, body, body)
    assert stocked.dataset(dataset(1).id).raster.small is None


def test_of_many_bands_they_are_smaller_before_they_are_more_than_a_server_holds(stocked, monkeypatch):
    """In the order of the search, by what those of 16 pixels take without compression: 6 bytes here."""
    monkeypatch.setattr(smallpictures, "LARGE_BYTES", 6 * smallpictures.LARGER)
    monkeypatch.setattr(smallpictures, "MIDDLE_BYTES", 12)
    assert stocked.small_pictures.of_search(ALL, None, 0.001).bodies == (None, b"large", b"medium", b"little")


def test_the_least_ones_are_the_same_whether_all_want_these_or_some_want_more(stocked):
    three = replace(ALL, ids=tuple(dataset(number).id for number in (1, 2, 3)))
    alone = stocked.small_pictures.of_search(three, None, 0.125)
    assert alone.bodies == (b"little",) * 3
    judged(stocked, 3, "wide", Report("blocks"), replace(WITH, small=SmallPictures(0.6, SMALL.packed)))
    assert stocked.small_pictures.of_search(three, None, 0.125).bodies == (b"medium", b"little", b"little")
    assert stocked.small_pictures.of_search(three, None, 0.15).bodies == alone.bodies
    judged(stocked, 3, "bad", BAD, None)
    assert stocked.small_pictures.of_search(three, None, 0.15).ids == alone.ids[1:]


def test_they_are_those_of_the_version_that_was_judged_last(stocked):
    digest = stocked.small_pictures.of_search(ALL, None, 1).digest
    judged(stocked, 1, "new", Report("blocks"), replace(WITH, small=SmallPictures(0.5, ((4, b"newer"),))))
    crowd = stocked.small_pictures.of_search(ALL, None, 1)
    assert crowd.bodies == (None, b"little", b"little", b"newer")
    assert (crowd.pictured, crowd.bare) == (3, (dataset(4).id,))
    assert crowd.digest != digest
    # The same verdict again, as `datasets recheck` has it, fills in what is missing.
    judged(stocked, 4, dataset(4).version, dataset(4).report, WITH)
    assert numbers(stocked) == [4, 3, 2, 1]
    judged(stocked, 3, dataset(3).version, BAD, None)
    judged(stocked, 2, "newest", Report("blocks"), RASTER)
    assert stocked.remove_dataset(dataset(4).id, act())
    assert numbers(stocked) == [1]
    assert [(each.dataset_id, each.side) for each in stocked.small_pictures.every()] == [(dataset(1).id, 4)]
    assert contents(stocked).small_pictures.count == 1
