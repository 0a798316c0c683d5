"""Keys of an OpenID Connect issuer: RS256 and ES256 through its JSON Web Key Set (RFC 7517, RFC 7518 section 3).

The set is fetched when a token needs it. `refetched.py` says how often, whatever key ids strangers make up.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.request import Request, urlopen

from jwt import InvalidTokenError, PyJWK, PyJWS, PyJWTError

from gateway.errors import IssuerUnavailable, KeysPending
from gateway.tokens.keys import MAX_TOKEN_BYTES, claims_of, refuse
from gateway.tokens.refetched import Refetched

# RFC 7518 section 3.1; the family of a key fixes the algorithm, the header of a token never does.
ALGORITHM_OF = {"RSA": "RS256", "EC": "ES256"}
MIN_RSA_BITS = 2048
# A key that the issuer withdrew is trusted this long at most, as long as the issuer can be asked.
STALE_SECONDS = 3600.0
# A token that names no key is tried with so many; each try costs a verification.
MAX_TRIES = 16
FETCH_SECONDS = 5.0
MAX_DOCUMENT_BYTES = 1 << 20

WEB = ("https:", "http:")

Document = Mapping[str, Any]


def fetcher(issuer: str, jwks_url: str | None) -> Callable[[], Document]:
    """Return a function that fetches the issuer's key set, found by OpenID Connect Discovery 1.0 without a URL.

    It raises OSError or ValueError when there is no answer, or none that can be used.
    """

    def fetch() -> Document:
        if jwks_url is not None:
            return document(jwks_url)
        url = described(issuer).get("jwks_uri")
        if not isinstance(url, str) or not url.startswith(WEB):
            raise ValueError("it names no key set")
        return document(url)

    return fetch


def described(issuer: str) -> Document:
    """Return what an issuer says of itself (OpenID Connect Discovery 1.0 section 4). Raises OSError or ValueError."""
    found = document(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
    # The issuer named inside must be the one that was asked.
    if found.get("issuer") != issuer:
        raise ValueError("the configuration is not the issuer's")
    return found


def document(url: str) -> Document:
    """Return the JSON object at `url`. Raises OSError or ValueError."""
    request = Request(url, headers={"Accept": "application/json", "User-Agent": "cog-gateway"})  # noqa: S310
    try:
        with urlopen(request, timeout=FETCH_SECONDS) as response:  # noqa: S310
            found = json.loads(_body(response))
    except (HTTPException, RecursionError) as error:
        raise ValueError("the answer cannot be read") from error
    if not isinstance(found, dict):
        raise ValueError("the answer is no JSON object")
    return found


def _body(response: HTTPResponse) -> bytes:
    """Return a body that comes within FETCH_SECONDS in all, cut where it is too long. Raises TimeoutError.

    The server does not stop before its fetches have.
    """
    until, body = time.monotonic() + FETCH_SECONDS, bytearray()
    while chunk := response.read1(MAX_DOCUMENT_BYTES - len(body)):
        body += chunk
        if time.monotonic() > until:
            raise TimeoutError("the answer takes too long")
    return bytes(body)


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies, the one algorithm that it is for, and its id where it has one; ids need not be unique."""

    algorithm: str
    key_id: str | None
    key: Any


class IssuerKeys:
    """The public keys of one issuer; they verify and never sign."""

    def __init__(self, fetch: Callable[[], Document], clock: Callable[[], float] = time.monotonic) -> None:
        self._kept = Refetched("the issuer's key set", lambda: usable(fetch()), clock)
        self._jws = PyJWS(list(ALGORITHM_OF.values()))

    def verify(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that one of the issuer's keys signed; the claims are not judged.

        Raises BadCredential; KeysPending while the set is fetched that may hold the key; IssuerUnavailable when
        there has never been a set. Header parameters that carry or name keys elsewhere are ignored (RFC 8725
        section 3.10).
        """
        algorithm, key_id = self._header(token)
        fitting = self._fitting(algorithm, key_id)
        if fitting and self._kept.age_seconds >= STALE_SECONDS:
            self.refresh()
        for each in fitting:
            with suppress(InvalidTokenError):
                return claims_of(bytes(self._jws.decode(token, each.key, [algorithm])))
        # What is known under the id itself is the issuer's word; all else may be older than a new key.
        if key_id is None or all(each.key_id != key_id for each in fitting):
            self._wait_for_others()
        return refuse("The token's signature does not hold.")

    def refresh(self, *, now: bool = False) -> Future[None] | None:
        """Return the fetch that runs or begins; None when the last one is too near, unless it must be `now`."""
        return self._kept.refresh(now=now)

    def close(self) -> None:
        """End the thread that fetches."""
        self._kept.close()

    def _header(self, token: str) -> tuple[str, str | None]:
        if len(token) > MAX_TOKEN_BYTES or not token.isascii():
            refuse("The token cannot be read.")
        try:
            header = self._jws.get_unverified_header(token)
        except InvalidTokenError:
            refuse("The token cannot be read.")
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHM_OF.values() or not isinstance(key_id, str | None):
            refuse("The token's signature does not hold.")
        return str(algorithm), key_id

    def _fitting(self, algorithm: str, key_id: str | None) -> Sequence[PublicKey]:
        """Return the keys that the header names, else those without an id; all of its family when it names none."""
        family = [each for each in self._kept.value or () if each.algorithm == algorithm]
        if key_id is not None:
            named = [each for each in family if each.key_id == key_id]
            family = named or [each for each in family if each.key_id is None]
        return family[:MAX_TRIES]

    def _wait_for_others(self) -> None:
        """Raise KeysPending while others may come, IssuerUnavailable where there are none at all yet."""
        if (fetch := self.refresh()) is not None:
            raise KeysPending(fetch)
        if self._kept.value is None:
            raise IssuerUnavailable(retry_after_seconds=1 + int(self._kept.wait_seconds))


def usable(found: Document) -> Sequence[PublicKey]:
    """Return the public signature keys of a key set, the last ones first; what cannot be used is left out.

    Raises ValueError where nothing is left.
    """
    members = found.get("keys")
    keys = [
        PublicKey(ALGORITHM_OF[member["kty"]], member.get("kid"), key)
        for member in (reversed(members) if isinstance(members, list) else ())
        if isinstance(member, dict) and (key := _public_key(member)) is not None
    ]
    if not keys:
        raise ValueError("it has no key for RS256 or ES256")
    return keys


def _public_key(member: Mapping[str, Any]) -> Any:
    """Return the key of RFC 7517 section 4 that may verify, or None."""
    algorithm = ALGORITHM_OF.get(str(member.get("kty")))
    operations = member.get("key_ops", ["verify"])
    wanted = (
        algorithm is not None
        and member.get("alg", algorithm) == algorithm
        and member.get("use", "sig") == "sig"
        and (isinstance(operations, list) and "verify" in operations)
        # A private key in a public place is nobody's key any more.
        and "d" not in member
        and isinstance(member.get("kid"), str | None)
    )
    if not wanted:
        return None
    try:
        key = PyJWK(dict(member), algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return None
    if algorithm == "ES256":
        return key if key.curve.name == "secp256r1" else None
    return key if key.key_size >= MIN_RSA_BITS else None
