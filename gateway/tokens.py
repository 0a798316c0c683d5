"""Tokens: JSON Web Tokens minted and verified (RFC 7519), with the claim checks of this gateway.

A key set vouches for the signature and the algorithm alone. What the claims must be is judged here, and
strictly: a claim of a wrong type is a bad credential. Times are seconds since 1970 in UTC; the caller
brings `now`. Nothing here reads a clock, a file or a network, and no message ever repeats a token.
"""

from __future__ import annotations

import json
import unicodedata
import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NoReturn, Protocol

from jwt import InvalidKeyError, InvalidSignatureError, InvalidTokenError, PyJWS

from gateway.errors import BadCredential, BadParameter, SettingsError
from gateway.model import Principal, TokenKind, dataset_uuid

ALGORITHM = "HS256"
MAX_TOKEN_BYTES = 8 * 1024
MIN_KEY_BYTES = 32
REMEMBERED_TOKENS = 2048
MAX_NAME_CHARACTERS = 255
# How far the clocks of two machines may differ before `iat` and `nbf` count as lying in the future.
FUTURE_SECONDS = 30
# The last second of the year 9999, the end of what datetime and most databases can hold.
LAST_MOMENT = 253_402_300_799
SCOPE_PREFIX = "dataset:"

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
        if not keys:
            raise SettingsError("there is no secret key to sign tokens with")
        self._jws = PyJWS([ALGORITHM])
        for key in keys:
            self._refuse_weak(key)
        self._keys = tuple(keys)
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
                _refuse("The token cannot be read.")
            claims = _claims(self._payload(token))
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
        return _refuse("The token's signature does not hold.")


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What tokens must be: the claim that lists a bearer's roles, and the longest life of each kind in seconds."""

    roles_claim: str = "roles"
    lifetimes: Mapping[TokenKind, int] = field(
        default_factory=lambda: MappingProxyType({TokenKind.DOWNLOAD: 120, TokenKind.TILES: 3600})
    )


def mint_bearer(
    keys: HmacKeys, sub: str, roles: Collection[str], lifetime_seconds: int, now: float, roles_claim: str = "roles"
) -> str:
    """Return a bearer token for the user `sub`: claims sub, iat, exp, jti, and the roles when there are any.

    Raises BadParameter when a name is empty, longer than 255 characters or has control characters.
    """
    if not _is_name(sub) or not all(_is_name(role) for role in roles):
        raise BadParameter("The names of users and roles are 1 to 255 characters, none of them a control character.")
    claims = {"sub": sub, **_times(lifetime_seconds, now), "jti": str(uuid.uuid4())}
    return keys.sign({**claims, roles_claim: sorted(set(roles))} if roles else claims)


def mint_scoped(
    keys: HmacKeys, kind: TokenKind, dataset_id: str, principal: Principal, lifetime_seconds: int, now: float
) -> tuple[str, str]:
    """Return a token for one dataset and its `jti`; the claim `sub` is left out for an anonymous caller.

    All of `principal.roles` go into the token: the caller passes only those that the right came through.
    """
    claims: dict[str, Any] = {"typ": kind.value, "scope": SCOPE_PREFIX + dataset_id, "jti": str(uuid.uuid4())}
    claims |= _times(lifetime_seconds, now)
    if principal.user is not None:
        claims["sub"] = principal.user
    if principal.roles:
        claims["roles"] = sorted(principal.roles)
    return keys.sign(claims), claims["jti"]


def verify_bearer(token: str, keys: KeySet, policy: TokenPolicy, now: float) -> Principal:
    """Return who holds the bearer token `token`. Raises BadCredential.

    Required are `sub`, `exp` and `iat`. A token whose `typ` names a scoped kind is never a bearer token.
    """
    claims = keys.verify(token)
    kind = claims.get("typ", "")
    if not isinstance(kind, str) or kind.casefold() in set(TokenKind):
        _refuse("This kind of token is no bearer token.")
    _, expires = _check_times(claims, now)
    return Principal(
        user=_name(claims, "sub"),
        roles=_roles(claims, policy.roles_claim),
        token_id=_name(claims, "jti") if "jti" in claims else None,
        expires=expires,
    )


def verify_scoped(token: str, keys: HmacKeys, policy: TokenPolicy, now: float) -> Principal:
    """Return who holds the scoped token `token`, with its kind, dataset id and token id. Raises BadCredential.

    Required are `typ`, `scope`, `iat`, `exp` and `jti`; without `sub` the holder is anonymous. The life is
    judged here too: a rightly signed token that was given a longer one than the policy's is refused.
    """
    claims = keys.verify(token)
    kind = _kind(claims)
    issued, expires = _check_times(claims, now)
    if not 0 < expires - issued <= policy.lifetimes[kind]:
        _refuse("The token was issued for too long.")
    return Principal(
        user=_name(claims, "sub") if "sub" in claims else None,
        roles=_roles(claims, "roles"),
        kind=kind,
        dataset_id=_scope(claims),
        token_id=_name(claims, "jti"),
        expires=expires,
    )


def _refuse(sentence: str) -> NoReturn:
    # Without a cause: the errors of the library below quote parts of the token.
    raise BadCredential(sentence) from None


def _claims(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        _refuse("The token cannot be read.")
    if not isinstance(claims, dict):
        _refuse("The token cannot be read.")
    return claims


def _times(lifetime_seconds: int, now: float) -> dict[str, int]:
    return {"iat": int(now), "exp": int(now) + lifetime_seconds}


def _check_times(claims: Mapping[str, Any], now: float) -> tuple[float, float]:
    """Return `iat` and `exp` of a token that holds at `now`; no leeway is given after `exp`."""
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    if now >= expires:
        _refuse("The token has expired.")
    begins = _moment(claims, "nbf") if "nbf" in claims else issued
    if max(issued, begins) > now + FUTURE_SECONDS:
        _refuse("The token is not valid yet.")
    return issued, expires


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # A bool is an int in Python; NaN and the infinities fail the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_MOMENT:
        _refuse(f"The token has no valid {name}.")
    return value


def _is_name(value: object) -> bool:
    """Return whether `value` names a user, role or token: no control, line break or lone surrogate in it."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME_CHARACTERS:
        return False
    return not any(unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in value)


def _name(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not _is_name(value):
        _refuse(f"The token has no valid {claim}.")
    return value


def _roles(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    roles = claims.get(claim, [])
    if not isinstance(roles, list) or not all(_is_name(role) for role in roles):
        _refuse("The token's roles are no list of names.")
    return frozenset(roles)


def _kind(claims: Mapping[str, Any]) -> TokenKind:
    value = claims.get("typ")
    if not isinstance(value, str) or value not in set(TokenKind):
        _refuse("This kind of token is not accepted here.")
    return TokenKind(value)


def _scope(claims: Mapping[str, Any]) -> str:
    scope = claims.get("scope")
    if not isinstance(scope, str) or not scope.startswith(SCOPE_PREFIX):
        _refuse("The token has no valid scope.")
    dataset_id = dataset_uuid(scope.removeprefix(SCOPE_PREFIX))
    if dataset_id is None:
        _refuse("The token has no valid scope.")
    return dataset_id
