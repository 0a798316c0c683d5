import contextlib

import pytest

from gateway.records import open_records
from tests.postgres import DATABASES

collect_ignore_glob = [] if "postgresql" in DATABASES else ["test_*.py"]


@pytest.fixture
def fresh(postgres):
    """The name of a database that the test may spoil, its tables made."""
    with postgres.new() as name:
        yield name


@pytest.fixture
def records(postgres, fresh):
    opened = open_records(postgres.server.url(fresh))
    yield opened
    opened.close()


@pytest.fixture
def execute(postgres, fresh):
    """Run statements as the owner of everything."""
    return lambda *statements: postgres.server.execute(*statements, name=fresh)


@pytest.fixture
def empty(postgres):
    """The name of a database without any table."""
    with postgres.new("template0") as name:
        yield name


@pytest.fixture
def roles(postgres, empty):
    """A database of two roles: the URLs of the one that serves and of the one that owns."""
    server, names = postgres.server, (f"{empty}_server", f"{empty}_owner")
    server.execute(*(f"CREATE ROLE {name} LOGIN" for name in names))
    server.execute(f"GRANT CREATE ON SCHEMA public TO {names[1]}", name=empty)
    yield tuple(server.url(empty, name) for name in names)
    server.execute(*(f"DROP OWNED BY {name} CASCADE" for name in names), name=empty)
    server.execute(*(f"DROP ROLE {name}" for name in names))


@pytest.fixture
def as_role():
    """Run a statement by a URL, whatever it raises."""
    import psycopg

    def run(url, statement):
        with contextlib.closing(psycopg.connect(url, autocommit=True)) as connection:
            connection.execute(statement)

    return run
