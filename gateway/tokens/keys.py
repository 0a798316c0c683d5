"""Keys that vouch for a token: the gateway's own (HS256, RFC 7518 section 3.2), which sign and verify."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, Protocol

from jwt import InvalidKeyError, InvalidSignatureError, InvalidTokenError, PyJWS

from gateway.errors import BadCredential, SettingsError

ALGORITHM = "HS256"
MAX_TOKEN_BYTES = 8 * 1024
MIN_KEY_BYTES = 32
REMEMBERED_TOKENS = 2048

# Keys that stand in manuals and tools for everybody to read.
PLACEHOLDERS = (
    b"changeme",
    b"change-me",
    b"change_me",
    b"placeholder",
    b"your-secret",
    b"your-256-bit-secret",
    b"a-string-secret-at-least-256-bits-long",
)


class KeySet(Protocol):
    """Keys that vouch for a token's signature."""

    def verify(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token whose signature and algorithm hold; the claims are not judged.

        Raises BadCredential.
        """


class HmacKeys:
    """The gateway's own keys for HS256 (RFC 7518 section 3.2): the first signs, all verify.

    Raises SettingsError when there is no key, or when one is shorter than 32 bytes, is a single repeated
    byte, holds a known placeholder (see PLACEHOLDERS, any case), or looks like a public key or certificate.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._jws = PyJWS([ALGORITHM])
        self.replace(keys)

    def replace(self, keys: Sequence[bytes]) -> None:
        """Take other keys from now on; what the old ones vouched for is forgotten. Raises SettingsError."""
        if not keys:
            raise SettingsError("there is no secret key to sign tokens with")
        for key in keys:
            self._refuse_weak(key)
        self._keys = tuple(keys)
        # A new one and not the old one cleared: a thread that verifies just now writes into the one it took.
        self._vouched: dict[str, Mapping[str, Any]] = {}

    def _refuse_weak(self, key: bytes) -> None:
        if len(key) < MIN_KEY_BYTES:
            raise SettingsError(f"a secret key is shorter than {MIN_KEY_BYTES} bytes")
        if len(set(key)) == 1 or any(word in key.lower() for word in PLACEHOLDERS):
            raise SettingsError("a secret key is a placeholder: make one with `openssl rand -hex 32`")
        try:
            self._jws.encode(b"", key, ALGORITHM)
        except InvalidKeyError:
            raise SettingsError("a secret key looks like a public key or a certificate") from None

    def sign(self, claims: Mapping[str, Any]) -> str:
        """Return `claims` as a token in compact form, signed with the first key."""
        payload = json.dumps(claims, separators=(",", ":"), allow_nan=False).encode()
        return self._jws.encode(payload, self._keys[0], ALGORITHM)

    def verify(self, token: str) -> Mapping[str, Any]:
        """Return the claims of a token that one of the keys signed with HS256. Raises BadCredential.

        The algorithm is never taken from the token, and no header parameter chooses a key (RFC 8725). What
        was vouched for once is remembered: a client that reads hundreds of ranges sends one token.
        """
        claims = self._vouched.get(token)
        if claims is None:
            if len(token) > MAX_TOKEN_BYTES or not token.isascii():
                refuse("The token cannot be read.")
            claims = claims_of(self._payload(token))
            if len(self._vouched) >= REMEMBERED_TOKENS:
                self._vouched.clear()
            self._vouched[token] = claims
        return claims

    def _payload(self, token: str) -> bytes:
        for key in self._keys:
            try:
                return bytes(self._jws.decode(token, key, [ALGORITHM]))
            except InvalidSignatureError:
                continue
            except InvalidTokenError:
                break
        return refuse("The token's signature does not hold.")


def refuse(sentence: str) -> NoReturn:
    """Raise BadCredential with that sentence."""
    # Without a cause: the errors of the library below quote parts of the token.
    raise BadCredential(sentence) from None


def claims_of(payload: bytes) -> Mapping[str, Any]:
    """Return the JSON object that a token carries; its claims are not judged. Raises BadCredential."""
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        refuse("The token cannot be read.")
    if not isinstance(claims, dict):
        refuse("The token cannot be read.")
    return claims
