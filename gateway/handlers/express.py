"""The short way for readers of many small ranges, who ask for one file with one token again and again.

A download that went the whole way leaves a pass behind, good for a second. While it is good, the next small range
is read, put on record and answered without routing, handler or thread. Whatever is unusual, and every error, goes
the whole way: this way gives no answer but 206.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)
from tornado.web import Application

from gateway.download import SmallBody, read_small
from gateway.errors import GatewayError
from gateway.handlers.load import Load
from gateway.handlers.mailbox import Mailbox
from gateway.handlers.proxies import HOST
from gateway.handlers.targets import origin_form
from gateway.handlers.trace import Trace
from gateway.model import AuditRow, Principal
from gateway.services import Services

PASS_SECONDS = 1.0
OVERTIME_SECONDS = 0.25
PASSES = 1024
# The template of the route that this is the short way of.
ROUTE = "/datasets/{id}/download/cog"
PARTIAL = ResponseStartLine("HTTP/1.1", 206, "Partial Content")
# A request with one of these wants more than a range.
UNUSUAL = (
    "If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range", "Content-Length",
    "Transfer-Encoding", "Expect", "X-Forwarded-For", "Origin",
)  # fmt: skip


@dataclass(slots=True)
class Pass:
    """What a request that went the whole way has shown: who asks, for what, and how its answer looks.

    `headers` are those of the answer; the few that differ by request are set anew each time. `until` is
    monotonic. When it comes, one request goes the whole way and leaves a new pass; `overtime` lets the others
    go on meanwhile, once and not for long.
    """

    principal: Principal
    download: SmallBody
    headers: HTTPHeaders
    until: float = field(default_factory=lambda: time.monotonic() + PASS_SECONDS)
    overtime: bool = False


class Express(HTTPServerConnectionDelegate):
    """Stands before the application and answers what it has a pass for."""

    def __init__(self, app: Application, services: Services) -> None:
        self.app = app
        self.services = services
        self.load: Load = app.settings["load"]
        self.mailbox: Mailbox = app.settings["mailbox"]
        self._passes: dict[tuple[str, str], Pass] = app.settings["passes"]
        self._date = (0, "")

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate of one request."""
        return Ride(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Pass the end of a connection on."""
        self.app.on_close(server_conn)

    def find(self, start_line: RequestStartLine, headers: HTTPHeaders) -> Pass | None:
        """Return the pass for a usual request of a range, or None."""
        known = self._passes.get((start_line.path, headers.get("Authorization", "")))
        if known is None or known.principal.expires <= time.time() or not self._good(known):
            return None
        # RFC 9112 section 3.2: a request without one good Host is refused, and that the application does.
        host = HOST.fullmatch(headers.get("Host", ""))
        usual = host and start_line.method == "GET" and "Range" in headers and start_line.version == "HTTP/1.1"
        if not usual or self.load.draining or any(name in headers for name in UNUSUAL):
            return None
        return known

    def _good(self, known: Pass) -> bool:
        now = time.monotonic()
        if now >= known.until and not known.overtime:
            known.until, known.overtime = now + OVERTIME_SECONDS, True
            return False
        return now < known.until

    def date(self) -> str:
        """Return the Date of now, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, format_timestamp(now))
        return self._date[1]


def remember(passes: dict[tuple[str, str], Pass], path: str, authorization: str, given: Pass) -> None:
    """Leave a pass for the next request of the same path with the same Authorization."""
    if len(passes) >= PASSES:
        passes.clear()
    passes[path, authorization] = given


class Ride(HTTPMessageDelegate):
    """One request: on the short way when it has a pass, else in the hands of the application."""

    _answer: Any
    _trace: Trace
    _timer: asyncio.TimerHandle

    def __init__(self, express: Express, server_conn: object, request_conn: HTTPConnection) -> None:
        self._express = express
        self._server = server_conn
        self._connection: Any = request_conn
        self._inner: HTTPMessageDelegate | None = None
        self._pass: Pass | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Choose the way."""
        assert isinstance(start_line, RequestStartLine)  # noqa: S101 - a server gets requests
        self._start, self._headers = origin_form(start_line, headers), headers
        self._pass = self._express.find(self._start, headers)
        return None if self._pass else self._begin_whole_way()

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a body on; on the short way there is none."""
        return self._inner.data_received(chunk) if self._inner is not None else None

    def on_connection_close(self) -> None:
        """Pass the news on; on the short way the write fails and is noted."""
        if self._inner is not None:
            self._inner.on_connection_close()

    def finish(self) -> None:
        """Answer, now that the request is complete."""
        if self._inner is not None:
            self._inner.finish()
        elif self._pass is not None:
            self._go(self._pass)

    def _begin_whole_way(self) -> Awaitable[None] | None:
        self._inner = self._express.app.start_request(self._server, self._connection)
        return self._inner.headers_received(self._start, self._headers)

    def _go_whole_way(self) -> None:
        self._begin_whole_way()
        self.finish()

    def _go(self, given: Pass) -> None:
        """Read the range, if all is still as the pass says, and put it on record."""
        services, dataset = self._express.services, given.download.dataset
        try:
            standing = services.records.standing(dataset.id, given.principal.user)
            answer = None
            if standing is given.download.standing:
                storage = services.gatekeeper.storage_of(dataset)
                answer = read_small(storage, dataset, self._headers["Range"])
        except (BlockingIOError, GatewayError):
            answer = None
        if answer is None:
            self._go_whole_way()
            return
        self._answer = answer
        ip = self._connection.context.remote_ip
        self._trace = Trace.of("GET", self._start.path, "Express", ip, self._headers)
        self._express.load.requests += 1
        row = self._row(given, "download.cog", {})
        recorded = services.audit.record(row)
        # Whoever waits too long goes the whole way, which says 503.
        patience = services.settings.audit_wait_seconds
        self._timer = asyncio.get_running_loop().call_later(patience, recorded.cancel)
        self._express.mailbox.tell(recorded, self._recorded)

    def _row(self, given: Pass, action: str, detail: Mapping[str, object]) -> AuditRow:
        return self._trace.row(
            action,
            given.principal,
            dataset_id=given.download.dataset.id,
            version=given.download.dataset.version,
            backend=given.download.backend,
            range_header=self._trace.range_header,
            status=206,
            bytes_expected=self._answer[0].length,
            detail=detail,
        )

    def _recorded(self, row: Future[None]) -> None:
        """Send the answer once its row is durable; where it cannot be, the whole way says so."""
        self._timer.cancel()
        self._express.load.requests -= 1
        if self._pass is None or row.cancelled() or row.exception() is not None:
            self._go_whole_way()
        else:
            self._send(self._pass)

    def _send(self, given: Pass) -> None:
        """Write headers and body at once; a client that takes too long over them is disconnected."""
        span, body = self._answer
        given.headers["Date"] = self._express.date()
        given.headers["X-Request-Id"] = self._trace.request_id
        given.headers["Content-Range"] = span.content_range(given.download.dataset.size_bytes)
        given.headers["Content-Length"] = str(span.length)
        written = self._connection.write_headers(PARTIAL, given.headers, body)
        # Tornado adds it for a client that wants the connection closed; the next one may not.
        given.headers.pop("Connection", None)
        self._connection.finish()
        written.add_done_callback(self._written)

    def _written(self, written: asyncio.Future[None]) -> None:
        """Note how the transfer ended."""
        assert self._pass is not None  # noqa: S101 - it has just been used
        failed = written.cancelled() or written.exception() is not None
        sent = 0 if failed else len(self._answer[1])
        ended = {"bytes_sent": sent, "outcome": "aborted" if failed else "completed"}
        services = self._express.services
        services.audit.note(self._row(self._pass, "download.finished", ended), quietly=True)
        services.metrics.answered("GET", ROUTE, 206, time.monotonic() - self._trace.began)
        services.metrics.downloads.add(self._pass.download.backend, str(ended["outcome"]))
        services.metrics.download_bytes.add(self._pass.download.backend, amount=sent)
        self._trace.log(206, sent, self._pass.principal.user)
