"""A whole gateway over a temporary folder, and `fetch`: one way to ask it."""

import json
import time
import uuid
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest
from tornado.testing import bind_unused_port

from gateway.app import make_app, make_server
from gateway.cog import inspect
from gateway.cog.summary import with_summary
from gateway.dates import DatedBy, Dates
from gateway.model import AuditRow, Dataset, Inspection, Level, Scale
from gateway.records import AuditQuery
from gateway.services import Services, open_services
from gateway.settings import RootSettings, Settings
from gateway.tokens import mint_bearer
from tests.patience import SECONDS
from tests.rasters import write_cog

SECRET_KEYS = ("k" * 31 + "ey-of-the-tests",)
# Of a file's bytes what the check finds in it.
INSPECTED: dict[bytes, Inspection] = {}
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def act() -> AuditRow:
    """Return the audit row of an act of a test, which `World.audit` leaves out."""
    return AuditRow("test.act")


@pytest.fixture(scope="session")
def cog_file(tmp_path_factory) -> Path:
    return write_cog(tmp_path_factory.mktemp("cog") / "elevation.tif")


def inspected(opened) -> Inspection:
    """Return what the check finds in a file; most tests register the same one."""
    if opened.remote:
        return inspect(opened)
    content = sha256(opened.read_at(0, opened.size_bytes)).digest()
    if content not in INSPECTED:
        found = with_summary(opened, inspect(opened))
        # Tests that are about small pictures give them.
        INSPECTED[content] = replace(found, raster=found.raster and replace(found.raster, small=None))
    return INSPECTED[content]


@dataclass
class World:
    """The gateway under test, its root folder, and what tests do to it."""

    services: Services
    folder: Path
    cog: Path
    datasets: list[Dataset] = field(default_factory=list)
    # Those of further nodes.
    others: list[Services] = field(default_factory=list)

    def add(self, name: str = "elevation.tif", **values: Any) -> Dataset:
        """Copy the COG into the root and register it; `values` go into the dataset."""
        path = self.folder / name
        path.write_bytes(self.cog.read_bytes())
        return self.register(name, **values)

    def register(self, name: str, **values: Any) -> Dataset:
        storage = self.services.storages[values.get("root", "data")]
        with storage.open(name) as opened:
            stat, found = opened.stat, inspected(opened)
        now = datetime.now(UTC)
        facts = {
            "id": str(uuid.uuid4()), "root": "data", "key": name, "title": "Elevation", "owner": None,
            "visibility": Scale.PUBLIC, "download": values.get("visibility", Scale.PUBLIC), "version": stat.version,
            "size_bytes": stat.size_bytes, "report": found.report, "raster": found.raster, "created_at": now,
            "updated_at": now, "collection": "data", "dates": Dates(now, now, DatedBy.MODIFIED),
        }  # fmt: skip
        dataset = Dataset(**{**facts, **values})
        self.services.records.register_dataset(dataset, act())
        return dataset

    def bearer(self, sub: str = "ana", roles: tuple[str, ...] = (), seconds: int = 600) -> str:
        return mint_bearer(self.services.keys, sub, roles, seconds, time.time())

    def audit(self, action: str | None = None) -> list[AuditRow]:
        """Return the rows on record, after everything noted so far."""
        for services in (self.services, *self.others):
            services.refusals.settle()
            services.audit.record(AuditRow("test.mark")).result(SECONDS)
        rows = [stored.row for stored in self.services.records.audit_rows(AuditQuery(action=action))]
        return [row for row in rows if not row.action.startswith("test.")]


@pytest.fixture
def shared(database_url, nodes, request) -> dict[str, str | None]:
    """The settings that nodes have in common besides their roots: where records and counts are."""
    if nodes == 1:
        return {"database_url": database_url}
    balanced = request.getfixturevalue("balanced")
    balanced.forget()
    return {"database_url": database_url, "valkey_url": balanced.valkey.url}


@pytest.fixture
def settings(tmp_path, request, shared) -> Settings:
    """Settings of a fresh state; `@pytest.mark.parametrize("settings", [{...}], indirect=True)` changes them."""
    (tmp_path / "rasters").mkdir()
    root = RootSettings(uri=f"file:{tmp_path / 'rasters'}")
    values = {"state_dir": tmp_path / "state", "roots": {"data": root}, **shared}
    if changes := getattr(request, "param", {}):
        return Settings(**{**values, "secret_keys": SECRET_KEYS, **changes}, _env_file=None)
    return plain_settings().model_copy(update=values)


@cache
def plain_settings() -> Settings:
    """Return settings that are checked once for all tests that change none of them."""
    return Settings(secret_keys=SECRET_KEYS, _env_file=None)


@pytest.fixture
def world(settings, tmp_path, cog_file):
    with open_services(settings) as services:
        yield World(services, tmp_path / "rasters", cog_file)


@pytest.fixture
def second(world, nodes, settings, io_loop, request):
    """The other node, where there are two: all of its own, but for the database, Valkey and the roots."""
    if nodes == 1:
        yield
        return
    with open_services(settings.model_copy(update={"state_dir": settings.state_dir.with_name("second")})) as services:
        server = make_server(make_app(services), services)
        server.add_socket(request.getfixturevalue("balanced").socket(1))
        world.others.append(services)
        yield
        server.stop()
        io_loop.run_sync(server.close_all_connections)


@pytest.fixture
def _unused_port(nodes, request):
    """The first node's socket and port: any, or the one that the balancer knows."""
    if nodes == 1:
        return bind_unused_port()
    balanced = request.getfixturevalue("balanced")
    return balanced.socket(0), balanced.nodes[0]


@pytest.fixture
def base_url(nodes, http_port, request):
    """The server's URL, or the balancer's."""
    return f"http://localhost:{http_port if nodes == 1 else request.getfixturevalue('balanced').port}"


@pytest.fixture
def app(world):
    """The application that pytest-tornado serves."""
    return make_app(world.services)


@pytest.fixture
def http_server(world, app, io_loop, _unused_port, second):
    """The gateway's own server, in place of the plugin's plain one."""
    server = make_server(app, world.services)
    server.add_socket(_unused_port[0])
    yield server
    server.stop()
    io_loop.run_sync(server.close_all_connections)


@pytest.fixture
def fetch(http_client, http_server, base_url):
    """Return an async function: fetch(path, method, token, headers) -> the response, whatever its status."""

    async def ask(path, method="GET", *, token=None, headers=None, **options):
        fields = dict(headers or {})
        if token is not None:
            fields["Authorization"] = f"Bearer {token}"
        body = b"" if method in ("POST", "PUT", "PATCH") else None
        request = HTTPRequest(
            path if path.startswith("http") else base_url + path, method, fields, body=options.pop("body", body),
            follow_redirects=False, allow_nonstandard_methods=True, decompress_response=False, **options,
        )  # fmt: skip
        return await http_client.fetch(request, raise_error=False)

    return ask


def problem(response) -> dict[str, Any]:
    """Return the problem document of an error, after checking that it is one (RFC 9457)."""
    assert response.headers["Content-Type"] == "application/problem+json"
    assert "no-store" in response.headers["Cache-Control"]
    document = json.loads(response.body)
    assert document["status"] == response.code
    assert document["instance"] == response.headers["X-Request-ID"]
    assert document["title"]
    return document


def comparable(response) -> tuple[int, bytes, dict[str, str]]:
    """Return status, body and headers without what differs from one request to the next."""
    own = response.headers["X-Request-ID"]
    headers = {k: v for k, v in response.headers.items() if k not in ("Date", "X-Request-Id")}
    return response.code, (response.body or b"").replace(own.encode(), b"id"), headers


def grant(world: World, dataset: Dataset, level: Level, **who: str) -> None:
    from gateway.model import Grant

    world.services.records.add_grant(Grant(dataset.id, level, **who), act())
