import pytest

from gateway.errors import BadParameter, NotFound
from gateway.model import Grant, Level
from gateway.records import Holder, UserState
from tests.records.conftest import act, dataset, register

ID = dataset(1).id


@pytest.fixture
def granted(records):
    register(records, dataset(1))
    return records


def test_grants_come_users_first_and_by_name(granted):
    grants = [
        Grant(ID, Level.VIEW, role="ana"),
        Grant(ID, Level.DOWNLOAD, user="eve"),
        Grant(ID, Level.VIEW, user="ana"),
    ]
    for grant in grants:
        granted.add_grant(grant, act())
    assert granted.grants(ID) == (grants[2], grants[1], grants[0])
    assert granted.grants(dataset(2).id) == granted.grants() == ()


def test_grants_on_several_datasets_are_read_at_once(granted):
    register(granted, dataset(2))
    register(granted, dataset(3))
    grants = [Grant(dataset(number).id, Level.VIEW, user=name) for number in (1, 2, 3) for name in ("ana", "ben")]
    for grant in reversed(grants):
        granted.add_grant(grant, act())
    assert granted.grants(dataset(3).id, ID, dataset(9).id) == (*grants[:2], *grants[4:])


def test_a_grant_for_the_same_grantee_gets_the_new_level(granted):
    granted.add_grant(Grant(ID, Level.DOWNLOAD, user="ana"), act())
    granted.add_grant(Grant(ID, Level.VIEW, user="ana"), act())
    assert granted.grants(ID) == (Grant(ID, Level.VIEW, user="ana"),)


def test_a_grant_on_an_unknown_dataset_is_not_found(granted):
    with pytest.raises(NotFound):
        granted.add_grant(Grant(dataset(2).id, Level.VIEW, user="ana"), act())


@pytest.mark.parametrize("who", [{}, {"user": "ana", "role": "survey"}])
def test_a_grant_is_for_exactly_one(granted, who):
    with pytest.raises(BadParameter):
        granted.add_grant(Grant(ID, Level.VIEW, **who), act())
    with pytest.raises(BadParameter):
        granted.remove_grant(ID, act(), **who)
    assert granted.grants(ID) == ()


def test_a_removed_grant_is_gone_and_others_stay(granted):
    granted.add_grant(Grant(ID, Level.VIEW, user="survey"), act())
    granted.add_grant(Grant(ID, Level.VIEW, role="survey"), act())
    assert granted.remove_grant(ID, act(), user="ana") is None
    assert granted.remove_grant(ID, act(), role="survey") == Grant(ID, Level.VIEW, role="survey")
    assert granted.remove_grant(ID, act(), role="survey") is None
    assert granted.grants(ID) == (Grant(ID, Level.VIEW, user="survey"),)


def test_users_are_enabled_until_they_are_disabled(records):
    assert records.is_refused(Holder("ana")) is False
    assert records.users() == ()
    records.set_disabled("eve", True, act())
    records.set_disabled("ana", True, act())
    assert records.is_refused(Holder("ana")) is True
    assert records.is_refused(Holder("Ana")) is False
    records.set_disabled("ana", False, act())
    assert records.is_refused(Holder("ana")) is False
    assert records.users() == (UserState("ana", False), UserState("eve", True))


def test_a_user_name_that_is_no_unicode_is_refused(records):
    with pytest.raises(BadParameter):
        records.is_refused(Holder("\ud800"))
