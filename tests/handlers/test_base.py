import asyncio
import itertools
import json
import logging
import re
import threading
from urllib.parse import urlsplit

import pytest

from gateway.handlers.access import access_missing, implemented
from gateway.handlers.base import BaseHandler
from gateway.logs import RedactingFilter
from gateway.records.sqlite.connection import connect
from gateway.routes import API_ROUTES, ROOT_ROUTES
from tests.handlers.conftest import UNKNOWN_ID, problem

pytestmark = pytest.mark.gen_test
# What the balancer of the guide keeps for those who watch the nodes.
INSIDE = {"/metrics", "/readyz"}


async def test_unknown_routes_are_problems_for_every_method(fetch):
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "FROB"):
        response = await fetch("/api/nowhere", method)
        assert response.code == 404, method
        if method != "HEAD":
            assert problem(response)["type"] == "about:blank"


async def test_every_route_refuses_foreign_methods_with_allow(world, fetch):
    outside = [(path, handler) for path, handler in ROOT_ROUTES if path not in INSIDE]
    values = {"{id}": UNKNOWN_ID, "{name}": "x", "{tms?}": "", "{@scale}": "", "{.format}": ".png", "{/size}": "",
              "{example}": "leaflet", "{listformat}": "urls"}  # fmt: skip
    for template, handler in [(f"/api{template}", handler) for template, handler in API_ROUTES] + outside:
        path = re.sub(r"\{[^}]+\}", lambda part: values.get(part[0], "1"), template)
        for method in {"DELETE", "FROB"} - {verb.upper() for verb in implemented(handler)}:
            await refused(fetch, path, method, handler)


async def refused(fetch, path, method, handler):
    response = await fetch(path, method)
    assert problem(response)["status"] == 405, (path, method)
    allowed = response.headers["Allow"].split(", ")
    assert "OPTIONS" in allowed
    assert ("POST" in allowed) == hasattr(handler.post, "access_rule")


@pytest.mark.one_node("nginx answers TRACE itself, and keeps these paths for those inside")
async def test_trace_is_a_foreign_method_and_the_paths_of_those_inside_refuse_all(fetch):
    handlers = dict(ROOT_ROUTES)
    for path in (*INSIDE, "/livez"):
        for method in ("DELETE", "FROB", "TRACE"):
            await refused(fetch, path, method, handlers[path])
    assert (await fetch("/api/nowhere", "TRACE")).code == 404


async def test_preflight_needs_no_credential_and_tells_what_is_allowed(world, fetch):
    dataset = world.add()
    headers = {"Origin": "https://map.example", "Access-Control-Request-Method": "GET"}
    for known in (dataset.id, UNKNOWN_ID):
        response = await fetch(f"/api/datasets/{known}/download/cog", "OPTIONS", headers=headers)
        assert response.code == 204
        assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert "If-Range" in response.headers["Access-Control-Allow-Headers"]
        assert "Authorization" in response.headers["Access-Control-Allow-Headers"]
    assert world.audit() == []


async def test_a_page_may_send_and_read_every_header_that_range_readers_need(fetch):
    preflight = await fetch(
        f"/api/datasets/{UNKNOWN_ID}/download/cog", "OPTIONS", headers={"Origin": "https://a.example"}
    )
    allowed = preflight.headers["Access-Control-Allow-Headers"].split(", ")
    assert {"Authorization", "Range", "If-Range", "If-Match", "If-None-Match"} <= set(allowed)
    exposed = preflight.headers["Access-Control-Expose-Headers"].split(", ")
    assert {"Accept-Ranges", "Content-Length", "Content-Range", "ETag", "Retry-After"} <= set(exposed)


ANSWERS = (
    ("GET", "{file}", {}, 200), ("GET", "{file}", {"Range": "bytes=0-9"}, 206), ("GET", "{file}", {"Range": "bytes=0-9"}, 206),
    ("HEAD", "{file}", {}, 200), ("GET", "{file}", {"If-None-Match": "*"}, 304), ("GET", "{file}", {"If-Match": '"x"'}, 412),
    ("GET", "{file}", {"Range": "bytes=99999999-"}, 416), ("OPTIONS", "{file}", {}, 204), ("DELETE", "{file}", {}, 405),
    ("GET", "/api/datasets", {}, 200), ("GET", "/api/datasets?limit=x", {}, 400), ("GET", "/api/datasets/x", {}, 422),
    ("GET", "/api/nowhere", {}, 404), ("GET", "/livez", {}, 200),
)  # fmt: skip


@pytest.mark.parametrize("settings", [{"cors_origins": ("https://map.example",)}], indirect=True)
async def test_every_answer_forbids_sniffing_varies_by_origin(world, fetch):
    file = f"/api/datasets/{world.add().id}/download/cog"
    token = world.bearer()
    for method, path, headers, code in ANSWERS:
        response = await fetch(path.replace("{file}", file), method, token=token, headers=headers)
        assert response.code == code, (method, path, headers)
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "Origin" in response.headers["Vary"]


@pytest.mark.one_node("nginx names itself in Server")
async def test_no_answer_names_the_software(world, fetch):
    file = f"/api/datasets/{world.add().id}/download/cog"
    for method, path, headers, _ in ANSWERS:
        response = await fetch(path.replace("{file}", file), method, token=world.bearer(), headers=headers)
        assert "Server" not in response.headers, (method, path)


async def test_nothing_is_ever_compressed(world, fetch):
    # So many that the list is long enough to be worth it.
    datasets = [world.add(f"{number}.tif") for number in range(5)]
    for path in ("/api/datasets", f"/api/datasets/{datasets[0].id}/download/cog"):
        response = await fetch(path, token=world.bearer(), headers={"Accept-Encoding": "gzip"})
        assert response.code == 200
        assert len(response.body) > 1500
        assert "Content-Encoding" not in response.headers
        assert not response.headers.get("ETag", "").startswith("W/")


async def test_no_header_changes_the_method(world, fetch):
    dataset = world.add()
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        assert (await fetch(f"/api/datasets/{dataset.id}", "POST", headers={name: "GET"})).code == 405
        assert (await fetch(f"/api/auth/download-token/{dataset.id}", headers={name: "POST"})).code == 405
    assert world.audit() == []


@pytest.mark.parametrize(
    "path", ["//evil.example/", "///evil.example", "/%5Cevil.example/..", "//evil.example/api/datasets/"]
)
async def test_no_path_is_redirected(http_server, fetch, base_url, path):
    response = await fetch(f"{base_url}{path}")
    assert response.code == 404
    assert "Location" not in response.headers


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr("gateway.app.BODY_SECONDS", 0.1)


async def test_a_body_that_does_not_come_is_not_waited_for(hasty, http_server, world, base_url):
    reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(base_url).port)
    path = f"/api/auth/download-token/{world.add().id}"
    writer.write(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345".encode())
    assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()
    assert world.audit() == []


async def test_cors_headers_are_on_errors_too_and_never_with_credentials(fetch):
    for path in ("/api/datasets", "/api/nowhere", "/api/datasets/x"):
        response = await fetch(path, headers={"Origin": "https://map.example"})
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Content-Range" in response.headers["Access-Control-Expose-Headers"]
        assert "Origin" in response.headers["Vary"]
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize("settings", [{"cors_origins": ("https://map.example",)}], indirect=True)
async def test_listed_origins_are_compared_exactly_and_may_mint(world, fetch):
    dataset = world.add()
    path = f"/api/auth/download-token/{dataset.id}"
    for origin, allowed in (
        ("https://map.example", True), ("https://map.example.evil", False), ("null", False), ("HTTPS://map.example", False),
    ):  # fmt: skip
        headers = {"Origin": origin, "Sec-Fetch-Site": "cross-site"}
        response = await fetch(path, "POST", headers=headers)
        assert response.code == (200 if allowed else 403)
        assert response.headers.get("Access-Control-Allow-Origin") == (origin if allowed else None)


async def test_a_request_id_is_always_our_own_and_tells_nothing_of_other_requests(fetch):
    ids = [(await fetch("/livez", headers={"X-Request-ID": "given-1"})).headers["X-Request-ID"] for _ in range(3)]
    assert len(set(ids)) == 3
    assert not any(one[:8] == other[:8] for one, other in itertools.combinations(ids, 2))
    assert "given-1" not in ids


@pytest.mark.parametrize("length", [512, 30_000])
async def test_texts_of_a_client_are_cut_before_they_are_put_on_record_or_logged(world, fetch, caplog, length):
    caplog.set_level("INFO", "gateway")
    dataset, token = world.add(), world.bearer()
    path = f"/api/datasets/{dataset.id}/download/{'n' * length}.tif"
    texts = {"User-Agent": "u" * length, "Range": "r" * length, "X-Request-ID": "x" * length}
    for text in texts.items():
        assert (await fetch(path if length == 512 else path[:300], token=token, headers=dict([text]))).code in (
            200,
            404,
        )
    assert (await fetch(f"/{'p' * length}")).code == 404
    row = world.audit("download.cog") or world.audit("download.refused")
    assert all(len(str(value)) <= 600 for one in row for value in (one.user_agent, one.range_header, one.detail))
    assert max(len(record.path) for record in caplog.records if hasattr(record, "path")) == 512


async def test_a_clients_own_request_id_is_logged_and_kept_without_its_tokens(world, fetch, caplog):
    caplog.set_level("INFO", "gateway")
    dataset, token = world.add(), world.bearer()
    for name in ("trace-7", f"x {token}"):
        await fetch(f"/api/datasets/{dataset.id}/download/cog", token=token, headers={"X-Request-ID": name})
    kept = [row.detail["client_request_id"] for row in world.audit()]
    assert kept == ["trace-7"] * 2 + ["x [redacted]"] * 2
    logged = [record.client_request_id for record in caplog.records if record.message == "request"]
    assert logged == ["trace-7", "x [redacted]"]


async def test_an_unforeseen_error_is_a_bare_500_with_its_text_in_the_log_alone(world, fetch, monkeypatch, caplog):
    def broken(*_args, **_kwargs):
        raise RuntimeError("inner /secret/path")

    monkeypatch.setattr(type(world.services.records), "find_datasets", broken)
    response = await fetch("/api/datasets")
    assert problem(response) == {
        "type": "about:blank", "title": "Internal Server Error", "status": 500,
        "instance": response.headers["X-Request-ID"],
    }  # fmt: skip
    assert "inner /secret/path" in caplog.text


async def test_no_token_reaches_a_log_whatever_happens(world, fetch, monkeypatch, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.handler.addFilter(RedactingFilter())
    dataset = world.add()
    bearer = world.bearer()
    minted = json.loads((await fetch(f"/api/auth/download-token/{dataset.id}", "POST", token=bearer)).body)["token"]
    path = f"/api/datasets/{dataset.id}/download/cog"
    await fetch(f"{path}?token={minted}")
    await fetch(f"{path}?token={minted}", "FROB")
    await fetch(f"{path}?token={minted}&token={minted}")
    await fetch(f"/api/nowhere?token={minted}")
    await fetch(f"{path}?access_token={minted}", token=bearer)

    def broken(*_args, **_kwargs):
        raise RuntimeError(f"with {minted}")

    monkeypatch.setattr(type(world.services.records), "standing", broken)
    await fetch(f"{path}?token={minted}", token=bearer)
    assert "uncaught exception" in caplog.text
    for part in (*minted.split(".")[1:], *bearer.split(".")[1:]):
        assert part not in caplog.text
        assert part not in str([(r.msg, r.args, r.exc_text, getattr(r, "path", None)) for r in caplog.records])


async def test_the_token_is_gone_from_the_request_itself(world, fetch, monkeypatch):
    seen = []
    monkeypatch.setattr(BaseHandler, "refused", lambda self, _: seen.append((self.request.uri, repr(self.request))))
    await fetch("/api/datasets?token=abc123")
    assert seen
    assert "abc123" not in str(seen)


def test_a_verb_without_access_rule_is_found():
    class Careless(BaseHandler):
        def get(self):
            pass

    assert access_missing(Careless) == ["get"]


@pytest.mark.one_node("the balancer keeps /readyz for those inside, who ask each node")
async def test_liveness_and_readiness(world, fetch):
    assert json.loads((await fetch("/livez")).body) == {"status": "ok"}
    ready = await fetch("/readyz")
    assert ready.code == 200
    assert json.loads(ready.body)["parts"] == {"database": "ok", "audit": "ok", "root data": "ok"}
    world.folder.rename(world.folder.with_name("away"))
    failing = await fetch("/readyz")
    assert failing.code == 503
    assert problem(failing)["parts"] == {"database": "ok", "audit": "ok", "root data": "failing"}
    assert failing.headers["Retry-After"]


async def test_many_who_ask_whether_a_hanging_store_is_ready_hold_one_thread_of_the_stores(world, fetch, monkeypatch):
    monkeypatch.setattr("gateway.handlers.health.PART_SECONDS", 0.2)
    dataset, hanging, asked = world.add(), threading.Event(), []

    class Hanging:
        remote = True
        request_ids = None

        def ping(self):
            asked.append(threading.current_thread().name)
            hanging.wait(120)

    monkeypatch.setitem(world.services.storages, "far", Hanging())
    answers = asyncio.gather(*(fetch("/readyz") for _ in range(12)))
    assert (await fetch(f"/api/datasets/{dataset.id}")).code == 200
    assert {json.loads(answer.body)["parts"]["root far"] for answer in await answers} == {"failing"}
    assert len(asked) == 1
    assert asked[0].startswith("store")
    hanging.set()
    while (await fetch("/readyz")).code != 200:
        await asyncio.sleep(0.05)
    before = len(asked)
    for _ in range(5):
        assert (await fetch("/readyz")).code == 200
    assert len(asked) == before


async def test_readiness_follows_an_audit_that_cannot_be_written_without_any_other_request(world, fetch, caplog):
    database = connect(world.services.settings.state_dir / "gateway.db", "rw")
    database.execute("ALTER TABLE audit RENAME TO away")
    response = await fetch("/readyz")
    assert response.code == 503
    assert json.loads(response.body)["parts"]["audit"] == "failing"
    database.execute("ALTER TABLE away RENAME TO audit")
    database.close()
    assert (await fetch("/readyz")).code == 200


async def test_readiness_does_not_wait_for_a_lock_for_long(world, fetch, caplog, monkeypatch):
    monkeypatch.setattr("gateway.handlers.health.AUDIT_SECONDS", 0.05)
    database = connect(world.services.settings.state_dir / "gateway.db", "rw")
    database.execute("begin immediate")
    assert json.loads((await fetch("/readyz")).body)["parts"] == {
        "audit": "failing", "database": "ok", "root data": "ok",
    }  # fmt: skip
    database.execute("rollback")
    database.close()
    monkeypatch.undo()
    async with asyncio.timeout(120):
        # The writer has yet to find out.
        while (await fetch("/readyz")).code != 200:
            await asyncio.sleep(0.1)


async def test_a_draining_server_is_not_ready_and_closes_connections(http_server, fetch):
    http_server.begin_drain()
    response = await fetch("/readyz")
    assert response.code == 503
    assert response.headers["Connection"] == "close"


@pytest.mark.parametrize(
    "settings",
    [
        {"cors_origins": ("https://other.example",), "public_url": url, "prefix": prefix}
        for url in ("https://maps.example.org", "https://Maps.example.org:443/gw/")
        for prefix in ("/api", "/")
    ],
    indirect=True,
)
async def test_pages_of_the_gateways_own_origin_may_mint(world, fetch):
    path = f"{world.services.settings.prefix}/auth/download-token/{world.add().id}"
    for origin, code in (
        ("https://maps.example.org", 200), ("https://maps.example", 403), ("https://maps.example.org:8443", 403),
        ("null", 403), ("http://maps.example.org", 403),
    ):  # fmt: skip
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-site"}
        assert (await fetch(path, "POST", headers=headers)).code == code, origin


async def test_a_preflight_allows_every_precondition_of_a_download(fetch):
    response = await fetch(
        f"/api/datasets/{UNKNOWN_ID}/download/cog", "OPTIONS", headers={"Origin": "https://a.example"}
    )
    allowed = {name.strip() for name in response.headers["Access-Control-Allow-Headers"].split(",")}
    assert allowed >= {"Range", "If-Range", "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}
