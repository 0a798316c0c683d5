"""Tokens on record, in each database: found, ended, and uses of links counted exactly."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from gateway.model import AuditRow
from gateway.principal import StoredKind, StoredToken, Target
from gateway.records import AuditQuery, Holder, LinkUse, TokenQuery, open_records
from tests.records.conftest import START, act, dataset, register


def token(number, kind=StoredKind.OWN, **changes):
    identity = str(UUID(int=number))
    life = (START + timedelta(minutes=number), START + timedelta(days=1))
    facts = (f"{number:064x}", "ana", frozenset({"b", "a"}), "Zürich", True, Target(collection="maps"))
    return replace(StoredToken(identity, kind, *facts, *life), **changes)


def link(number=1, **changes):
    return token(number, StoredKind.LINK, name="", target=Target(dataset_id=dataset(1).id), **changes)


def test_they_are_found_by_hash_by_id_by_owner_and_by_the_owner_of_what_they_are_for(records):
    register(records, dataset(1, owner="eve"))
    others = [link(3, owner="ben"), token(4, owner="ben", expires_at=START + timedelta(hours=1))]
    for each in (token(1), token(2), *others):
        assert records.tokens.store(each, 9, act())
    assert records.tokens.by_hash(token(2).hash) == records.tokens.by_id(token(2).id) == token(2)
    assert records.tokens.by_hash("00") is records.tokens.by_id("00") is None
    assert records.tokens.ids("00000000", StoredKind.OWN) == (token(1).id, token(2).id, token(4).id)
    assert records.tokens.ids("00%", StoredKind.OWN) == ()
    assert records.tokens.find(TokenQuery(StoredKind.OWN, owner="ana")) == (token(2), token(1))
    for query in (TokenQuery(StoredKind.LINK), TokenQuery(StoredKind.LINK, "eve", of_datasets_of="eve")):
        assert records.tokens.find(query) == (others[0],)
    assert records.tokens.find(TokenQuery(StoredKind.LINK, "ana", of_datasets_of="ana")) == ()
    assert list(records.tokens.every()) == [token(1), token(2), *others]


def test_only_so_many_are_good_at_once_and_those_of_long_ago_go(records):
    old, now = token(1, expires_at=START - timedelta(days=40)), token(5)
    for each in (old, token(2, expires_at=START), token(3)):
        assert records.tokens.store(each, 3, AuditRow("token.created", START))
    assert not records.tokens.store(now, 1, AuditRow("token.created", START))
    assert records.tokens.store(now, 2, AuditRow("token.created", START))
    assert [each.id for each in records.tokens.find(TokenQuery())] == [now.id, token(3).id, token(2).id]
    assert len(list(records.audit_rows(AuditQuery(action="token.created")))) == 4


def test_one_that_is_revoked_is_refused_at_once_also_by_others(records, url):
    register(records, dataset(1))
    records.tokens.store(token(1), 9, act())
    holder = Holder("ana", token(1).id)
    with closing(open_records(url)) as other:
        for node in (records, other):
            assert not node.standing(dataset(1).id, holder).refused
        kept = other.standing(dataset(1).id, holder)
        other.tokens.touch(token(1).id, START)
        assert other.standing(dataset(1).id, holder) is kept
        assert records.tokens.revoke(token(1).id, AuditRow("token.revoked", START))
        for node in (records, other):
            assert node.standing(dataset(1).id, holder).refused
            assert node.is_refused(holder)
            assert not node.is_refused(Holder("ana"))
    assert not records.tokens.revoke(token(1).id, AuditRow("token.revoked", START))
    assert len(list(records.audit_rows(AuditQuery(action="token.revoked")))) == 1


def test_a_use_is_noted_at_most_once_a_minute_and_never_back_in_time(records):
    records.tokens.store(token(1), 9, act())
    for seconds, noted in ((0, 0), (59, 0), (61, 61), (30, 61)):
        records.tokens.touch(token(1).id, START + timedelta(seconds=seconds))
        assert records.tokens.by_id(token(1).id).last_used_at == START + timedelta(seconds=noted)
    records.tokens.touch("none", START)


def used(records, *, client="c", joins=False, minutes=0):
    at = START + timedelta(minutes=minutes)
    return records.tokens.use(LinkUse(link().id, client, at, joins), AuditRow("link.used", at, detail={"a": 1}))


def test_ranges_of_one_client_within_an_hour_are_one_use(records):
    records.tokens.store(link(uses=3), 9, act())
    assert used(records, joins=True)
    assert used(records, joins=True, minutes=59)
    assert used(records, joins=True, client="d")
    # Not without a range, and not after the hour.
    assert used(records, minutes=30)
    assert records.tokens.may_use(LinkUse(link().id, "c", START + timedelta(minutes=89), joins=True))
    assert used(records, joins=True, minutes=89)
    for use in ({"joins": True, "minutes": 90}, {"client": "e"}, {"minutes": 31}):
        assert not used(records, **use)
    assert not records.tokens.may_use(LinkUse(link().id, "c", START))
    stored = records.tokens.by_id(link().id)
    assert (stored.used, stored.last_used_at) == (3, START + timedelta(minutes=30))
    rows = [stored.row for stored in records.audit_rows(AuditQuery(action="link.used"))]
    assert sorted(row.detail["use"] for row in rows) == [1, 1, 2, 3, 3]
    assert all(row.detail["a"] == 1 for row in rows)


def test_uses_are_counted_exactly_by_whoever_asks_at_once(records, url):
    records.tokens.store(link(uses=7), 9, act())
    with closing(open_records(url)) as other, ThreadPoolExecutor(4) as threads:
        asked = [threads.submit(used, (records, other)[n % 2], client=str(n % 5)) for n in range(20)]
        assert sum(each.result() for each in asked) == 7
    assert records.tokens.by_id(link().id).used == 7
    assert len(list(records.audit_rows(AuditQuery(action="link.used")))) == 7


def test_what_has_ended_gives_no_use(records):
    records.tokens.store(link(expires_at=START + timedelta(minutes=5)), 9, act())
    assert used(records)
    assert not used(records, joins=True, minutes=5)
    records.tokens.revoke(link().id, act())
    assert not used(records, joins=True)
