"""The only place where the server's parts meet: services, routes, limits."""

from __future__ import annotations

import errno
import logging
import os
import ssl
import time
from collections.abc import Iterable
from functools import cache, partial
from pathlib import Path
from socket import socket
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, SSLIOStream
from tornado.web import Application, RequestHandler, url

from gateway.apidocs import document
from gateway.errors import GatewayError, SettingsError, Unavailable
from gateway.handlers.access import access_missing
from gateway.handlers.assets import Assets
from gateway.handlers.connections import Connections
from gateway.handlers.cutting import PartCutter
from gateway.handlers.deciding import Decisions
from gateway.handlers.handed import HandedOut
from gateway.handlers.health import Parts
from gateway.handlers.jobrunning import JobRunner
from gateway.handlers.layermembers import Vouched
from gateway.handlers.load import Load
from gateway.handlers.problems import json_bytes, whole_answer
from gateway.handlers.proxies import Proxies
from gateway.handlers.results import ThreadResults
from gateway.handlers.smallranges import SmallRanges
from gateway.handlers.unknown import UnknownRoute
from gateway.routes import all_routes, templates
from gateway.services import Services
from gateway.settings import Settings

log = logging.getLogger("gateway")
STATIC_FOLDER = Path(__file__).parent / "static"
MAX_HEADER_BYTES = 32 * 1024
# A search by a geometry of thousands of positions; a client that sends more is cut off.
MAX_BODY_BYTES = 256 * 1024
MAX_BUFFER_BYTES = 4 * 1024 * 1024
IDLE_SECONDS = 30
# A server without descriptors says so this often at most.
QUIET_SECONDS = 10.0
BODY_SECONDS = 15
BUSY = Unavailable("Too many connections.", retry_after_seconds=5)


class UnsafeRouteError(Exception):
    """A verb without an access rule: the server refuses to start."""


def make_app(services: Services) -> Application:
    """Return the application over open services; raises UnsafeRouteError."""
    settings, results = services.settings, ThreadResults()
    cutter = PartCutter(services, results)
    shared = {"services": services, "proxies": Proxies(settings.trusted_proxies)}
    routes = all_routes(settings.prefix)
    refuse_unsafe([handler for _, handler in routes] + [UnknownRoute])
    return Application(
        [url(pattern, handler, shared) for pattern, handler in routes],
        default_handler_class=UnknownRoute,
        default_handler_args=shared,
        # A request is logged when its answer is over, and not when the handler has finished.
        log_function=lambda _: None,
        cors_origins=settings.cors_origins,
        cross_origin_protection=True,
        compress_response=False,
        serve_traceback=False,
        load=Load(),
        clients=Connections(settings.stall_seconds, settings.unread_mb << 20, partial(refusal, services)),
        handed_out=HandedOut(),
        vouched=Vouched(),
        results=results,
        decisions=Decisions(services, results),
        cutter=cutter,
        runner=JobRunner(services, results, cutter),
        parts=Parts(),
        assets=Assets(STATIC_FOLDER),
        templates=templates(),
        openapi=cache(lambda: json_bytes(document(settings))),
    )


def refusal(services: Services, error: GatewayError) -> bytes:
    """Return the whole answer to what reaches no handler, counted like all problems."""
    services.metrics.problems.add(str(error.status), error.title)
    return whole_answer(error, services.settings.cors_origins)


def refuse_unsafe(handlers: list[type[RequestHandler]]) -> None:
    """Return when every verb of every handler states its access rule; raises UnsafeRouteError."""
    for handler in handlers:
        if missing := access_missing(handler):
            raise UnsafeRouteError(f"{handler.__name__} states no access rule for {', '.join(missing)}")


class Listener(socket):
    """A listening socket that turns connections away when the process has no descriptor left for them.

    accept(2) leaves such a connection in its queue, and the loop would be woken for it again and again. One
    descriptor is kept to take it with, and to close it.
    """

    def __init__(self, bound: socket) -> None:
        super().__init__(fileno=bound.detach())
        self.setblocking(False)
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        self._quiet_until = 0.0

    def accept(self) -> tuple[socket, Any]:
        """Return a connection and its address; raises BlockingIOError when there is none to be served."""
        try:
            return super().accept()
        except OSError as error:
            if error.errno not in (errno.EMFILE, errno.ENFILE):
                raise
        if time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET_SECONDS
            log.error("no descriptor is left: connections are turned away")
        os.close(self._spare)
        try:
            super().accept()[0].close()
        finally:
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        raise BlockingIOError

    def close(self) -> None:
        """Close the socket and give the kept descriptor back."""
        if self._spare >= 0:
            os.close(self._spare)
            self._spare = -1
        super().close()


class GatewayServer(HTTPServer):
    """Tornado's server with the gateway's limits and a cap on open connections."""

    max_connections: int
    clients: Connections
    load: Load
    runner: JobRunner

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        """Take our own out of the arguments; Tornado's servers are built in `initialize`."""
        self.max_connections, self.clients = kwargs.pop("max_connections"), kwargs.pop("clients")
        self.load, self.runner = kwargs.pop("load"), kwargs.pop("runner")
        super().initialize(*args, **kwargs)

    def add_sockets(self, sockets: Iterable[socket]) -> None:
        """Accept connections on bound sockets."""
        super().add_sockets([Listener(bound) for bound in sockets])

    def begin_drain(self) -> None:
        """Make the answer to each request that is read from now on the last of its connection (RFC 9112, 9.6)."""
        self.load.draining = self.conn_params.no_keep_alive = True

    def writing(self) -> bool:
        """Return whether bytes of an answer still wait for their client to take them."""
        return self.clients.held_bytes > 0

    async def close_all_connections(self) -> None:
        """End all connections, and the work on jobs, which nobody waits for here any more."""
        await super().close_all_connections()
        await self.runner.close()

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection, or tell it that there are too many."""
        self.clients.adopt(stream)
        if len(self._connections) < self.max_connections:
            super().handle_stream(stream, address)
            return
        if isinstance(stream, SSLIOStream):
            # A sentence would need a handshake first, which the client may draw out for as long as it likes.
            stream.close()
            return
        stream.write(self.clients.refusal(BUSY)).add_done_callback(lambda _: stream.close())


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """Return what the server speaks TLS with, or None without a certificate; raises SettingsError."""
    if settings.tls_certificate is None or settings.tls_key is None:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty passphrase, because OpenSSL would ask the terminal for one.
        context.load_cert_chain(settings.tls_certificate, settings.tls_key, password="")
    except OSError as error:
        # ssl.SSLError is one; its text names OpenSSL's source lines and not the files.
        reason = error.strerror if not isinstance(error, ssl.SSLError) else "no PEM, or they do not belong together"
        names = f"{settings.tls_certificate} and {settings.tls_key}"
        raise SettingsError(f"the certificate and key {names} cannot be used: {reason}") from error
    return context


def make_server(app: Application, services: Services) -> GatewayServer:
    """Return the server with its limits set, listening nowhere yet. Raises SettingsError for a bad certificate."""
    return GatewayServer(
        SmallRanges(app, services),
        max_connections=services.settings.max_connections,
        clients=app.settings["clients"],
        load=app.settings["load"],
        runner=app.settings["runner"],
        max_header_size=MAX_HEADER_BYTES,
        max_body_size=MAX_BODY_BYTES,
        max_buffer_size=MAX_BUFFER_BYTES,
        idle_connection_timeout=IDLE_SECONDS,
        body_timeout=BODY_SECONDS,
        ssl_options=tls_context(services.settings),
        decompress_request=False,
        xheaders=False,
    )
