"""A gateway in a thread of its own, shared by a module, and how to ask it."""

import asyncio
import json
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from tornado.netutil import bind_sockets

from gateway.app import make_app, make_server
from gateway.dates import DatedBy, Dates
from gateway.ids import time_ordered_id
from gateway.services import open_services
from gateway.settings import RootSettings
from tests.handlers.conftest import World, act, cog_file, plain_settings
from tests.patience import SECONDS
from tests.postgres import DATABASES

__all__ = ["cog_file"]
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Answer:
    """What came of a request, whatever its status."""

    code: int
    headers: dict
    body: bytes

    @property
    def document(self):
        return json.loads(self.body)


@dataclass
class Served(World):
    """A world whose server is at `base`, the address of its API."""

    base: str = ""

    def ask(self, path, body=None, *, token=None, headers=None, method=None) -> Answer:
        """Return the answer to a GET, or to a POST with a body of JSON."""
        fields = {**(headers or {}), **({"Authorization": f"Bearer {token}"} if token else {})}
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            fields["Content-Type"] = "application/json"
        request = Request(path if path.startswith("http") else self.base + path, data, fields, method=method)
        try:
            with urlopen(request, timeout=SECONDS) as found:
                return Answer(found.status, dict(found.headers), found.read())
        except HTTPError as refused:
            with refused:
                return Answer(refused.code, dict(refused.headers), refused.read())


def dated(days, until=None):
    """Return the dates that begin so many days after START."""
    first = START + timedelta(days=days)
    return Dates(first, first if until is None else START + timedelta(days=until), DatedBy.OPTION)


def pytest_generate_tests(metafunc):
    """Ask what depends on the records of each kind of database, and all else of one."""
    if "served" in metafunc.fixturenames:
        every = metafunc.definition.get_closest_marker("every_database") is not None
        metafunc.parametrize("served", DATABASES if every else DATABASES[:1], indirect=True, scope="module")


@pytest.fixture(scope="module")
def served(request, tmp_path_factory, cog_file):
    """A gateway with one file that datasets can be of, and records of their own for a module."""
    with ExitStack() as stack:
        url = None
        if request.param != "sqlite":
            postgres = request.getfixturevalue("postgres")
            url = postgres.server.url(stack.enter_context(postgres.new()))
        with serving(tmp_path_factory, cog_file, url) as world:
            yield world


@contextmanager
def serving(tmp_path_factory, cog_file, database_url):
    """Yield a gateway in a thread of its own."""
    folder = tmp_path_factory.mktemp("stac")
    (folder / "rasters").mkdir()
    root = RootSettings(uri=f"file:{folder / 'rasters'}")
    values = {"state_dir": folder / "state", "roots": {"data": root}, "database_url": database_url}
    settings = plain_settings().model_copy(update=values)
    with open_services(settings) as services:
        [socket] = bind_sockets(0, "127.0.0.1")
        world = Served(services, folder / "rasters", cog_file, base=f"http://127.0.0.1:{socket.getsockname()[1]}/api")
        ready, ended = threading.Event(), []

        async def serve() -> None:
            stop = asyncio.Event()
            ended.append((asyncio.get_running_loop(), stop))
            server = make_server(make_app(services), services)
            server.add_sockets([socket])
            ready.set()
            await stop.wait()
            server.stop()
            await server.close_all_connections()

        thread = threading.Thread(target=asyncio.run, args=(serve(),))
        thread.start()
        assert ready.wait(SECONDS)
        yield world
        loop, stop = ended[0]
        loop.call_soon_threadsafe(stop.set)
        thread.join(SECONDS)


def several(served, number, *, known, **values):
    """Register many datasets of one file that is on record as `known`."""
    made = []
    for each in range(number):
        own = {name: value(each) if callable(value) else value for name, value in values.items()}
        made.append(replace(known, id=time_ordered_id(), key=f"{len(own)}-{time_ordered_id()}.tif", **own))
    assert len(served.services.records.register_datasets([(each, act()) for each in made])) == number
    return made
