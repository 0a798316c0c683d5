"""No change of a dataset lies between what an overview is read from and what tells that it holds."""

from contextlib import closing
from datetime import UTC, datetime
from threading import Thread

from gateway.catalogue.overviews import Overview
from gateway.model import Scale
from gateway.records import Change, open_records
from gateway.records.postgres.connection import connect, one
from tests.patience import SECONDS, until
from tests.records.conftest import act, dataset, register

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


def test_an_overview_begins_when_changes_that_are_under_way_have_ended(postgres):
    url = postgres.server.url(postgres.emptied())
    with closing(open_records(url)) as records, closing(connect(url)) as writer, closing(connect(url)) as watcher:
        register(records, dataset(1))
        begun = Overview("o1", "sheets", "data", ".overviews/1.tif", 7, 1, datetime.now(UTC))
        done = []
        with writer.transaction():
            writer.execute("UPDATE datasets SET version = 'new'")
            beginning = Thread(target=lambda: done.append(records.overviews.begin(begun)))
            beginning.start()
            until(lambda: one(watcher, WAITING))
        beginning.join(SECONDS)
        assert done == [True]
        assert records.dataset(dataset(1).id).version == "new"
        assert records.overviews.by_id("o1").holds
        # Who changes a dataset of a collection without one that holds waits for nobody else who does.
        register(records, dataset(2))
        with writer.transaction():
            writer.execute("UPDATE datasets SET version = 'newer' WHERE id = %s", [dataset(1).id])
            records.change_dataset(dataset(2).id, Change(visibility=Scale.PRIVATE), act())
        assert not records.overviews.by_id("o1").holds
