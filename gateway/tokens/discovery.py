"""Where people sign in: the endpoints of an OpenID Connect issuer (Discovery 1.0 section 3, RFC 8414 section 2)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from gateway.tokens.issuer import Document
from gateway.tokens.refetched import Refetched

# Of a URL that goes into a Content-Security-Policy and into links: nothing in it ends a source or a directive.
ENDPOINT = re.compile(
    r"(https?://[A-Za-z0-9.-]+(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~!$&()*+=:@%/-]*)?)(?:\?[^\s\"'<>#]*)?"
)
CHALLENGE = "S256"
# Every issuer has it, whether it says so or not.
USUAL_ALGORITHMS = ["RS256"]
# So old the endpoints are at most, as long as the issuer can be asked.
STALE_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of an issuer, and what a client has to know of its answers.

    `names_itself` tells that each answer of its authorization endpoint carries `iss` (RFC 9207); `algorithms` are
    those of its ID tokens. The last two addresses are None where the issuer has none.
    """

    issuer: str
    authorization: str
    token: str
    names_itself: bool
    algorithms: tuple[str, ...]
    end_session: str | None = None
    revocation: str | None = None


def endpoints_of(found: Document) -> Endpoints:
    """Return the endpoints that an issuer's configuration names.

    Raises ValueError where people cannot sign in by them: there is none that can be used, or no PKCE (RFC 7636).
    """
    issuer = str(found["issuer"])
    methods = found.get("code_challenge_methods_supported", [CHALLENGE])
    if not isinstance(methods, list) or CHALLENGE not in methods:
        raise ValueError("the issuer has no PKCE with S256")
    authorization, token = (_address(found, name, issuer) for name in ("authorization_endpoint", "token_endpoint"))
    if authorization is None or token is None:
        raise ValueError("the issuer has no endpoint to sign in at")
    algorithms = found.get("id_token_signing_alg_values_supported")
    algorithms = algorithms if isinstance(algorithms, list) and algorithms else USUAL_ALGORITHMS
    return Endpoints(
        issuer,
        authorization,
        token,
        found.get("authorization_response_iss_parameter_supported") is True,
        tuple(str(each) for each in algorithms),
        _address(found, "end_session_endpoint", issuer),
        _address(found, "revocation_endpoint", issuer),
    )


def without_query(address: str) -> str:
    """Return an endpoint as a source of a Content-Security-Policy, which has no query."""
    return address.partition("?")[0]


def _address(found: Document, name: str, issuer: str) -> str | None:
    """Return an endpoint; None for a text that is none, and for one in the clear of an issuer that has TLS."""
    address = found.get(name)
    if not isinstance(address, str) or not ENDPOINT.fullmatch(address):
        return None
    return address if address.startswith("https:") or issuer.startswith("http:") else None


class IssuerEndpoints:
    """The endpoints of one issuer, fetched when somebody signs in."""

    def __init__(self, fetch: Callable[[], Document], clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = Refetched("the issuer's configuration", lambda: endpoints_of(fetch()), clock)

    @property
    def known(self) -> Endpoints | None:
        """Return the endpoints as they were fetched last, None where they never were."""
        return self._kept.value

    @property
    def retry_seconds(self) -> int:
        """Return when it is worth asking again."""
        return 1 + int(self._kept.wait_seconds)

    def pending(self) -> Future[None] | None:
        """Return the fetch that is to be waited for; None where the endpoints are known, or not to be had yet."""
        if self.known is None:
            return self._kept.refresh()
        if self._kept.age_seconds >= STALE_SECONDS:
            self._kept.refresh()
        return None

    def close(self) -> None:
        """End the thread that fetches."""
        self._kept.close()
