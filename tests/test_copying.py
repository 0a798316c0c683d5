"""A catalogue and its audit in another database: all of it, once, and compared."""

import shutil
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.catalogue.layers import StoredSearch
from gateway.copying import contents, copy_records
from gateway.errors import RecordsUnavailable, SettingsError
from gateway.model import AuditRow, Grant, Level, RasterFacts, SmallPictures
from gateway.records import AuditQuery, Change, Holder, open_records, sqlite_url
from tests.postgres import DATABASES
from tests.records.conftest import START, act, dataset, register

WAYS = [("sqlite", "sqlite"), ("sqlite", "postgresql"), ("postgresql", "sqlite")]


@pytest.fixture(scope="module")
def stocked(tmp_path_factory):
    """A database in a file that has been stocked once."""
    path = tmp_path_factory.mktemp("stocked") / "gateway.db"
    with closing(open_records(sqlite_url(path))) as records:
        stock(records)
    return path


@pytest.fixture(params=[way for way in WAYS if set(way) <= set(DATABASES)], ids="-".join)
def both(request, tmp_path):
    """A stocked source and an empty target."""
    urls = []
    for place, kind in enumerate(request.param):
        if kind == "sqlite":
            urls.append(sqlite_url(tmp_path / f"{place}.db"))
            if place == 0:
                shutil.copy(request.getfixturevalue("stocked"), tmp_path / "0.db")
        else:
            postgres = request.getfixturevalue("postgres")
            urls.append(postgres.server.url(postgres.emptied()))
    with closing(open_records(urls[0])) as source, closing(open_records(urls[1])) as target:
        if request.param[0] != "sqlite":
            stock(source)
        yield source, target


def stock(records):
    # Long ago, too: where months are made for rows, also for those.
    records.make_room(datetime(2024, 11, 1, tzinfo=UTC), START)
    odd = RasterFacts(10, 10, 1, "float32", float("-inf"), None, (170.0, -5.0, -170.0, 5.0), ((0.0, 1.5),))
    own = {1: replace(odd, small=SmallPictures(20.0, ((16, b"sixteen"), (4, b"\0four"))))}
    for number in range(1, 120):
        register(
            records, dataset(number, title=f"Zürich {number}", raster=own.get(number, odd if number % 2 else None))
        )
    records.add_grant(Grant(dataset(1).id, Level.VIEW, user="ben"), act())
    records.add_grant(Grant(dataset(1).id, Level.DOWNLOAD, role="survey"), act())
    records.set_disabled("eve", True, act())
    for title in (None, "Zürich"):
        records.searches.store(
            StoredSearch({"datetime": "../.."}, title, {"bidx": ("1", "2")}, "ana", START), 9, act()
        )
    records.set_disabled("ana", False, act())
    past = datetime(2024, 11, 30, 23, 59, 59, 999_000, tzinfo=UTC)
    rows = [
        AuditRow("download.cog", past, dataset(1).id, "ana", detail={"n": n, "ü": [None, 1.5]}) for n in range(1500)
    ]
    records.append_audit(rows)


def test_all_is_there_once_and_the_copy_is_on_record(both):
    source, target = both
    copied = copy_records(source, target, "here")
    assert (copied.datasets.count, copied.grants.count, copied.users.count, copied.searches.count) == (119, 2, 2, 2)
    assert copied.small_pictures.count == 2
    assert copied == contents(source) == contents(target)
    assert target.dataset(dataset(1).id) == source.dataset(dataset(1).id)
    (row,) = [stored.row for stored in target.audit_rows(AuditQuery(action="catalogue.copied"))]
    assert row.detail["rows"] == copied.rows.count
    assert list(source.audit_rows(AuditQuery(action="catalogue.copied"))) == []
    # And it goes on from there.
    target.append_audit([AuditRow("download.cog")])
    assert target.standing(dataset(1).id, Holder("eve")).refused


def test_a_copy_that_was_cut_off_goes_on(both, monkeypatch):
    source, target = both
    append, calls = target.append_audit, []

    def cut(rows):
        calls.append(len(rows))
        if len(calls) == 2:
            raise RecordsUnavailable("away")
        append(rows)

    with monkeypatch.context() as patch:
        patch.setattr(target, "append_audit", cut)
        with pytest.raises(RecordsUnavailable):
            copy_records(source, target, "here")
    source.change_dataset(dataset(2).id, Change(title="New"), act(START + timedelta(days=1)))
    source.remove_grant(dataset(1).id, act(), user="ben")
    copied = copy_records(source, target, "here")
    assert copied == contents(source) == contents(target)
    # Again, with nothing new.
    assert copy_records(source, target, "here") == copied


def test_records_of_others_stay_as_they_are(both):
    source, target = both
    register(target, dataset(999))
    before = contents(target)
    with pytest.raises(SettingsError, match="other records"):
        copy_records(source, target, "here")
    assert contents(target) == before


def test_a_difference_is_told(both, monkeypatch):
    source, target = both
    append = target.append_audit
    monkeypatch.setattr(
        target, "append_audit", lambda rows: append([replace(row, user_agent="other") for row in rows])
    )
    with pytest.raises(SettingsError, match="rows were read"):
        copy_records(source, target, "here")


ACTS = {
    "a grant taken away": lambda records: records.remove_grant(dataset(1).id, act(), user="ben"),
    "a user disabled": lambda records: records.set_disabled("ana", True, act()),
    "a row in the midst of others": lambda records: records.append_audit([AuditRow("download.cog", START)]),
}


def test_what_was_done_in_the_target_since_is_not_undone_by_the_same_copy_again(both):
    source, target = both
    copy_records(source, target, "here")
    for done in ACTS.values():
        done(target)
        before = contents(target)
        with pytest.raises(SettingsError, match=r"audit row .* is not in the source"):
            copy_records(source, target, "here")
        assert contents(target) == before


def test_what_is_written_into_the_source_meanwhile_is_told(both, monkeypatch):
    source, target = both
    make_room = target.make_room

    def writes(first, last):
        make_room(first, last)
        source.append_audit([AuditRow("download.cog")])

    with monkeypatch.context() as patch:
        patch.setattr(target, "make_room", writes)
        with pytest.raises(SettingsError, match="written to meanwhile"):
            copy_records(source, target, "here")
    copy_records(source, target, "here")
