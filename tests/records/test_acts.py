"""Each act changes what it names and nothing else, together with its audit row or not at all."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.errors import BadParameter, NotFound
from gateway.model import AuditRow, Finding, Grant, Inspection, Level, Report, Scale
from gateway.records import AuditQuery, Change, UserState, Verdict, open_records
from tests.records.conftest import RASTER, START, act, dataset, register

ID = dataset(1).id
LATER = START + timedelta(days=1)
NEXT = Verdict("9-9-9", 99, Inspection(Report("full"), RASTER), "cd" * 32)
NARROW = Change(visibility=Scale.PRIVATE)
BEN = Grant(ID, Level.DOWNLOAD, user="ben")


def named(action):
    return AuditRow(action, at=LATER)


# Every act that writes beside an existing dataset, by the action of its row.
ACTS = {
    "retitled": lambda records, row: records.change_dataset(ID, Change(title="New"), row),
    "reowned": lambda records, row: records.change_dataset(ID, Change(owner=""), row),
    "judged": lambda records, row: records.judge_dataset(dataset(1), NEXT, row),
    "ingested": lambda records, row: records.judge_dataset(dataset(1), NEXT, row, Change(title="New")),
    "granted": lambda records, row: records.add_grant(BEN, row),
    "ungranted": lambda records, row: records.remove_grant(ID, row, user="eve"),
    "disabled": lambda records, row: records.set_disabled("ben", True, row),
    "registered": lambda records, row: records.register_dataset(dataset(2), row),
    "removed": lambda records, row: records.remove_dataset(dataset(3).id, row),
}


@pytest.fixture
def stocked(records):
    register(records, dataset(1))
    register(records, dataset(3))
    records.add_grant(Grant(ID, Level.VIEW, user="eve"), act())
    return records


def actions(records):
    return [stored.row.action for stored in records.audit_rows(AuditQuery()) if stored.row.action != "test.act"]


def state(records):
    known = [records.dataset(dataset(number).id) for number in (1, 2, 3)]
    return known, records.grants(ID), records.users(), actions(records)


@pytest.mark.parametrize("action", ACTS)
def test_a_narrowing_of_access_made_while_an_act_waits_stays(stocked, url, action):
    other = open_records(url)
    within, go_on = threading.Event(), threading.Event()

    class Slow:
        """A change that holds the lock of the database until it is told to go on."""

        def of(self, known):
            within.set()
            assert go_on.wait(120)
            return NARROW.of(known)

    narrowing = threading.Thread(target=other.change_dataset, args=(ID, Slow(), named("narrowed")))
    acting = threading.Thread(target=ACTS[action], args=(stocked, named(action)))
    narrowing.start()
    assert within.wait(120)
    acting.start()
    go_on.set()
    narrowing.join()
    acting.join()
    other.close()
    now = stocked.dataset(ID)
    assert (now.visibility, now.download) == (Scale.PRIVATE, Scale.PRIVATE)
    # Acts on something else need not wait.
    assert sorted(actions(stocked)) == sorted(["narrowed", action])
    assert (now.title == "New") == (action in ("retitled", "ingested"))
    assert (now.version == "9-9-9") == (action in ("judged", "ingested"))


@pytest.mark.parametrize("action", ACTS)
def test_an_act_whose_row_cannot_be_stored_has_not_happened(stocked, action):
    before = state(stocked)
    with pytest.raises(TypeError):
        ACTS[action](stocked, AuditRow(action, detail={"no json": object()}))
    assert state(stocked) == before
    ACTS[action](stocked, named(action))
    assert actions(stocked) == [action]


@pytest.mark.parametrize(
    ("deed", "answer"),
    [
        (lambda records: records.change_dataset(dataset(9).id, NARROW, named("a")), None),
        (lambda records: records.judge_dataset(dataset(9), NEXT, named("a")), None),
        (lambda records: records.judge_dataset(dataset(1, version="other"), NEXT, named("a")), None),
        (lambda records: records.judge_dataset(dataset(1, sha256=None), NEXT, named("a")), None),
        (lambda records: records.judge_dataset(dataset(1, report=Report("full")), NEXT, named("a")), None),
        (lambda records: records.register_dataset(dataset(1), named("a")), False),
        (lambda records: records.register_dataset(dataset(2, key=dataset(1).key), named("a")), False),
        (lambda records: records.remove_dataset(dataset(9).id, named("a")), False),
        (lambda records: records.remove_grant(ID, named("a"), user="ben"), None),
        (lambda records: records.remove_grant(ID, named("a"), role="eve"), None),
    ],
)
def test_what_comes_to_nothing_is_not_on_record(stocked, deed, answer):
    before = state(stocked)
    assert deed(stocked) is answer
    assert state(stocked) == before


@pytest.mark.parametrize(
    ("deed", "error"),
    [
        (lambda records: records.change_dataset(ID, Change(download=Scale.PUBLIC), named("a")), BadParameter),
        (lambda records: records.add_grant(Grant(dataset(9).id, Level.VIEW, user="a"), named("a")), NotFound),
        (lambda records: records.add_grant(Grant(ID, Level.VIEW), named("a")), BadParameter),
    ],
)
def test_what_is_refused_is_not_on_record(stocked, deed, error):
    stocked.change_dataset(ID, Change(visibility=Scale.INTERNAL), act())
    before = state(stocked)
    with pytest.raises(error):
        deed(stocked)
    assert state(stocked) == before


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        (Change(), {}),
        (Change(title=""), {"title": ""}),
        (Change(owner=""), {"owner": None}),
        (Change(owner="eve", title="New"), {"owner": "eve", "title": "New"}),
        (Change(visibility=Scale.INTERNAL), {"visibility": Scale.INTERNAL}),
        (NARROW, {"visibility": Scale.PRIVATE, "download": Scale.PRIVATE}),
        (Change(download=Scale.PUBLIC), {"download": Scale.PUBLIC}),
    ],
)
def test_a_change_sets_what_it_names_and_answers_with_what_is_on_record(stocked, change, differs):
    changed = stocked.change_dataset(ID, change, named("dataset.updated"))
    assert changed == replace(dataset(1), **differs, updated_at=LATER) == stocked.dataset(ID)


def test_a_verdict_sets_its_columns_and_the_bounds(stocked):
    bad = Verdict("8", 8, Inspection(Report("blocks", (Finding("strips", "in strips"),)), None))
    judged = stocked.judge_dataset(dataset(1), bad, named("dataset.judged"))
    wanted = replace(
        dataset(1), version="8", size_bytes=8, report=bad.inspection.report, raster=None, sha256=None, origin=None,
        updated_at=LATER,
    )  # fmt: skip
    assert judged == wanted == stocked.dataset(ID)


def test_of_two_verdicts_over_one_state_the_second_is_told_to_look_again(stocked):
    known = stocked.dataset(ID)
    assert stocked.judge_dataset(known, NEXT, named("first")).version == "9-9-9"
    assert stocked.judge_dataset(known, replace(NEXT, version="7"), named("second")) is None
    assert stocked.dataset(ID).version == "9-9-9"
    assert actions(stocked) == ["first"]


def test_a_removed_grant_is_the_answer(stocked):
    assert stocked.remove_grant(ID, named("a"), user="eve") == Grant(ID, Level.VIEW, user="eve")
    assert stocked.grants(ID) == ()


def test_a_second_word_on_a_user_is_on_record_as_well(records):
    records.set_disabled("ben", True, named("user.disabled"))
    records.set_disabled("ben", False, named("user.enabled"))
    assert records.users() == (UserState("ben", False),)
    assert actions(records) == ["user.disabled", "user.enabled"]
