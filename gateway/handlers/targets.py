"""Request targets: what a client sends to a proxy, brought into the form that routes know."""

from __future__ import annotations

import re
from collections.abc import Awaitable

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.web import Application

from gateway.handlers.proxies import HOST

ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE)


def origin_form(start_line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """Return the start line with a target in absolute form made one of path and query (RFC 9112 section 3.2.2).

    The target's authority takes the place of a good Host; a bad or missing one stays and is refused.
    """
    absolute = None if start_line.path.startswith("/") else ABSOLUTE.fullmatch(start_line.path)
    if absolute is None:
        return start_line
    authority, rest = absolute.groups()
    if HOST.fullmatch(headers.get("Host", "")):
        headers["Host"] = authority
    return start_line._replace(path=rest if rest.startswith("/") else f"/{rest}")


class OriginForms(HTTPServerConnectionDelegate):
    """Stands before the application, which knows targets of path and query alone."""

    def __init__(self, app: Application) -> None:
        self._app = app

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return the delegate of one request."""
        return _OriginForm(self._app.start_request(server_conn, request_conn))

    def on_close(self, server_conn: object) -> None:
        """Pass the end of a connection on."""
        self._app.on_close(server_conn)


class _OriginForm(HTTPMessageDelegate):
    """One request, passed on with its target in origin form."""

    def __init__(self, application: HTTPMessageDelegate) -> None:
        self.data_received = application.data_received  # type: ignore[method-assign]
        self.finish = application.finish  # type: ignore[method-assign]
        self.on_connection_close = application.on_connection_close  # type: ignore[method-assign]
        self._headers_received = application.headers_received

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        """Pass the head on."""
        assert isinstance(start_line, RequestStartLine)  # noqa: S101 - a server gets requests
        return self._headers_received(origin_form(start_line, headers), headers)
