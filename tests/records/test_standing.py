import pytest

from gateway.model import Grant, Level, Scale
from gateway.records import NOBODY, Change, Holder, open_records
from tests.records.conftest import act, dataset, register


def test_a_standing_says_dataset_grants_and_whether_the_user_is_disabled(records):
    known = dataset(1)
    register(records, known)
    records.add_grant(Grant(known.id, Level.VIEW, user="ben"), act())
    records.set_disabled("ben", True, act())
    standing = records.standing(known.id, Holder("ben"))
    assert standing.dataset == known
    assert standing.grants == records.grants(known.id)
    assert standing.refused
    assert not records.standing(known.id, NOBODY).refused
    assert records.standing(dataset(2).id, Holder("ben")).dataset is None


@pytest.mark.parametrize("by_another_process", [False, True])
def test_every_change_counts_at_once(records, url, by_another_process):
    other = open_records(url) if by_another_process else records
    known = dataset(1)
    changes = [
        lambda: register(other, known),
        lambda: other.change_dataset(known.id, Change(visibility=Scale.PRIVATE), act()),
        lambda: other.add_grant(Grant(known.id, Level.VIEW, user="ben"), act()),
        lambda: other.add_grant(Grant(known.id, Level.DOWNLOAD, user="ben"), act()),
        lambda: other.set_disabled("ben", True, act()),
        lambda: other.set_disabled("ben", False, act()),
        lambda: other.remove_grant(known.id, act(), user="ben"),
        lambda: other.remove_dataset(known.id, act()),
    ]
    seen = [records.standing(known.id, Holder("ben"))]
    for change in changes:
        change()
        seen.append(records.standing(known.id, Holder("ben")))
        assert seen[-1] != seen[-2]
    other.close()


@pytest.mark.parametrize("by_another_process", [False, True])
def test_what_did_not_change_is_not_read_again(records, url, by_another_process):
    other = open_records(url) if by_another_process else records
    register(records, dataset(1))
    register(records, dataset(2))
    records.add_grant(Grant(dataset(1).id, Level.VIEW, user="ben"), act())
    read = records.standing(dataset(1).id, NOBODY)
    for change in (
        lambda: register(other, dataset(3)),
        lambda: other.change_dataset(dataset(2).id, Change(title="New"), act()),
        lambda: other.add_grant(Grant(dataset(2).id, Level.VIEW, user="ben"), act()),
        lambda: other.remove_grant(dataset(2).id, act(), user="ben"),
        lambda: other.remove_dataset(dataset(3).id, act()),
        lambda: other.append_audit([act()]),
    ):
        change()
        assert records.standing(dataset(1).id, NOBODY) is read
    other.change_dataset(dataset(1).id, Change(title="New"), act())
    assert records.standing(dataset(1).id, NOBODY) is not read
    other.close()


def test_an_unknown_id_is_remembered_until_there_is_one(records):
    nothing = records.standing(dataset(1).id, NOBODY)
    register(records, dataset(2))
    assert records.standing(dataset(1).id, NOBODY) is nothing
    register(records, dataset(1))
    assert records.standing(dataset(1).id, NOBODY).dataset == dataset(1)
    records.remove_dataset(dataset(1).id, act())
    assert records.standing(dataset(1).id, NOBODY).dataset is None


def test_only_so_many_are_remembered(records, monkeypatch):
    monkeypatch.setattr("gateway.records.standing.REMEMBERED", 2)
    for number in range(5):
        register(records, dataset(number))
    for number in range(5):
        assert records.standing(dataset(number).id, NOBODY).dataset == dataset(number)
