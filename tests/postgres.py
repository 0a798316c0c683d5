"""A PostgreSQL server for the tests of one run, and empty databases in it; on loopback and in a folder of its own."""

import contextlib
import fcntl
import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from scripts.clustering.postgres import Postgres, programs

# Where the processes of one run find the server.
FOLDER = "COG_GATEWAY_TESTS_POSTGRES"
# Rows of tests are of this year's first month and later, or of now.
FIRST_MONTH = datetime(2026, 1, 1, tzinfo=UTC)
KEPT = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename NOT IN ('steps', 'revision')"


def available() -> bool:
    """Return whether records can be kept in PostgreSQL here; where changes are judged they must be."""
    if os.environ.get("CI") == "true":
        return True
    return importlib.util.find_spec("psycopg") is not None and programs() is not None


DATABASES = ("sqlite", "postgresql") if available() else ("sqlite",)


def ready_template(server: Postgres) -> None:
    """Make the database that all others are copies of, its tables and the months of the tests' rows included."""
    from gateway.records.postgres.connection import connect
    from gateway.records.postgres.migrations import prepare
    from gateway.records.postgres.partitions import make

    server.execute("CREATE DATABASE template_gateway")
    prepare(server.url("template_gateway"))
    with contextlib.closing(connect(server.url("template_gateway"), long=True)) as connection:
        make(connection, FIRST_MONTH, max(FIRST_MONTH.replace(month=4), datetime.now(UTC)))


def pytest_configure(config: pytest.Config) -> None:
    """Give all processes of a run one folder, and so one server, which ends with the first of them."""
    config.addinivalue_line(
        "markers", "every_database: asked over each kind of database, where the fixture has one kind"
    )
    if FOLDER in os.environ:
        return
    folder = tempfile.mkdtemp(prefix="cgpg-", dir="/tmp")
    os.environ[FOLDER] = folder

    def end() -> None:
        server = Path(folder)
        if (server / "ready").exists():
            Postgres(server).stop()
        del os.environ[FOLDER]
        shutil.rmtree(folder)

    config.add_cleanup(end)


class Databases:
    """The databases of one process of the tests."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self._count = 0
        self._own: str | None = None
        self._droppers = ThreadPoolExecutor(1)
        self._dropping: list[Future[None]] = []

    @contextlib.contextmanager
    def new(self, template: str = "template_gateway") -> Iterator[str]:
        """Yield the name of a database that nobody else uses, gone afterwards; for tests that change its tables."""
        self._count += 1
        name = f"t{os.getpid()}_{self._count}"
        self.server.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield name
        finally:
            # Nobody waits for the checkpoint that this takes.
            self._dropping.append(self._droppers.submit(self.server.execute, f"DROP DATABASE {name} WITH (FORCE)"))

    def close(self) -> None:
        """Return when all databases are gone that were dropped."""
        self._droppers.shutdown()
        for dropped in self._dropping:
            dropped.result()

    def emptied(self) -> str:
        """Return the name of this process's database, without a row and a connection; quicker than a new one."""
        import psycopg

        if self._own is None:
            self._own = f"w{os.getpid()}"
            self.server.execute(f"CREATE DATABASE {self._own} TEMPLATE template_gateway")
            return self._own
        with psycopg.connect(self.server.url(self._own), autocommit=True) as connection:
            ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
            connection.execute(ended, [self._own])
            tables = [row[0] for row in connection.execute(KEPT)]
            # Past the triggers that keep the audit as it is.
            connection.execute("SET session_replication_role = replica")
            connection.execute("; ".join(f"DELETE FROM {table}" for table in tables))
            connection.execute("ALTER SEQUENCE audit_numbers RESTART")
        return self._own


@pytest.fixture(scope="session")
def postgres() -> Iterator[Databases]:
    """The databases of a server that the first process that wants one starts."""
    folder = Path(os.environ[FOLDER])
    server = Postgres(folder)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            server.make()
            server.start()
            (folder / "ready").touch()
            ready_template(server)
    databases = Databases(server)
    yield databases
    databases.close()


@pytest.fixture(params=DATABASES)
def database(request, tmp_path) -> str:
    """The URL of an empty database, of each kind in turn."""
    if request.param == "sqlite":
        from gateway.records import sqlite_url

        return sqlite_url(tmp_path / "gateway.db")
    postgres = request.getfixturevalue("postgres")
    return postgres.server.url(postgres.emptied())
