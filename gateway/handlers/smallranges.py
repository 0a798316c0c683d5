"""Small ranges of files that were served a moment ago, answered without routing and handler.

Readers of COGs ask for hundreds of small ranges of one file. Who asks, what they may have, what of the file it is,
its row, its sending and its end are found here by the same functions as everywhere; only what Tornado does between a
request and a handler is left out. Whatever is not a body that can be sent at once, and every error, goes to the
application.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable
from functools import partial
from typing import Any

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)
from tornado.web import Application

from gateway.download import DownloadRequest, LargeBody, SmallBody, prepare
from gateway.errors import GatewayError
from gateway.handlers.access import DOWNLOAD, Credential, principal_of
from gateway.handlers.answers import default_fields
from gateway.handlers.connections import Connections
from gateway.handlers.deciding import Decisions
from gateway.handlers.delivery import Delivery, granted_file
from gateway.handlers.downloads import DownloadHandler, Failed
from gateway.handlers.proxies import HOST, Proxies
from gateway.handlers.targets import origin_form
from gateway.handlers.trace import Trace
from gateway.model import Principal
from gateway.ranges import conditions_of
from gateway.records import Revision
from gateway.services import Services

log = logging.getLogger("gateway")
# As the handler counts a file, whatever name stands in the address.
ROUTE = "/datasets/{id}/download/cog"
LINES = {200: "HTTP/1.1 200 OK", 206: "HTTP/1.1 206 Partial Content"}
# A request with one of these is not read to its end yet, or wants more than an answer.
UNUSUAL = ("Content-Length", "Transfer-Encoding", "Expect")


class SmallRanges(HTTPServerConnectionDelegate):
    """Stands before the application and answers what it can at once."""

    def __init__(self, app: Application, services: Services) -> None:
        self.app = app
        self.services = services
        self.proxies = Proxies(services.settings.trusted_proxies)
        self.decisions: Decisions = app.settings["decisions"]
        self.clients: Connections = app.settings["clients"]
        prefix = re.escape(services.settings.prefix)
        self._path = re.compile(prefix + r"/datasets/([0-9A-Fa-f-]{36})/download/(?:cog|[^/?]+\.tif)")
        self._date = (0, "")

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate of one request."""
        return SmallRangeRequest(self, server_conn, request_conn)

    def on_close(self, server_conn: object) -> None:
        """Pass the end of a connection on."""
        self.app.on_close(server_conn)

    def dataset_id(self, start_line: RequestStartLine, headers: HTTPHeaders) -> str | None:
        """Return the dataset whose file a usual request asks for, when it was looked at a moment ago."""
        found = self._path.fullmatch(start_line.path)
        if found is None or start_line.method != "GET" or start_line.version != "HTTP/1.1":
            return None
        # RFC 9112 section 3.2: a request without one good Host is refused, and that the application does.
        usual = HOST.fullmatch(headers.get("Host", "")) and not any(name in headers for name in UNUSUAL)
        return found[1] if usual and self.decisions.recently(found[1]) else None

    def date(self) -> str:
        """Return the Date of now, made once a second."""
        now = int(time.time())
        if self._date[0] != now:
            self._date = (now, format_timestamp(now))
        return self._date[1]


class SmallRangeRequest(HTTPMessageDelegate):
    """One request: answered here, or in the hands of the application."""

    def __init__(self, ranges: SmallRanges, server_conn: object, request_conn: HTTPConnection) -> None:
        self._ranges = ranges
        self._server = server_conn
        self._exchange: Any = request_conn
        self._application: HTTPMessageDelegate | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Answer at once, or leave that to the application."""
        assert isinstance(start_line, RequestStartLine)  # noqa: S101 - a server gets requests
        self._start, self._headers = origin_form(start_line, headers), headers
        # What Tornado has just found, too: it closes the connection after this answer.
        self._last = self._ranges.app.settings["load"].draining or headers.get("Connection", "").lower() == "close"
        dataset_id = self._ranges.dataset_id(self._start, headers)
        if dataset_id is None:
            return self._hand_over()
        principal = self._principal()
        if principal is None:
            return self._hand_over()
        if self._ranges.decisions.over_network:
            return self._answer_after_revision(principal, dataset_id)
        answer = self._decided(principal, dataset_id, None)
        return self._answer(self._trace(), principal, answer) if answer else self._hand_over()

    async def _answer_after_revision(self, principal: Principal, dataset_id: str) -> None:
        """Answer as of what is on record now, or leave that to the application."""
        trace, load = self._trace(), self._ranges.app.settings["load"]
        load.requests += 1
        try:
            revision = await self._ranges.decisions.revision(dataset_id)
        except GatewayError as error:
            # Its client has waited already.
            self._fail(Failed(trace, principal, error))
            return
        except asyncio.CancelledError:
            self._exchange.stream.close()
            return
        finally:
            load.requests -= 1
        answer = self._decided(principal, dataset_id, revision)
        handed_over = self._answer(trace, principal, answer) if answer else self._hand_over()
        if handed_over is not None:
            await handed_over

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        """Pass a body on; what is answered here has none."""
        return self._application.data_received(chunk) if self._application is not None else None

    def on_connection_close(self) -> None:
        """Pass the news on; what is answered here notices by itself."""
        if self._application is not None:
            self._application.on_connection_close()

    def finish(self) -> None:
        """Take note that the request is complete."""
        if self._application is not None:
            self._application.finish()
        else:
            # Only now: an answer that is finished before its request would cost the connection.
            self._exchange.finish()

    def _hand_over(self) -> Awaitable[None] | None:
        self._application = self._ranges.app.start_request(self._server, self._exchange)
        return self._application.headers_received(self._start, self._headers)

    def _fail(self, failed: Failed) -> None:
        """Let the application tell the error."""
        request = HTTPServerRequest(
            connection=self._exchange, server_connection=self._server, start_line=self._start, headers=self._headers
        )
        ranges = self._ranges
        shared = {"services": ranges.services, "proxies": ranges.proxies, "failed": failed}
        self._application = ranges.app.get_handler_delegate(request, DownloadHandler, shared)

    def _principal(self) -> Principal | None:
        """Return who asks, None where the application is to say what is wrong with that."""
        credential = Credential(self._headers.get("Authorization"), ())
        try:
            return principal_of(credential, DOWNLOAD, self._ranges.services, time.time())
        except GatewayError:
            return None

    def _trace(self) -> Trace:
        ip = self._ranges.proxies.client_ip(self._exchange.context.remote_ip, self._headers)
        return Trace.of("GET", self._start.path, "SmallRanges", ip, self._headers)

    def _decided(self, principal: Principal, dataset_id: str, revision: Revision | None) -> SmallBody | None:
        """Return a body in memory that answers as of a revision, or None."""
        get, gatekeeper = self._headers.get, self._ranges.services.gatekeeper
        # Nobody is sent elsewhere from here, where the id would be told.
        asked = conditions_of(get), get("Range")
        request = DownloadRequest(dataset_id, principal, *asked, with_body=True, request_id="")
        try:
            answer = self._ranges.decisions.at_once(dataset_id, revision, partial(prepare, gatekeeper, request))
        except GatewayError:
            # The application finds it too, and tells it.
            return None
        if isinstance(answer, LargeBody):
            answer.source.close()
        return answer if isinstance(answer, SmallBody) else None

    async def _answer(self, trace: Trace, principal: Principal, answer: SmallBody) -> None:
        """Put the answer on record and send it; where it cannot be, the application says so."""
        ranges, services = self._ranges, self._ranges.services
        connection, results = ranges.clients.of(self._exchange.stream), ranges.app.settings["results"]
        delivery = Delivery(services, results, connection, trace, principal, granted_file(answer, trace))
        load = ranges.app.settings["load"]
        load.requests += 1
        try:
            async with delivery:
                head = self._head(answer, trace.request_id)
                await delivery.send_at_once(partial(self._write, head, answer.body), len(answer.body))
        except GatewayError as error:
            self._fail(Failed(trace, principal, error))
            return
        except asyncio.CancelledError:
            # The server stops, and with it the task of this connection; Tornado would take that for an error.
            self._exchange.stream.close()
        finally:
            load.requests -= 1
        services.metrics.answered("GET", ROUTE, answer.status, time.monotonic() - trace.began)
        trace.log(answer.status, delivery.sent, principal.person)

    def _head(self, answer: SmallBody, request_id: str) -> bytes:
        """Return the head of the answer, in the form of RFC 9112 section 2.1."""
        origin, settings = self._headers.get("Origin"), self._ranges.app.settings
        fields = default_fields(settings["cors_origins"], origin, request_id)
        if self._last:
            fields["Connection"] = "close"
        fields |= {"Date": self._ranges.date(), **answer.headers}
        lines = [LINES[answer.status], *[f"{name}: {value}" for name, value in fields.items()]]
        head = "\r\n".join(lines)
        if head.count("\n") != len(lines) - 1:
            raise ValueError("A field of an answer has more than one line.")
        return f"{head}\r\n\r\n".encode("latin-1")

    def _write(self, head: bytes, body: bytes) -> Awaitable[None]:
        # What Tornado does with fields takes longer than all else of this answer that is not the kernel's.
        written: Awaitable[None] = self._exchange.write(head + body)
        return written
