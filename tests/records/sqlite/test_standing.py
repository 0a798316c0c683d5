"""What is remembered of one file, and of another one in its place."""

import pytest

from gateway.model import Grant, Level, Scale
from gateway.records import NOBODY, Change, open_records, open_sqlite
from gateway.records.sqlite.connection import connect
from tests.records.conftest import act, dataset, register


@pytest.fixture
def records(path):
    opened = open_sqlite(path)
    yield opened
    opened.close()


def test_a_removed_dataset_takes_its_grants_and_its_revision_along(records, path):
    register(records, dataset(1))
    records.add_grant(Grant(dataset(1).id, Level.VIEW, user="ben"), act())
    records.remove_dataset(dataset(1).id, act())
    database = connect(path, "ro")
    assert database.execute("SELECT count(*) FROM dataset_revisions").fetchone() == (0,)
    database.close()


def test_a_database_that_was_put_in_the_place_of_the_one_before_is_believed(records, path, tmp_path):
    register(records, dataset(1))
    public = tmp_path / "public.db"
    public.touch()
    records.copy_to(public)
    records.change_dataset(dataset(1).id, Change(visibility=Scale.PRIVATE), act())
    private = tmp_path / "private.db"
    private.touch()
    records.copy_to(private)
    live = open_records(public)
    live.change_dataset(dataset(1).id, Change(title="as many changes as in the other"), act())
    live.close()
    asked = []
    for step in (public, private, public):
        # The copies have been changed equally often: their numbers are the same.
        for name in ("-wal", "-shm"):
            path.with_name(path.name + name).unlink(missing_ok=True)
        kept = tmp_path / "kept.db"
        kept.write_bytes(step.read_bytes())
        kept.replace(path)
        asked.append(records.standing(dataset(1).id, NOBODY).dataset.visibility)
    assert asked == [Scale.PUBLIC, Scale.PRIVATE, Scale.PUBLIC]
