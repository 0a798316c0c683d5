from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from gateway.errors import BadParameter
from gateway.model import AuditRow, Finding, Grant, Level, Principal, RasterFacts, Report, Scale
from gateway.records import SORTINGS, AuditQuery, Change, DatasetQuery
from tests.records.conftest import RASTER, START, act, dataset, register

NOBODY, ANA, BEN = Principal(), Principal("ana"), Principal("ben")
SURVEYOR, CHIEF = Principal("cy", frozenset({"survey", "other"})), Principal("di", frozenset({"admin"}))
NAMELESS_CHIEF = Principal(None, frozenset({"admin"}))


def with_bounds(*bounds):
    return RasterFacts(10, 10, 1, "uint8", None, None, bounds)


def numbers(page):
    return [int(found.id.replace("-", ""), 16) for found in page.datasets]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"owner": None, "sha256": None, "origin": None},
        {"raster": None, "report": Report("header", (Finding("strips", "in strips", ifd=2),))},
        {"raster": RasterFacts(1, 2, 3, "float32", -9999.0, None, None)},
        {
            "raster": replace(
                RASTER, transform=(1.0, 0.0, 2.0, 0.0, -1.0, 3.0), scaling=((0.5, 1.0),) * 3, header_bytes=9, wkt2="x"
            )
        },
        {"title": "Ærø 🗺 '\"; DROP TABLE datasets", "visibility": Scale.PRIVATE, "download": Scale.PRIVATE},
    ],
)
def test_a_saved_dataset_comes_back_equal(records, changes):
    saved = dataset(1, **changes)
    register(records, saved)
    assert records.dataset(saved.id) == saved
    assert records.dataset_at(saved.root, saved.key) == saved


def test_a_report_keeps_the_moment_of_its_check(records):
    register(records, dataset(1, report=Report("full", checked_at=START)))
    assert records.dataset(dataset(1).id).report.checked_at == START


def test_unknown_ids_and_objects_are_none(records):
    register(records, dataset(1))
    assert records.dataset(dataset(2).id) is None
    assert records.dataset_at("data", "folder/2.tif") is None
    assert records.dataset_at("other", "folder/1.tif") is None


def test_datasets_are_found_by_many_keys_at_once(records):
    for number in (1, 2, 3):
        register(records, dataset(number))
    register(records, dataset(4, root="other", key=dataset(2).key))
    keys = [f"folder/{number}.tif" for number in (*range(2, 1002), 2)]
    assert records.datasets_at("data", keys) == {dataset(number).key: dataset(number) for number in (2, 3)}
    assert records.datasets_at("data", []) == {}
    with pytest.raises(BadParameter):
        records.datasets_at("data", ["folder/1.tif", "\udcff.tif"])


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"root": "other"}, [2]),
        ({"visibility": Scale.PRIVATE}, [3]),
        ({"valid": False}, [3]),
        ({"valid": True}, [1, 2]),
        ({"owner": "ben"}, [2]),
        ({"owner": ""}, [3]),
        ({"owner": "nobody"}, []),
    ],
)
def test_a_listing_is_filtered_by_what_the_record_says(records, filters, found):
    register(records, dataset(1))
    register(records, dataset(2, root="other", owner="ben"))
    broken = Report("header", (Finding("strips", "in strips"),))
    register(records, dataset(3, visibility=Scale.PRIVATE, download=Scale.PRIVATE, owner=None, report=broken))
    page = records.find_datasets(DatasetQuery(None, **filters))
    assert numbers(page) == found
    assert page.total == len(found)


def test_times_come_back_in_utc_to_the_millisecond(records):
    moment = datetime(2026, 5, 6, 7, 8, 9, 123456, tzinfo=timezone(timedelta(hours=2)))
    register(records, dataset(1, created_at=moment))
    assert records.dataset(dataset(1).id).created_at == datetime(2026, 5, 6, 5, 8, 9, 123000, tzinfo=UTC)


def test_one_object_has_one_id(records):
    register(records, dataset(1))
    assert not records.register_dataset(dataset(2, key=dataset(1).key), act())
    assert records.find_datasets(DatasetQuery(None)).datasets == (dataset(1),)
    register(records, dataset(2, root="other", key=dataset(1).key))
    assert records.find_datasets(DatasetQuery(None)).total == 2


def test_many_datasets_are_registered_together_and_those_that_are_there_are_passed_over(records):
    register(records, dataset(1))
    rows = {number: AuditRow("many", START) for number in (1, 2, 3, 4)}
    new = [
        (dataset(4), rows[4]),
        (dataset(1), rows[1]),
        (dataset(2), rows[2]),
        (dataset(3, key=dataset(2).key), rows[3]),
    ]
    there = records.register_datasets(new)
    assert there - {dataset(3).id} == {dataset(2).id, dataset(4).id} or there == {dataset(3).id, dataset(4).id}
    stored = [each.row for each in records.audit_rows(AuditQuery(action="many"))]
    assert sorted(row.row_id for row in stored) == sorted(rows[UUID(one).int].row_id for one in there)
    assert records.register_datasets(new) == set()
    assert records.register_datasets([]) == set()


def test_of_datasets_that_are_registered_together_all_are_stored_or_none(records):
    new = [(dataset(1), act()), (dataset(2), AuditRow("bad", detail={"no json": object()}))]
    with pytest.raises(TypeError):
        records.register_datasets(new)
    assert records.find_datasets(DatasetQuery(None)).total == 0


def test_removal_takes_the_record_and_its_grants(records):
    register(records, dataset(1))
    register(records, dataset(2))
    records.add_grant(Grant(dataset(1).id, Level.VIEW, user="ben"), act())
    records.add_grant(Grant(dataset(2).id, Level.VIEW, user="ben"), act())
    assert records.remove_dataset(dataset(1).id, act()) is True
    assert records.remove_dataset(dataset(1).id, act()) is False
    assert records.grants(dataset(1).id) == ()
    assert len(records.grants(dataset(2).id)) == 1
    register(records, dataset(1))
    assert records.grants(dataset(1).id) == ()


@pytest.fixture
def shared(records):
    for number, (visibility, owner) in enumerate(
        [(Scale.PUBLIC, "ana"), (Scale.INTERNAL, "ana"), (Scale.PRIVATE, "ana"), (Scale.PRIVATE, "eve"),
         (Scale.PRIVATE, None)], 1
    ):  # fmt: skip
        register(records, dataset(number, visibility=visibility, download=Scale.PRIVATE, owner=owner))
    records.add_grant(Grant(dataset(4).id, Level.VIEW, user="ben"), act())
    records.add_grant(Grant(dataset(4).id, Level.DOWNLOAD, role="survey"), act())
    records.add_grant(Grant(dataset(5).id, Level.VIEW, role="survey"), act())
    records.add_grant(Grant(dataset(5).id, Level.DOWNLOAD, role="ben"), act())
    return records


@pytest.mark.parametrize(
    ("principal", "seen"),
    [
        (NOBODY, [1]),
        (NAMELESS_CHIEF, [1]),
        (Principal(""), [1, 2]),
        (ANA, [1, 2, 3]),
        (Principal("ANA"), [1, 2]),
        (BEN, [1, 2, 4]),
        (Principal("survey"), [1, 2]),
        (SURVEYOR, [1, 2, 4, 5]),
        (Principal("fay", frozenset({"other"})), [1, 2]),
        (CHIEF, [1, 2, 3, 4, 5]),
        (None, [1, 2, 3, 4, 5]),
    ],
)
def test_a_listing_shows_what_the_caller_may_see(shared, principal, seen):
    page = shared.find_datasets(DatasetQuery(principal))
    assert numbers(page) == seen
    assert page.total == len(seen)


def test_search_and_access_hold_together(shared):
    assert numbers(shared.find_datasets(DatasetQuery(BEN, q="sheet 4"))) == [4]
    assert numbers(shared.find_datasets(DatasetQuery(ANA, q="sheet 4"))) == []


@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("zürich", [1]),
        ("ZÜRICH", [1]),
        ("zu\u0308rich", [1]),
        ("STRASSE", [2]),
        ("straße", [2]),
        ("ἀθῆναι", [3]),
        ("ΑΘΗΝΑΙ", []),
        ("100%", [4]),
        ("%", [4]),
        ("_", [5]),
        ("\\", [6]),
        ("h", [1]),
        ("'", []),
        ("", [1, 2, 3, 4, 5, 6]),
        (None, [1, 2, 3, 4, 5, 6]),
    ],
)
def test_titles_are_searched_in_any_case_and_without_wildcards(records, q, found):
    for number, title in enumerate(["Zürich", "Alte Straße", "ἈΘΗ͂ΝΑΙ", "100% wood", "a_b", "c\\d"], 1):
        register(records, dataset(number, title=title))
    assert numbers(records.find_datasets(DatasetQuery(None, q=q))) == found


@pytest.mark.parametrize(
    ("bbox", "found"),
    [
        ((0, 0, 1, 1), []),
        ((11, 41, 12, 42), [1]),
        ((20, 40, 30, 50), [1]),
        ((20.001, 40, 30, 50), []),
        ((10, 50.001, 20, 60), []),
        ((-180, -90, 180, 90), [1, 2, 3]),
        ((175, -10, 176, 10), [2]),
        ((-176, -10, -175, 10), [2]),
        ((0, -10, 1, 10), []),
        ((179, -10, -179, 10), [2]),
        ((100, -10, -100, 10), [2, 3]),
        ((160, -10, -179.5, 10), [2]),
        ((15, 35, 5, 55), [1]),
        ((-100, 9, -90, 11), [3]),
        ((-1, 9, 1, 11), []),
        ((270, 9, 271, 11), [3]),
    ],
)
def test_bboxes_meet_bounds_across_the_antimeridian_too(records, bbox, found):
    register(records, dataset(1, raster=with_bounds(10, 40, 20, 50)))
    register(records, dataset(2, raster=with_bounds(170, -5, -170, 5)))
    register(records, dataset(3, raster=with_bounds(250.0, 8, 280.0, 12)))
    register(records, dataset(4, raster=RasterFacts(1, 1, 1, "uint8", None, None, None)))
    register(records, dataset(5, raster=None))
    assert numbers(records.find_datasets(DatasetQuery(None, bbox=bbox))) == found


def test_pages_follow_the_time_of_creation_and_count_everything(records):
    for number in (3, 1, 5, 2, 4):
        register(records, dataset(number))
    register(records, dataset(9, created_at=dataset(2).created_at))
    pages = [records.find_datasets(DatasetQuery(None, limit=2, offset=offset)) for offset in (0, 2, 4, 6, 10**30)]
    assert [numbers(page) for page in pages] == [[1, 2], [9, 3], [4, 5], [], []]
    assert {page.total for page in pages} == {6}
    assert len(records.find_datasets(DatasetQuery(None)).datasets) == 6


def test_a_listing_is_sorted_as_asked_and_equals_by_their_id(records):
    register(records, dataset(1, title="b", size_bytes=30))
    register(records, dataset(2, title="A", size_bytes=10))
    register(records, dataset(3, title="ä", size_bytes=30))
    orders = {"created_at": [1, 2, 3], "-created_at": [3, 2, 1], "title": [2, 1, 3], "-title": [3, 1, 2],
              "size_bytes": [2, 1, 3], "-size_bytes": [3, 1, 2]}  # fmt: skip
    assert set(orders) == set(SORTINGS)
    for name, expected in orders.items():
        found = records.find_datasets(DatasetQuery(None, sortby=name)).datasets
        assert [int(each.id[-12:], 16) for each in found] == expected, name


def test_all_datasets_are_read_page_by_page_in_every_order(shared):
    register(shared, dataset(6, title="SHEET 4", size_bytes=1, created_at=dataset(4).created_at))
    for name in SORTINGS:
        for principal in (None, ANA, SURVEYOR, NOBODY):
            query = DatasetQuery(principal, sortby=name)
            found = list(shared.every_dataset(replace(query, limit=1)))
            assert found == list(shared.find_datasets(query).datasets), (name, principal)


def test_what_comes_and_goes_while_all_are_read_makes_none_shown_twice_or_passed_over(records):
    for number in (2, 3, 4, 5):
        register(records, dataset(number))
    found = records.every_dataset(DatasetQuery(None, limit=2))
    first = [next(found), next(found)]
    records.remove_dataset(dataset(2).id, act())
    register(records, dataset(1))
    register(records, dataset(6))
    assert [*first, *found] == [dataset(number) for number in (2, 3, 4, 5, 6)]


def test_a_title_that_was_changed_is_found_by_its_new_words_alone(records):
    register(records, dataset(1, title="Old Œuvre"))
    records.change_dataset(dataset(1).id, Change(title="New ÅNGSTRÖM"), act())
    assert numbers(records.find_datasets(DatasetQuery(None, q="ångström"))) == [1]
    assert numbers(records.find_datasets(DatasetQuery(None, q="œuvre"))) == []


def test_text_that_is_no_unicode_is_refused_and_nothing_is_stored(records):
    with pytest.raises(BadParameter):
        register(records, dataset(1, key="\udcff.tif"))
    with pytest.raises(BadParameter):
        records.find_datasets(DatasetQuery(None, q="\ud800"))
    assert records.find_datasets(DatasetQuery(None)).total == 0


@pytest.mark.parametrize(("east", "found"), [(-175, [1]), (-179, [])])
def test_a_bbox_across_the_antimeridian_meets_bounds_on_its_far_side(records, east, found):
    register(records, dataset(1, raster=with_bounds(-178, 8, -170, 12)))
    assert numbers(records.find_datasets(DatasetQuery(None, bbox=(150, 9, east, 10)))) == found
