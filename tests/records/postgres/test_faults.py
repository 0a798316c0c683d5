"""Faults between the gateway and its database, under load: nothing that was told is lost, nothing is stored twice."""

import threading
import time
from contextlib import closing, contextmanager

import pytest

from gateway.audit import AuditLog
from gateway.errors import RecordsUnavailable, SettingsError
from gateway.model import AuditRow
from gateway.records import AuditQuery, Change, open_records
from gateway.records.postgres.connection import Slow, connect
from scripts.drilling.postgres import database_of
from tests.patience import until
from tests.proxy import Proxy
from tests.records.conftest import act, dataset, register

CLIENTS = 16
# By so many attempts after the end of a fault a row is stored again; how long that takes is for the drills to tell.
ATTEMPTS = 2


class Load:
    """Clients that have one row each on its way all the time, through an audit log over one connection."""

    def __init__(self, url):
        self._records = open_records(url)
        self._log = AuditLog(self._append, probe_seconds=0.2)
        self._attempts = 0
        self.told, self.failed, self._stored = set(), 0, list[int]()
        self._ending = False
        self._clients = [threading.Thread(target=self._ask, args=(number,)) for number in range(CLIENTS)]

    def _append(self, rows):
        self._attempts += 1
        attempt = self._attempts
        self._records.append_audit(rows)
        # Without rows it is found out whether one could be stored.
        if rows:
            self._stored.append(attempt)

    def _ask(self, client):
        number = 0
        while not self._ending:
            number += 1
            name = f"{client}-{number}"
            try:
                self._log.record(AuditRow("a", request_id=name)).result(30)
            except RecordsUnavailable:
                self.failed += 1
                time.sleep(0.01)
                continue
            self.told.add(name)

    def __enter__(self):
        for client in self._clients:
            client.start()
        until(lambda: len(self.told) > CLIENTS)
        return self

    def __exit__(self, *_):
        self._ending = True
        for client in self._clients:
            client.join()
        self._log.close()
        self._records.close()

    def attempts_until_back(self):
        """Return how many attempts it takes from now until a row is stored; one that is under way does not count."""
        before = self._attempts
        until(lambda: self._stored[-1] > before)
        return next(attempt for attempt in self._stored if attempt > before) - before


@pytest.fixture
def proxy(postgres):
    with Proxy(postgres.server.port) as opened:
        yield opened


@pytest.fixture
def url(postgres, fresh, proxy):
    return postgres.server.tcp_url(fresh, proxy.port)


def stored(postgres, fresh):
    with closing(open_records(postgres.server.url(fresh))) as records:
        return [each.row.request_id for each in records.audit_rows(AuditQuery(action="a"))]


@contextmanager
def kept(postgres, fresh, load):
    """Check afterwards that all that was told is stored, and once."""
    with load:
        yield load
    names = stored(postgres, fresh)
    assert load.told - set(names) == set()
    assert len(names) == len(set(names))


def test_connections_that_are_cut_again_and_again_fail_nobody(postgres, fresh, url, proxy):
    with kept(postgres, fresh, Load(url)) as load:
        for _ in range(15):
            time.sleep(0.05)
            proxy.drop()
        assert load.attempts_until_back() <= ATTEMPTS
        assert load.failed == 0


def test_answers_to_commits_that_are_lost_lose_and_double_nothing(postgres, fresh, url, proxy):
    with kept(postgres, fresh, Load(url)) as load:
        for _ in range(15):
            time.sleep(0.05)
            proxy.lose()
        until(lambda: proxy.lost == 15)
        assert load.attempts_until_back() <= ATTEMPTS
        assert load.failed == 0


@pytest.mark.parametrize("silent", [False, True])
def test_a_database_that_is_away_or_silent_is_told_in_time_and_found_again(postgres, fresh, url, proxy, silent):
    with kept(postgres, fresh, Load(url)) as load:
        proxy.mute = silent
        if not silent:
            proxy.down()
        until(lambda: load.failed >= CLIENTS)
        proxy.mute = False
        if not silent:
            proxy.up()
        assert load.attempts_until_back() <= ATTEMPTS


@pytest.fixture
def own_server():
    """A server of the test's own, to be stopped."""
    with database_of(with_standby=False) as database:
        yield database.primary


def test_a_server_that_restarts_or_crashes_loses_nothing_and_an_unsafe_one_is_refused(own_server):
    server = own_server
    url = server.tcp_url("gateway")
    load = Load(url)
    with load:
        for mode in ("fast", "immediate"):
            server.stop(mode)
            server.start()
            assert load.attempts_until_back() <= ATTEMPTS
    with closing(open_records(url)) as records:
        names = [each.row.request_id for each in records.audit_rows(AuditQuery(action="a"))]
    assert load.told - set(names) == set()
    assert len(names) == len(set(names))
    server.stop("fast")
    server.start("fsync=off")
    with pytest.raises(SettingsError, match="fsync"):
        open_records(url)
    # A standby in the eyes of whoever connects.
    server.stop("fast")
    (server.data / "standby.signal").touch()
    server.start()
    with pytest.raises(RecordsUnavailable) as refused:
        open_records(url)
    assert "name the primary" in refused.value.reason
    with pytest.raises(SettingsError, match="name the primary"):
        open_records(f"{url}?target_session_attrs=any")


def test_a_silent_server_ends_a_connection_and_not_a_thread(postgres, fresh, url, proxy):
    connection = connect(url)
    proxy.mute = True
    with pytest.raises(Slow):
        connection.execute("SELECT 1")
    assert connection.closed


def test_a_long_statement_is_cancelled_and_the_connection_stays_good(postgres, fresh, monkeypatch):
    import psycopg

    monkeypatch.setattr("gateway.records.postgres.connection.STATEMENT_SECONDS", 0.2)
    with closing(connect(postgres.server.url(fresh))) as connection:
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(5)")
        assert not connection.closed
        connection.execute("SELECT 1")


def test_what_the_server_refuses_is_told_at_once_and_works_again_when_it_can(records, execute):
    records.append_audit([act()])
    # As a table's disk that is full.
    execute("""CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no room' USING ERRCODE = '53100'; END $$""")
    execute("CREATE TRIGGER full_disk BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION full_disk()")
    for rows in ([act()], []):
        with pytest.raises(RecordsUnavailable) as caught:
            records.append_audit(rows)
        assert "disk of the server is full" in caught.value.reason
    execute("DROP TRIGGER full_disk ON audit")
    records.append_audit([])
    records.append_audit([act()])
    assert len(list(records.audit_rows(AuditQuery()))) == 2


ACTS = {
    "registered": lambda records, row: records.register_dataset(dataset(2), row),
    "changed": lambda records, row: records.change_dataset(dataset(1).id, Change(title="New"), row).title == "New",
    "removed": lambda records, row: records.remove_dataset(dataset(1).id, row),
}


@pytest.mark.parametrize("action", ACTS)
def test_an_act_whose_answer_is_lost_is_done_once_and_says_so(postgres, fresh, url, proxy, action, monkeypatch):
    with closing(open_records(url)) as records:
        register(records, dataset(1))
        commit, lost = records._pool._patiently, []

        def losing(attempt):
            def cut_in_the_commit(connection, again):
                if not lost:
                    # Whatever the server answers from here on never comes.
                    plain = connection.wait

                    def wait(gen, *args, **options):
                        result = plain(gen, *args, **options)
                        if connection.pgconn.transaction_status == 0 and connection.info.dbname and wait.armed:
                            lost.append(1)
                            connection.pgconn.finish()
                            import psycopg

                            raise psycopg.OperationalError("the connection is lost")
                        wait.armed = True
                        return result

                    wait.armed = False
                    connection.wait = wait
                return attempt(connection, again)

            return commit(cut_in_the_commit)

        monkeypatch.setattr(records._pool, "_patiently", losing)
        row = act()
        assert ACTS[action](records, row)
        assert lost
        rows = [each.row.row_id for each in records.audit_rows(AuditQuery())]
        assert rows.count(row.row_id) == 1
