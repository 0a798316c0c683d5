from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.catalogue.collections import Collection, CollectionChange, Provider
from gateway.catalogue.search import Condition, Interval, Property, Search, Sort
from gateway.dates import DatedBy, Dates
from gateway.errors import BadParameter
from gateway.model import Finding, Grant, Level, Principal, RasterFacts, Report, Scale, Severity
from gateway.records import Change, open_records
from gateway.records.search import searching, walking
from tests.records.conftest import START, act, dataset, register

NOBODY, ANA, BEN = Principal(), Principal("ana"), Principal("ben")
SURVEYOR, CHIEF = Principal("cy", frozenset({"survey", "other"})), Principal("di", frozenset({"admin"}))


def day(number, until=None):
    start = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=number)
    end = start if until is None else datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=until)
    return Dates(start, end, DatedBy.OPTION)


def placed(*bounds, footprint=None):
    return RasterFacts(10, 10, 1, "uint8", None, None, bounds, footprint=footprint)


def judged(number):
    """Return a report: the second sheet's is the deepest, the fourth is no COG, when the fifth was judged is not known."""
    findings = (Finding("not-tiled", "strips", Severity.ERROR),) if number == 4 else ()
    when = None if number == 5 else START + timedelta(hours=number)
    return Report("full" if number == 2 else "blocks", findings, checked_at=when)


def numbers(page):
    return [int(found.id.replace("-", ""), 16) for found in page.datasets]


def found(records, reader=None, **wanted):
    page = records.search(Search(**wanted), reader)
    assert page.matched == len(page.datasets)
    return numbers(page)


@pytest.fixture
def archive(records):
    """Five sheets with their rights, one a day; the third is an interval of ten days."""
    rights = [(Scale.PUBLIC, "ana"), (Scale.INTERNAL, "ana"), (Scale.PRIVATE, "ana"), (Scale.PRIVATE, "eve"),
              (Scale.PRIVATE, None)]  # fmt: skip
    for number, (visibility, owner) in enumerate(rights, 1):
        register(records, dataset(
            number, visibility=visibility, download=Scale.PRIVATE, owner=owner, dates=day(number, 13 if number == 3 else None),
            collection="odd" if number % 2 else "even", properties={"cloud": number * 10, "sensor": f"S{number}", "best": number == 2},
            size_bytes=100 - number, title="b" if number in (1, 4) else "a", report=judged(number),
        ))  # fmt: skip
    records.add_grant(Grant(dataset(4).id, Level.VIEW, user="ben"), act())
    records.add_grant(Grant(dataset(4).id, Level.DOWNLOAD, role="survey"), act())
    records.add_grant(Grant(dataset(5).id, Level.VIEW, role="survey"), act())
    return records


READERS = {NOBODY: [1], Principal(""): [2, 1], ANA: [3, 2, 1], BEN: [4, 2, 1], SURVEYOR: [5, 4, 2, 1],
           CHIEF: [5, 4, 3, 2, 1], None: [5, 4, 3, 2, 1], Principal(None, frozenset({"admin"})): [1]}  # fmt: skip


def test_a_search_shows_what_the_reader_may_see_newest_first(archive):
    assert {reader: found(archive, reader) for reader in READERS} == READERS


def test_rights_that_change_count_at_once(archive):
    archive.remove_grant(dataset(4).id, act(), user="ben")
    archive.change_dataset(dataset(2).id, Change(visibility=Scale.PRIVATE), act())
    archive.change_dataset(dataset(3).id, Change(owner="ben"), act())
    archive.remove_dataset(dataset(1).id, act())
    assert found(archive, BEN) == [3]
    assert found(archive, ANA) == [2]
    archive.change_dataset(dataset(5).id, Change(visibility=Scale.PUBLIC), act())
    assert found(archive, NOBODY) == [5]
    assert found(archive) == [5, 4, 3, 2]


ASKED = [
    ({"ids": (dataset(3).id, dataset(1).id, "none")}, [3, 1]),
    ({"ids": ()}, []),
    ({"collections": ("odd",)}, [5, 3, 1]),
    ({"collections": ("odd", "even", "none")}, [5, 4, 3, 2, 1]),
    ({"collections": ()}, []),
    ({"datetime": Interval(day(2).start_at, day(3).start_at)}, [3, 2]),
    ({"datetime": Interval(day(5).start_at, None)}, [5, 3]),
    ({"datetime": Interval(day(9).start_at, day(10).start_at)}, [3]),
    ({"datetime": Interval(None, day(2).start_at)}, [2, 1]),
    ({"datetime": Interval(day(13).start_at, day(99).start_at)}, [3]),
    ({"datetime": Interval(day(14).start_at, day(99).start_at)}, []),
    ({"sortby": (Sort("datetime"),)}, [1, 2, 3, 4, 5]),
    ({"sortby": (Sort("title"), Sort("file:size"))}, [5, 3, 2, 4, 1]),
    ({"sortby": (Sort("collection"), Sort("id", descending=True))}, [4, 2, 5, 3, 1]),
    ({"sortby": (Sort("end_datetime", descending=True),)}, [3, 5, 4, 2, 1]),
    ({"sortby": (Sort("created", descending=True),), "collections": ("odd",)}, [5, 3, 1]),
]


def test_what_is_asked_for_holds_together(archive):
    for wanted, expected in ASKED:
        assert found(archive, **wanted) == expected, wanted


CLOUD, SENSOR, BEST, ID = Property("cloud"), Property("sensor"), Property("best"), Property("id")
VALID, DEPTH, CHECKED = (Property(f"gateway:{name}") for name in ("valid", "depth", "checked_at"))


FILTERS = [
    (Condition("<", (CLOUD, 30.0)), [2, 1]),
    (Condition("<", (30.0, CLOUD)), [5, 4]),
    (Condition("=", (CLOUD, 30)), [3]),
    (Condition("<>", (CLOUD, 30)), [5, 4, 2, 1]),
    (Condition("=", (CLOUD, "30")), []),
    (Condition("not", (Condition("=", (CLOUD, "30")),)), []),
    (Condition("=", (BEST, True)), [2]),
    (Condition("=", (BEST, False)), [5, 4, 3, 1]),
    (Condition("between", (CLOUD, 20, 40)), [4, 3, 2]),
    (Condition("in", (SENSOR, "S1", "S5", "x")), [5, 1]),
    (Condition("like", (SENSOR, "S_")), [5, 4, 3, 2, 1]),
    (Condition("like", (SENSOR, "s%")), []),
    (Condition("like", (SENSOR, "%1")), [1]),
    (Condition("like", (SENSOR, "\\%1")), []),
    (Condition("like", (CLOUD, "%")), []),
    (Condition("like", (Property("title"), "[a]")), []),
    (Condition("like", (Property("title"), "a")), [5, 3, 2]),
    (Condition("isNull", (SENSOR,)), []),
    (Condition("not", (Condition("isNull", (SENSOR,)),)), [5, 4, 3, 2, 1]),
    (Condition("isNull", (ID,)), []),
    (Condition("or", (Condition("=", (ID, dataset(2).id)), Condition(">", (SENSOR, "S4")))), [5, 2]),
    (Condition("and", (Condition(">", (CLOUD, 10)), Condition("=", (Property("collection"), "odd")))), [5, 3]),
    (Condition("<=", (Property("datetime"), day(2).start_at)), [2, 1]),
    (Condition("=", (Property("start_datetime"), day(2).start_at)), [2]),
    (Condition(">", (Property("end_datetime"), day(5).start_at)), [3]),
    (Condition(">=", (Property("created"), START + timedelta(minutes=4))), [5, 4]),
    (Condition("<", (Property("file:size"), 97)), [5, 4]),
    (Condition("=", (VALID, True)), [5, 3, 2, 1]),
    (Condition("=", (VALID, False)), [4]),
    (Condition("not", (Condition("=", (VALID, True)),)), [4]),
    (Condition("isNull", (VALID,)), []),
    (Condition("in", (DEPTH, "full", "header")), [2]),
    (Condition("like", (DEPTH, "b%")), [5, 4, 3, 1]),
    (Condition(">=", (CHECKED, START + timedelta(hours=3))), [4, 3]),
    (Condition("isNull", (CHECKED,)), [5]),
]


def test_a_filter_compares_properties_with_values_of_their_type(archive):
    for condition, expected in FILTERS:
        assert found(archive, filter=condition) == expected, condition


REFUSED = [
    (Condition("=", (Property("none"), 1)), "'none'"),
    (Condition("=", (Property('x")) OR 1=1 --'), 1)), "OR 1=1"),
    (Condition("=", (Property("datetime"), "2026")), "datetime"),
    (Condition("=", (ID, True)), "id"),
    (Condition("=", (ID, SENSOR)), "one property"),
    (Condition("=", (VALID, 1)), "truth value"),
    (Condition("like", (VALID, "t%")), "truth value"),
    (Condition("=", (DEPTH, True)), "depth"),
    (Condition("like", (CHECKED, "2026%")), "checked_at"),
    (Condition("=", (1, 1)), "one property"),
    (Condition("=", (SENSOR, day(1).start_at)), "no moment"),
    (Condition("like", (SENSOR, 1)), "text"),
    (Condition("like", (SENSOR, "%" * 9)), "at most 8"),
    (Condition("like", (SENSOR, "a\\")), "backslash"),
    (Condition("isNull", (1,)), "begins with a property"),
    (Condition("and", (SENSOR, SENSOR)), "no condition"),
    (Condition("casei", (SENSOR,)), "casei"),
]


def test_what_a_filter_cannot_compare_is_named(archive):
    for condition, told in REFUSED:
        with pytest.raises(BadParameter) as caught:
            archive.search(Search(filter=condition), None)
        assert told in str(caught.value)


def test_a_property_that_only_hidden_datasets_have_is_as_unknown_as_any_other(archive):
    register(archive, dataset(9, visibility=Scale.PRIVATE, download=Scale.PRIVATE, owner="eve", properties={"secret": 1},
                              collection="odd"))  # fmt: skip
    hidden, unknown = (Search(filter=Condition("=", (Property(name), 1))) for name in ("secret", "nosuch"))
    told = []
    for search in (hidden, unknown):
        with pytest.raises(BadParameter) as caught:
            archive.search(search, ANA)
        told.append(str(caught.value))
    assert told[0].replace("secret", "nosuch") == told[1]
    assert numbers(archive.search(hidden, CHIEF)) == [9]
    assert sorted(archive.queryables(ANA)) == ["best", "cloud", "sensor"]
    assert archive.queryables(Principal("eve"))["secret"] == {"number"}
    assert archive.queryables(ANA, "even") == {"best": {"boolean"}, "cloud": {"number"}, "sensor": {"string"}}
    assert archive.queryables(NOBODY, "even") == {}
    archive.change_dataset(dataset(9).id, Change(visibility=Scale.INTERNAL), act())
    assert "secret" in archive.queryables(ANA)


BOXES = {
    (0, 0, 1, 1): [],
    (11, 41, 12, 42): [1],
    (20, 40, 30, 50): [1],
    (20.001, 40, 30, 50): [],
    (10, 50.001, 20, 60): [],
    (-180, -90, 180, 90): [3, 2, 1],
    (175, -10, 176, 10): [2],
    (-176, -10, -175, 10): [2],
    (0, -10, 1, 10): [],
    (179, -10, -179, 10): [2],
    (100, -10, -100, 10): [3, 2],
    (160, -10, -179.5, 10): [2],
    (15, 35, 5, 55): [1],
    (-100, 9, -90, 11): [3],
    (-1, 9, 1, 11): [],
    (100, -6, 170, -4): [2],
    (-170, -6, -160, -4): [2],
    (180, -6, 180, -4): [2],
}


@pytest.fixture
def places(records):
    for number, bounds in enumerate(((10, 40, 20, 50), (170, -5, -170, 5), (250.0, 8, 280.0, 12)), 1):
        register(records, dataset(number, raster=placed(*bounds), dates=day(number)))
    register(records, dataset(4, raster=None, dates=day(4)))
    return records


def test_boxes_meet_across_the_antimeridian_too(places, monkeypatch):
    # Over what is seen, and over the boxes, whose number tells at once whether there are too many of them.
    for few, boxed in ((4000, 9), (0, 9), (0, 0)):
        monkeypatch.setattr(searching, "FEW", few)
        monkeypatch.setattr(searching, "MOST_BOXED", boxed)
        assert {box: found(places, bbox=box) for box in BOXES} == BOXES


def test_boxes_and_times_hold_together(places, monkeypatch):
    for few in (4000, 0):
        monkeypatch.setattr(searching, "FEW", few)
        world = (-180, -90, 180, 90)
        assert found(places, bbox=world, datetime=Interval(day(2).start_at, day(2).start_at)) == [2]
        assert found(places, NOBODY, bbox=world, datetime=Interval(day(2).start_at, None)) == [3, 2]
        assert found(places, bbox=world, sortby=(Sort("title"),), collections=("sheets",)) == [1, 2, 3]


TRIANGLE = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [0, 10], [0, 0]]]}


def test_footprints_are_compared_and_where_none_is_known_the_box(records):
    register(records, dataset(1, raster=placed(0, 0, 10, 10, footprint=TRIANGLE), dates=day(1)))
    register(records, dataset(2, raster=placed(0, 0, 10, 10), dates=day(2)))
    register(records, dataset(3, raster=placed(175, 0, -175, 10), dates=day(3)))
    far = {"type": "Point", "coordinates": [9, 9]}
    near = {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
    assert found(records, intersects=far) == [2]
    assert found(records, intersects=near) == [2, 1]
    assert found(records, intersects={"type": "Point", "coordinates": [-176, 5]}) == [3]
    assert found(records, intersects={"type": "GeometryCollection", "geometries": [far, near]}) == [2, 1]


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point"},
        {"type": "Sphere", "coordinates": [1, 1]},
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": [181, 1]},
        {"type": "Point", "coordinates": ["1", "1"]},
        {"type": "Polygon", "coordinates": [1, 1]},
        {"type": "Polygon", "coordinates": [[[1, 1], [2, 2]]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "LineString", "coordinates": [[1, 1]] * 10_001},
        {"type": "Polygon", "coordinates": [[[[[[[[[[1, 1]]]]]]]]]]},
        "POINT(1 1)",
    ],
)
def test_what_is_no_geometry_is_refused(geometry):
    from gateway.catalogue.geometries import Area

    with pytest.raises(BadParameter, match="intersects"):
        Area(geometry)


@pytest.fixture
def many(records):
    """Sixty sheets, three at each moment, along the equator."""
    new = [
        (dataset(number, dates=day(number // 3), raster=placed(number / 10, 0, number / 10 + 1, 1), title=f"T{number % 7}",
                 visibility=Scale.PRIVATE if number % 2 else Scale.PUBLIC, download=Scale.PRIVATE), act())
        for number in range(1, 61)
    ]  # fmt: skip
    assert len(records.register_datasets(new)) == 60
    return records


PAGED = [
    {},
    {"sortby": (Sort("datetime"),)},
    {"sortby": (Sort("title", descending=True), Sort("created"))},
    {"bbox": (0, 0, 10, 1)},
    {"bbox": (0, 0, 10, 1), "sortby": (Sort("datetime"),)},
    {"intersects": {"type": "LineString", "coordinates": [[0, 0], [10, 1]]}},
    {"collections": ("sheets",), "datetime": Interval(day(0).start_at, None)},
]


def test_pages_neither_lose_nor_double_a_dataset_while_others_come_and_go(many, monkeypatch):
    monkeypatch.setattr(searching, "FEW", 8)
    monkeypatch.setattr(searching, "PART", 4)
    monkeypatch.setattr(searching, "BATCH", 7)
    for reader, step, wanted in ((*who, each) for who in ((NOBODY, 2), (CHIEF, 1)) for each in PAGED):
        whole = numbers(many.search(Search(limit=100, **wanted), reader))
        assert sorted(whole) == list(range(step, 61, step))
        seen, after, turn = [], None, 0
        while True:
            page = many.search(Search(limit=7, after=after, **wanted), reader)
            seen += numbers(page)
            turn += 1
            register(many, dataset(100 * step + turn, dates=day(turn), raster=placed(1, 0, 2, 1)))
            if (after := page.after) is None:
                break
        assert [number for number in seen if number <= 60] == whole
        assert len(set(seen)) == len(seen)
        for number in range(1, turn + 1):
            many.remove_dataset(dataset(100 * step + number).id, act())


def test_matches_are_counted_exactly_up_to_a_number(many, monkeypatch):
    monkeypatch.setattr(searching, "MOST_COUNTED", 60)
    assert many.search(Search(limit=1), NOBODY).matched == 30
    assert many.search(Search(limit=1), CHIEF).matched is None


def test_boxes_are_counted_for_each_reader(many, monkeypatch):
    for number in (1, 3, 5):
        many.add_grant(Grant(dataset(number).id, Level.VIEW, user="ben"), act())
        many.add_grant(Grant(dataset(number).id, Level.VIEW, role="r7"), act())
    readers = [NOBODY, BEN, Principal("ben", frozenset({"r7"})), CHIEF, Principal("zoe", frozenset({"r7"})),
               Principal("zoe", frozenset(f"r{number}" for number in range(40)))]  # fmt: skip
    for few, boxed in ((4000, 99), (0, 99), (0, 0)):
        monkeypatch.setattr(searching, "FEW", few)
        monkeypatch.setattr(searching, "MOST_BOXED", boxed)
        told = [many.search(Search(bbox=(0, 0, 10, 1), limit=100), reader) for reader in readers]
        # A grant on what its owner alone sees counts for it, whoever has it twice.
        assert [page.matched for page in told] == [len(page.datasets) for page in told] == [30, 33, 33, 60, 33, 33]
        monkeypatch.setattr(searching, "MOST_COUNTED", 30)
        assert [many.search(Search(bbox=(0, 0, 10, 1)), reader).matched for reader in readers] == [None] * 6
        monkeypatch.setattr(searching, "MOST_COUNTED", 10_000)


def test_nothing_is_lost_of_what_begins_within_minutes(records, monkeypatch):
    # Moments that an index of boxes cannot tell apart, read part by part.
    monkeypatch.setattr(searching, "FEW", 8)
    monkeypatch.setattr(searching, "PART", 4)
    monkeypatch.setattr(walking, "STRIDE", 1)
    monkeypatch.setattr(walking, "SPARSE", 0)
    start = datetime(2026, 11, 29, 3, 8, 53, tzinfo=UTC)
    moments = [start + timedelta(seconds=9 * number) for number in range(60)]
    new = [(dataset(number, dates=Dates(moment, moment, DatedBy.OPTION), raster=placed(1, 1, 2, 2)), act())
           for number, moment in enumerate(moments, 1)]  # fmt: skip
    records.register_datasets(new)
    for most in (7, 50):
        page = records.search(Search(bbox=(0, 0, 10, 10), limit=most), NOBODY)
        assert numbers(page) == list(range(60, 60 - most, -1))


# Of the sixty, which lie at 0.1 to 7 degrees east: cells whole and in part, none, and across the antimeridian.
GROUNDS = [(-180, -90, 180, 90), (0.55, 0, 3.05, 1), (2, 0, 5, 1), (2, 0.5, 5, 1), (1, 1, 9, 2), (1, 1.5, 9, 2),
           (170, -1, 3.5, 1), (8, 0, 9, 1)]  # fmt: skip


def test_far_and_near_grounds_have_the_same_datasets_whichever_way_they_are_found(many, monkeypatch):
    for number in (2, 4, 59):
        many.change_dataset(dataset(number).id, Change(visibility=Scale.INTERNAL), act())
    many.add_grant(Grant(dataset(7).id, Level.VIEW, user="ben"), act())
    register(many, dataset(70, raster=placed(175, 0, -175, 1), dates=day(1, 30)))
    register(many, dataset(71, raster=None, dates=day(3)))
    times = [
        None,
        Interval(day(5).start_at, day(9).start_at),
        Interval(None, day(30).start_at),
        Interval(day(0).start_at),
    ]

    asked = [(reader, ground, times[(at + turn) % 4]) for turn, reader in enumerate((NOBODY, BEN, CHIEF))
             for at, ground in enumerate(GROUNDS)]  # fmt: skip

    def told():
        for reader, ground, time in asked:
            wanted = Search(under=ground, collections=("sheets",), datetime=time, limit=3)
            page = many.search(wanted, reader)
            yield numbers(page), page.matched, many.small_pictures.of_search(replace(wanted, limit=99), reader, 1).ids

    plain = list(told())
    assert [matched for _, matched, ids in plain] == [len(ids) for _, _, ids in plain]
    assert max(len(ids) for _, _, ids in plain) == 61
    for few, stride in ((0, 2), (0, 50), (8, 2)):
        monkeypatch.setattr(searching, "FEW", few)
        monkeypatch.setattr(walking, "STRIDE", stride)
        assert list(told()) == plain


def test_what_another_process_changes_counts_at_once_in_far_grounds(many, url, monkeypatch):
    monkeypatch.setattr(searching, "FEW", 0)
    wanted = Search(under=(-10, -10, 20, 20), collections=("sheets",), limit=2)

    def told(reader=NOBODY):
        page = many.search(wanted, reader)
        return numbers(page), page.matched

    with closing(open_records(url)) as others:
        assert told() == ([60, 58], 30)
        others.change_dataset(dataset(60).id, Change(visibility=Scale.PRIVATE), act())
        assert told() == ([58, 54], 29)
        others.remove_dataset(dataset(58).id, act())
        assert (told(), told(CHIEF)) == (([54, 56], 28), ([60, 57], 59))
        others.add_grant(Grant(dataset(60).id, Level.VIEW, user="ben"), act())
        assert told(BEN) == ([60, 54], 29)
        others.change_dataset(dataset(59).id, Change(visibility=Scale.PUBLIC), act())
        assert told() == ([59, 54], 29)
        others.change_dataset(dataset(54).id, Change(collection="others"), act())
        assert told() == ([59, 56], 28)


def test_what_is_given_behind_the_id_decides_no_order(archive):
    wanted = {"sortby": (Sort("title"), Sort("id", descending=True), Sort("file:size")), "limit": 2}
    first = archive.search(Search(**wanted), None)
    assert numbers(first) == [5, 3]
    assert numbers(archive.search(Search(**wanted, after=first.after), None)) == [2, 4]


def test_a_page_is_there_also_where_counting_takes_too_long(many, monkeypatch):
    whole = many.search(Search(limit=7, bbox=(0, 0, 10, 1)), CHIEF)
    monkeypatch.setattr(searching, "COUNT_SECONDS", -1.0)
    page = many.search(Search(limit=7, bbox=(0, 0, 10, 1)), CHIEF)
    assert (page.datasets, page.after) == (whole.datasets, whole.after)
    assert (whole.matched, page.matched) == (60, None)


def test_a_key_of_another_search_is_refused(many):
    for after in ((), ("x", "y", "z"), ("2026-01-01T00:00:00.000Z",)):
        with pytest.raises(BadParameter, match="another search"):
            many.search(Search(after=after), NOBODY)


@pytest.mark.parametrize(
    "wanted", [{"sortby": (Sort("title"),)}, {"sortby": (Sort("title"),), "bbox": (-180, -90, 180, 90)}]
)
def test_nothing_is_lost_where_a_reader_sees_it_by_several_grants_and_it_lies_in_two_boxes(
    records, monkeypatch, wanted
):
    monkeypatch.setattr(searching, "FEW", 2)
    reader = Principal("cy", frozenset({"survey", "other"}))
    for number in range(1, 10):
        raster = placed(170.0, 1.0, -170.0, 2.0)
        register(
            records, dataset(number, raster=raster, visibility=Scale.PRIVATE, download=Scale.PRIVATE, owner="cy")
        )
        for role in ("survey", "other"):
            records.add_grant(Grant(dataset(number).id, Level.VIEW, role=role), act())
    got, page = [], None
    while page is None or page.after is not None:
        page = records.search(Search(limit=2, after=page and page.after, **wanted), reader)
        assert page.matched == 9
        got += numbers(page)
    assert got == list(range(1, 10))
    counts = [records.collection("sheets", reader), *records.collections(reader)]
    assert [each.extent.count for each in counts] == [9, 9]
    monkeypatch.setattr(searching, "MOST_COUNTED", 9)
    assert records.search(Search(limit=2, **wanted), reader).matched is None


def test_numbers_are_compared_as_floats_and_boxes_to_the_last_digit(records):
    register(
        records, dataset(1, raster=placed(5.0, 45.0, 6.0, 46.0), properties={"x": 0.12345678901234567, "n": 2**53})
    )
    for number in (0.12345678901234567, 0.12345678901234566):
        assert found(records, filter=Condition("=", (Property("x"), number))) == [1] * (number == 0.12345678901234567)
    assert found(records, filter=Condition("=", (Property("n"), float(2**53)))) == [1]
    assert found(records, bbox=(6.0, 46.0, 7.0, 47.0)) == [1]
    assert found(records, bbox=(6.0000005, 45.0, 7.0, 46.0)) == []
    assert found(records, bbox=(5.0, 44.0, 7.0, 44.9999995)) == []


def test_collections_take_no_text_that_could_not_be_sent(records):
    records.create_collection(Collection("maps", "Maps", START, START), act())
    for change in (CollectionChange(keywords=("\udcff",)), CollectionChange(providers=(Provider("\ud800"),))):
        with pytest.raises(BadParameter, match="Unicode"):
            records.change_collection("maps", change, act())
    changed = records.change_collection("maps", CollectionChange(keywords=("Höhe",)), act())
    assert records.collection("maps", None).collection == changed
