"""The only place where the server's parts meet: services, routes, limits."""

from __future__ import annotations

from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.web import Application, RequestHandler, url

from gateway.handlers.base import UnknownRoute, access_missing, log_request
from gateway.handlers.express import Express
from gateway.handlers.load import Load
from gateway.handlers.mailbox import Mailbox
from gateway.handlers.proxies import Proxies
from gateway.handlers.trace import RequestIds
from gateway.handlers.warm import Warm
from gateway.routes import all_routes
from gateway.services import Services

MAX_HEADER_BYTES = 32 * 1024
# No route takes a body; this is what a client may send all the same before it is cut off.
MAX_BODY_BYTES = 64 * 1024
MAX_BUFFER_BYTES = 4 * 1024 * 1024
IDLE_SECONDS = 30
BODY_SECONDS = 15
BUSY_BODY = b'{"type":"about:blank","title":"Service Unavailable","status":503,"detail":"Too many connections."}'
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nCache-Control: no-store\r\n"
    b"Content-Type: application/problem+json\r\nContent-Length: %d\r\n\r\n%s" % (len(BUSY_BODY), BUSY_BODY)
)


class UnsafeRouteError(Exception):
    """A verb without an access rule: the server refuses to start."""


def make_app(services: Services) -> Application:
    """Return the application over open services; raises UnsafeRouteError."""
    settings = services.settings
    shared = {"services": services, "proxies": Proxies(settings.trusted_proxies)}
    routes = all_routes(settings.prefix)
    refuse_unsafe([handler for _, handler in routes] + [UnknownRoute])
    return Application(
        [url(pattern, handler, shared) for pattern, handler in routes],
        default_handler_class=UnknownRoute,
        default_handler_args=shared,
        log_function=log_request,
        cors_origins=settings.cors_origins,
        cross_origin_protection=True,
        compress_response=False,
        serve_traceback=False,
        load=Load(),
        passes={},
        request_ids=RequestIds(),
        mailbox=Mailbox(),
        warm=Warm(),
    )


def refuse_unsafe(handlers: list[type[RequestHandler]]) -> None:
    """Return when every verb of every handler states its access rule; raises UnsafeRouteError."""
    for handler in handlers:
        if missing := access_missing(handler):
            raise UnsafeRouteError(f"{handler.__name__} states no access rule for {', '.join(missing)}")


class GatewayServer(HTTPServer):
    """Tornado's server with the gateway's limits and a cap on open connections."""

    max_connections: int

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take the cap out of the arguments; Tornado's servers are built in `initialize`."""
        self.max_connections = kwargs.pop("max_connections")
        super().initialize(*args, **kwargs)

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection, or tell it that there are too many."""
        if len(self._connections) < self.max_connections:
            super().handle_stream(stream, address)
            return
        stream.write(BUSY).add_done_callback(lambda _: stream.close())


def make_server(app: Application, services: Services) -> GatewayServer:
    """Return the HTTP server with its limits set, listening nowhere yet."""
    return GatewayServer(
        Express(app, services),
        max_connections=services.settings.max_connections,
        max_header_size=MAX_HEADER_BYTES,
        max_body_size=MAX_BODY_BYTES,
        max_buffer_size=MAX_BUFFER_BYTES,
        idle_connection_timeout=IDLE_SECONDS,
        body_timeout=BODY_SECONDS,
        decompress_request=False,
        xheaders=False,
    )
