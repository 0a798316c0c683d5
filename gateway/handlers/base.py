"""What every handler shares: who asks, problem+json, CORS, request ids, and one way into the threads."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import suppress
from http import HTTPStatus
from types import TracebackType
from typing import Any, ParamSpec, TypeVar

from tornado.httputil import HTTPServerRequest
from tornado.web import Application, HTTPError, RequestHandler

from gateway.errors import (
    BadCredential,
    CredentialPending,
    GatewayError,
    IssuerUnavailable,
    MethodNotAllowed,
    TooManyRequests,
    Unavailable,
    UnderWay,
)
from gateway.handlers.access import OPEN, AccessRule, Credential, access, implemented, principal_of
from gateway.handlers.answers import default_fields
from gateway.handlers.connections import Connections
from gateway.handlers.problems import MEDIA_TYPE, json_bytes, problem_of
from gateway.handlers.proxies import HOST, Proxies
from gateway.handlers.results import ThreadResults
from gateway.handlers.trace import Trace
from gateway.logs import redact
from gateway.model import Principal
from gateway.pools import Pool
from gateway.rates import PATIENCE_SECONDS
from gateway.services import Services
from gateway.settings import origin_of

P = ParamSpec("P")
T = TypeVar("T")

log = logging.getLogger("gateway")
# How long a request waits for the keys of its token's issuer.
KEYS_WAIT_SECONDS = 6.0
# Above the longest one of an ordinary range, whose head and body leave in one piece.
LONG_BODY_BYTES = 256 << 10
REQUEST_HEADERS = (
    "Authorization, Content-Type, Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, "
    "X-Request-ID"
)


class BaseHandler(RequestHandler):
    """One request: its credential is taken out at the door, so that nothing behind it can log or leak it."""

    principal = Principal()
    # Whether `?token=` carries a credential; where it does not it stays in the query.
    token_is_credential = True
    _uncounted: BadCredential | None = None

    def __init__(
        self, application: Application, request: HTTPServerRequest, services: Services, proxies: Proxies
    ) -> None:
        self.services = services
        self.proxies = proxies
        self.bytes_sent = 0
        self.credential = _take_credential(request, in_query=self.token_is_credential)
        self.client_ip = proxies.client_ip(request.remote_ip or "", request.headers)
        method, route = request.method or "", type(self).__name__
        self.trace = Trace.of(method, request.path, route, self.client_ip, request.headers)
        self.request_id = self.trace.request_id
        # Tornado's constructor sets the default headers, which need all of the above.
        super().__init__(application, request)

    async def _execute(self, *args: Any, **kwargs: Any) -> None:
        """Count the request as open until its answer has been handed to the kernel or its client has left.

        Tornado calls neither `on_finish` nor `on_connection_close` in every case; this wraps them all.
        """
        load = self.application.settings["load"]
        load.requests += 1
        try:
            await super()._execute(*args, **kwargs)
            if (error := self._uncounted) is not None:
                self._uncounted = None
                told = await self.limited(error)
                self.send_error(exc_info=(type(told), told, None))
        finally:
            load.requests -= 1
            log_request(self)

    def _handle_request_exception(self, e: BaseException) -> None:
        """Answer with an error; one for a bad credential is counted first, and that may be waited for."""
        if isinstance(e, BadCredential) and self.credential != Credential(None, ()):
            self._uncounted = e
        else:
            super()._handle_request_exception(e)

    def prepare(self) -> Awaitable[None] | None:
        """Learn who asks, before anything else is looked at; raises BadCredential.

        An awaitable is returned only where the issuer's keys, or a token on record, must be fetched first.
        """
        verb = getattr(self, str(self.request.method).lower())
        if verb == self._unimplemented_method:
            raise HTTPError(HTTPStatus.METHOD_NOT_ALLOWED)
        rule = self.rule_of(verb)
        try:
            self.principal = principal_of(self.credential, rule, self.services, time.time())
        except CredentialPending as pending:
            return self._prepare_after(pending.fetch, rule)
        return None

    def rule_of(self, verb: Any) -> AccessRule:
        """Return the access rule of this request: that of its verb, unless what is asked for has another one."""
        return verb.access_rule  # type: ignore[no-any-return]

    async def _prepare_after(self, fetch: Future[None], rule: AccessRule) -> None:
        try:
            async with asyncio.timeout(KEYS_WAIT_SECONDS):
                # Shielded: others may wait for the same fetch.
                await asyncio.shield(asyncio.wrap_future(fetch))
        except TimeoutError:
            raise IssuerUnavailable(retry_after_seconds=5) from None
        self.principal = principal_of(self.credential, rule, self.services, time.time())

    @access(OPEN)
    def options(self, *_: str) -> None:
        """Answer a CORS preflight (Fetch standard): no credential is asked for and nothing is recorded."""
        self.set_status(HTTPStatus.NO_CONTENT)
        self.set_header("Allow", self.allowed())
        self.set_header("Access-Control-Allow-Methods", self.allowed())
        self.set_header("Access-Control-Allow-Headers", REQUEST_HEADERS)
        self.set_header("Access-Control-Max-Age", "86400")
        self.finish()

    def allowed(self) -> str:
        """Return the methods of this resource as the Allow field lists them."""
        return ", ".join([v.upper() for v in implemented(type(self))] + ["OPTIONS"])

    def set_default_headers(self) -> None:
        """Set what every answer carries; Tornado calls this again when it clears an answer for an error."""
        self.clear_header("Server")
        settings, origin = self.application.settings, self.request.headers.get("Origin")
        for name, value in default_fields(settings["cors_origins"], origin, self.request_id).items():
            self.set_header(name, value)
        if self.credential.in_url:
            self.set_header("Cache-Control", "private, no-store")
            self.set_header("Referrer-Policy", "no-referrer")

    def check_trusted_origin(self, origin: str) -> bool:
        """Return whether a page of `origin` may send unsafe methods: our own, and those that CORS lets in."""
        origins = self.application.settings["cors_origins"]
        return "*" in origins or origin in origins or origin == origin_of(self.public_url(""))

    async def in_thread(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what `work` returns, run in the disk pool; raises Unavailable when its queue is full."""
        return await self.results.expect(self.services.pools[Pool.DISK].submit(work, *args, **kwargs))

    @property
    def results(self) -> ThreadResults:
        """Return the way back from threads to this handler's loop."""
        results: ThreadResults = self.application.settings["results"]
        return results

    def public_url(self, path: str) -> str:
        """Return the URL under which clients reach `path` below the API's prefix."""
        settings = self.services.settings
        base = settings.public_url
        if base is None:
            host = self.request.host if HOST.fullmatch(self.request.host) else f"{settings.host}:{settings.port}"
            peer = self.request.remote_ip or ""
            base = self.proxies.base(peer, self.request.headers, self.request.protocol, host)
        return f"{base}{settings.prefix}{path}"

    def finish(self, chunk: str | bytes | dict[str, Any] | None = None) -> asyncio.Future[None]:
        """Finish the answer; raises Unavailable where too many others wait for their readers."""
        if isinstance(chunk, bytes) and self.request.method != "HEAD":
            self.clients.room.make(len(chunk))
            self.begin_long(len(chunk))
        return super().finish(chunk)

    def begin_long(self, length_bytes: int) -> asyncio.Future[None] | None:
        """Write the head before a long body, which Tornado would else copy; returns when the head has left."""
        if length_bytes <= LONG_BODY_BYTES or self.request.method == "HEAD":
            return None
        self.set_header("Content-Length", str(length_bytes))
        return self.flush()

    @property
    def clients(self) -> Connections:
        """Return the connections of this handler's server."""
        clients: Connections = self.application.settings["clients"]
        return clients

    def send_json(self, value: object, status: int = HTTPStatus.OK) -> None:
        """Finish with a JSON body; HEAD gets its headers alone."""
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json_bytes(value))

    def compute_etag(self) -> None:
        """Return None: an entity tag is made from a version by who knows one, never by hashing a body."""

    def decode_argument(self, value: bytes | None, name: str | None = None) -> str | None:  # type: ignore[override]
        """Return the text of a path argument; bytes that are no UTF-8 become U+FFFD and match no id.

        A part of a path that may be left out and is, is None.
        """
        return None if value is None else value.decode("utf-8", "replace")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Finish with the problem of RFC 9457 that belongs to the exception."""
        error = self.problem(status_code, kwargs.get("exc_info", (None, None, None))[1])
        self.services.metrics.problems.add(str(error.status), error.slug or error.title)
        self.set_status(error.status)
        for name, value in error.headers.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "private, no-store" if self.credential.in_url else "no-store")
        self.set_header("Content-Type", MEDIA_TYPE)
        self.finish(json_bytes(problem_of(error, self.request_id)))
        self.refused(error)  # behind the answer, so that its time does not tell of it

    async def limited(self, error: BadCredential) -> GatewayError:
        """Return the error, or TooManyRequests for an address that has shown too many bad credentials.

        Only failures count, and only failures are refused: whoever shares the address with a guesser and has a good
        token is not kept out.
        """
        try:
            await self.spend_shared("failure", None)
        except TooManyRequests as limited:
            return limited
        return error

    async def spend_shared(self, name: str, user: str | None) -> None:
        """Count one for the user or the client's address, over all nodes; raises TooManyRequests."""
        counted = self.services.rates.spend_shared(name, user, self.client_ip)
        if counted.by_nodes is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_SECONDS):
                    return await self.results.expect(counted.by_nodes)
        return counted.here()

    def refused(self, error: GatewayError) -> None:
        """Note a refusal; a resource whose refusals go on record overrides this."""

    def problem(self, status_code: int, error: BaseException | None) -> GatewayError:
        """Return the error that the client is told of; whatever is not ours becomes a bare 500."""
        if isinstance(error, GatewayError):
            return error
        if isinstance(error, HTTPError) and status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            return MethodNotAllowed("The resource has no such method.", headers={"Allow": self.allowed()})
        bare = GatewayError()
        if isinstance(error, HTTPError):
            bare.status, bare.title = status_code, HTTPStatus(status_code).phrase
        return bare

    def log_exception(
        self, typ: type[BaseException] | None, value: BaseException | None, tb: TracebackType | None
    ) -> None:
        """Log what is our fault with its traceback, a 503 in one line, and the client's errors not at all."""
        if isinstance(value, GatewayError) and value.status != HTTPStatus.INTERNAL_SERVER_ERROR:
            if value.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                reason = f" ({value.reason})" if isinstance(value, Unavailable) and value.reason else ""
                level = logging.INFO if isinstance(value, UnderWay) else logging.WARNING
                log.log(level, "%d: %s%s", value.status, value.detail, reason, extra={"request_id": self.request_id})
        elif not isinstance(value, HTTPError):
            log.error("uncaught exception", exc_info=(typ, value, tb), extra={"request_id": self.request_id})  # type: ignore[arg-type]


def _take_credential(request: HTTPServerRequest, *, in_query: bool = True) -> Credential:
    """Return the request's credential, and wipe the token from the request.

    Tornado writes the URI into access lines, HTTPError warnings and the repr of a failed request.
    """
    authorization = request.headers.get("Authorization")
    if "token" in request.query_arguments:
        request.uri = redact(request.uri or "")
        request.query = redact(request.query)
    if not in_query:
        return Credential(authorization, ())
    tokens = tuple(value.decode("latin-1") for value in request.query_arguments.pop("token", []))
    request.arguments.pop("token", None)
    # Authorization wins: a token that lost must not come into a document or decide how long one is kept.
    return Credential(authorization, tokens if authorization is None else (), bool(tokens))


def log_request(handler: BaseHandler) -> None:
    """Count a request whose answer is over and write its access line."""
    seconds = time.monotonic() - handler.trace.began
    route = handler.application.settings["templates"].get(type(handler), "unknown")
    handler.services.metrics.answered(handler.request.method, route, handler.get_status(), seconds)
    handler.trace.log(handler.get_status(), handler.bytes_sent, handler.principal.person)
