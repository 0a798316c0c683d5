"""What layers rest on: the ground of a picture in a search, outlines, stored searches, roles that see something."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gateway.catalogue.collections import Extent
from gateway.catalogue.layers import StoredSearch
from gateway.catalogue.search import Interval, Search
from gateway.model import Grant, Level, Principal, Scale
from gateway.records.search import outline as outlines
from tests.records.conftest import START, act, dataset, register
from tests.records.test_search import day, found, placed

NOBODY, ANA, CHIEF = Principal(), Principal("ana"), Principal("di", frozenset({"admin"}))
# A triangle in the south-west of its box.
HALF = {"type": "Polygon", "coordinates": [[[10, 0], [12, 0], [10, 2], [10, 0]]]}


@pytest.fixture
def sheets(records):
    """Three sheets beside each other, one a day, the last one across the antimeridian; the second is ana's."""
    for number, raster in enumerate(
        (placed(10, 0, 12, 2, footprint=HALF), placed(12, 0, 14, 2), placed(178, 0, -178, 2)), 1
    ):
        visibility = Scale.PRIVATE if number == 2 else Scale.PUBLIC
        register(records, dataset(
            number, raster=raster, visibility=visibility, download=visibility, dates=day(number), collection="sheets"
        ))  # fmt: skip
    return records


def test_the_ground_of_a_picture_is_met_beside_all_that_a_search_asks_for(sheets):
    both = (11, 0, 13, 1)
    assert found(sheets, under=both) == [2, 1]
    assert found(sheets, under=both, bbox=(9, 0, 10.5, 2)) == [1]
    assert found(sheets, under=both, bbox=(-179, 0, -178, 2)) == []
    assert found(sheets, under=(11.9, 0, 13, 2), intersects={"type": "Point", "coordinates": [10.1, 0.1]}) == [1]
    assert found(sheets, under=(-180, 0, -179, 1)) == [3]
    page = sheets.search(Search(under=both, limit=1), None)
    assert (len(page.datasets), page.matched) == (1, 2)


def test_an_outline_is_what_the_reader_may_see(sheets):
    first, last = day(1).start_at, day(3).end_at
    seen = sheets.outline(Search(), NOBODY)
    assert seen.extent == Extent(2, (10, 0, -178, 2), first, last)
    assert (seen.days, seen.public) == (("2026-01-04", "2026-01-02"), True)
    for reader in (ANA, CHIEF, None):
        owned = sheets.outline(Search(), reader)
        assert (owned.extent.count, len(owned.days), owned.public) == (3, 3, False)
    assert sheets.outline(Search(datetime=Interval(last, None)), ANA).public
    assert sheets.outline(Search(collections=("none",)), None) == outlines.NOTHING
    assert sheets.outline(Search(ids=()), None) == outlines.NOTHING


def test_the_outline_of_a_geometry_is_that_of_what_meets_it(sheets, monkeypatch):
    corner = {"type": "Polygon", "coordinates": [[[11.8, 1.8], [11.9, 1.8], [11.9, 1.9], [11.8, 1.8]]]}
    assert sheets.outline(Search(intersects=corner), None) == outlines.NOTHING
    meeting = Search(intersects={"type": "Point", "coordinates": [10.1, 0.1]})
    assert sheets.outline(meeting, None).extent.bbox == (10, 0, 12, 2)
    # Where too many would have to be looked at.
    monkeypatch.setattr(outlines, "MOST_COUNTED", 1)
    assert sheets.outline(meeting, None).extent.bbox == (10, 0, 12, 2)


def test_a_search_is_stored_once_and_found_by_its_id(records):
    search = StoredSearch({"collections": ["sheets"]}, "Sheets", {"rescale": ("0,1",)}, "ana", START)
    other = replace(search, title=None, owner=None)
    assert records.searches.store(search, 9, act())
    assert records.searches.store(other, 9, act())
    assert not records.searches.store(replace(search, owner="ben"), 9, act())
    assert records.searches.by_id(search.id) == replace(search, makers=("ana", "ben"))
    assert records.searches.by_id("0" * 32) is None
    ids = sorted((search.id, other.id))
    assert [each.id for each in records.searches.after("")] == ids
    assert [each.id for each in records.searches.after(ids[0], 1)] == ids[1:]


def test_a_search_is_gone_with_the_last_of_its_makers(records):
    search = StoredSearch({}, "All", {}, "ana", START)
    for owner in ("ana", "ben", "ben", "cy"):
        records.searches.store(replace(search, owner=owner), 9, act())
    assert not records.searches.drop(search.id, "eve", act())
    for maker in ("ana", "cy"):
        assert records.searches.drop(search.id, maker, act())
        assert not records.searches.drop(search.id, maker, act())
    assert records.searches.by_id(search.id).makers == ("ben",)
    assert records.searches.drop(search.id, "ben", act())
    assert records.searches.by_id(search.id) is None
    # Made once more it is a new one, which an operator ends for all.
    assert records.searches.store(search, 9, act())
    assert not records.searches.store(replace(search, owner="ben"), 9, act())
    assert records.searches.drop(search.id, None, act())
    assert not records.searches.drop(search.id, None, act())
    records.searches.store(search, 9, act())
    records.searches.clear()
    assert records.searches.after("") == ()


def test_of_one_maker_there_are_so_many_searches_however_many_are_stored_at_once(records):
    anas = [StoredSearch({"collections": [str(number)]}, None, {}, "ana", START) for number in range(6)]
    with ThreadPoolExecutor(len(anas)) as posts:
        stored = list(posts.map(lambda search: records.searches.store(search, 3, act()), anas))
    kept = [search for search, new in zip(anas, stored, strict=True) if new]
    refused = anas[stored.index(None)]
    assert (len(kept), stored.count(None)) == (3, 3)
    assert len(records.searches.after("")) == len(kept)
    # What is theirs already is no further one, and others have room of their own.
    assert records.searches.store(kept[0], 3, act()) is False
    assert records.searches.store(replace(refused, owner="ben"), 1, act()) is True
    assert records.searches.store(replace(kept[0], owner="ben"), 1, act()) is None
    assert records.searches.by_id(kept[0].id).makers == ("ana",)
    # What another one has made counts for all who made it.
    assert records.searches.store(refused, 3, act()) is None
    for maker in ("ana", None):
        assert records.searches.drop(kept.pop().id, maker, act())
        assert records.searches.store(refused, 3, act()) is (maker is None)
        refused = replace(refused, title=f"After {maker}")
    assert records.searches.store(refused, 3, act()) is None
    copied = records.searches.after("")
    records.searches.clear()
    records.searches.copy_in(copied)
    assert records.searches.store(refused, 3, act()) is None


def test_roles_that_see_nothing_of_a_layer_are_left_out(sheets):
    sheets.add_grant(Grant(dataset(2).id, Level.VIEW, role="survey"), act())
    roles = ("survey", "other")
    assert sheets.roles_that_see(roles, "sheets") == sheets.roles_that_see(roles, None) == {"survey"}
    assert sheets.roles_that_see(roles, "none") == frozenset()
