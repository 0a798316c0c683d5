"""Tokens: JSON Web Tokens minted and verified (RFC 7519), with the claim checks of this gateway.

A key set vouches for the signature and the algorithm alone. What the claims must be is judged here, and
strictly: a claim of a wrong type is a bad credential. Times are seconds since 1970 in UTC; the caller
brings `now`. Nothing here reads a clock, a file or a network, and no message ever repeats a token.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from gateway.catalogue.layers import LayerName, layer_of_scope
from gateway.errors import BadParameter
from gateway.ids import dataset_uuid
from gateway.model import Principal, TokenKind
from gateway.principal import StoredToken
from gateway.tokens.keys import HmacKeys, KeySet, refuse

log = logging.getLogger("gateway")
MAX_NAME_CHARACTERS = 255
# Nothing in a name is invisible, but for plain spaces.
NAMES = f"The names of users and roles are 1 to {MAX_NAME_CHARACTERS} printable characters."
# Of so many users it is remembered that the log has been told of their roles.
TOLD_USERS = 1024
# How far the clocks of two machines may differ before `iat` and `nbf` count as lying in the future.
FUTURE_SECONDS = 30
# The tile tokens of documents change this often at most.
STEP_SECONDS = 900
# The last second of the year 9999, the end of what datetime and most databases can hold.
LAST_MOMENT = 253_402_300_799
SCOPE_PREFIX = "dataset:"
# The `typ` of what a link is exchanged for, and what stands before such a token: it is no bearer of anybody.
OF_LINK, LINK_PREFIX = "link", "cgs_"
OF_LIST = "list"
# Finds a token on record by its id; raises BadCredential.
OnRecord = Callable[[str], StoredToken]


def nothing_on_record(token_id: str) -> StoredToken:
    """Raise BadCredential: there is no token on record."""
    refuse("The token is not accepted.")


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """What tokens must be: the claim that lists a bearer's roles, and the life of each kind in seconds.

    With an `issuer`, bearer tokens must come from it and be meant for `audience`.
    """

    roles_claim: str = "roles"
    issuer: str | None = None
    audience: str | None = None
    lifetimes: Mapping[TokenKind, int] = field(
        default_factory=lambda: MappingProxyType({TokenKind.DOWNLOAD: 120, TokenKind.TILES: 3600})
    )

    @property
    def step_seconds(self) -> int:
        """Return how long the tile tokens in documents stay the same, so that clients may keep what they open."""
        return max(1, min(STEP_SECONDS, self.lifetimes[TokenKind.TILES] // 4))

    def step_begin(self, now: float) -> int:
        """Return when the current step of tile tokens in documents began; steps are those of the clock."""
        return int(now) // self.step_seconds * self.step_seconds

    def longest_seconds(self, kind: TokenKind) -> int:
        """Return the longest life of a kind: a tile token handed out late in its step still lives in full."""
        return self.lifetimes[kind] + (self.step_seconds if kind is TokenKind.TILES else 0)


def is_name(value: str) -> bool:
    """Return whether a token can bear `value` as the name of a user or role, or as its own id: see NAMES."""
    return 0 < len(value) <= MAX_NAME_CHARACTERS and value.isprintable()


def mint_bearer(
    keys: HmacKeys, sub: str, roles: Collection[str], lifetime_seconds: int, now: float, roles_claim: str = "roles"
) -> str:
    """Return a bearer token for the user `sub`: claims sub, iat, exp, jti, and the roles when there are any.

    Raises BadParameter when a name is empty, longer than 255 characters or not printable.
    """
    if not is_name(sub) or not all(is_name(role) for role in roles):
        raise BadParameter(NAMES)
    claims = {"sub": sub, **_times(lifetime_seconds, now), "jti": str(uuid.uuid4())}
    return keys.sign({**claims, roles_claim: sorted(set(roles))} if roles else claims)


def mint_scoped(  # noqa: PLR0913 - the claims of a token
    keys: HmacKeys,
    kind: TokenKind,
    opens: str | LayerName,
    principal: Principal,
    lifetime_seconds: int,
    now: float,
    *,
    token_id: str | None = None,
) -> tuple[str, str]:
    """Return a token for a dataset, by its id, or a layer, and its `jti`; anonymous callers have no claim `sub`.

    All of `principal.roles` go into the token: the caller passes only those that the right came through. A token on
    record through which it comes about is named in it (`via`), and dies with it; so is its end the latest one.
    """
    claims: dict[str, Any] = {
        "typ": kind.value,
        "scope": opens.scope if isinstance(opens, LayerName) else SCOPE_PREFIX + opens,
        "jti": token_id or str(uuid.uuid4()),
    }
    claims |= _times(within(principal, lifetime_seconds, now), now)
    if principal.person is not None:
        claims["sub"] = principal.person
    if principal.stored is not None:
        claims["via"] = principal.stored.id
    if principal.roles:
        claims["roles"] = sorted(principal.roles)
    return keys.sign(claims), claims["jti"]


def within(principal: Principal, lifetime_seconds: int, now: float) -> int:
    """Return the life of a token that comes about through another one: not beyond the end of one on record."""
    if principal.stored is None:
        return lifetime_seconds
    return min(lifetime_seconds, int(principal.stored.expires_at.timestamp()) - int(now))


def mint_of_link(keys: HmacKeys, link: StoredToken, lifetime_seconds: int, now: float) -> tuple[str, str]:
    """Return what a link is exchanged for, with which its holder asks like a user who is signed in, and its `jti`."""
    token_id = str(uuid.uuid4())
    life = within(Principal(stored=link), lifetime_seconds, now)
    return LINK_PREFIX + keys.sign({"typ": OF_LINK, "via": link.id, "jti": token_id, **_times(life, now)}), token_id


def verify_of_link(token: str, keys: HmacKeys, policy: TokenPolicy, now: float, on_record: OnRecord) -> Principal:
    """Return who holds what `mint_of_link` made. Raises BadCredential, and what `on_record` raises."""
    claims = keys.verify(token.removeprefix(LINK_PREFIX))
    if claims.get("typ") != OF_LINK:
        refuse("This kind of token is not accepted here.")
    issued, expires = _check_times(claims, now)
    if not 0 < expires - issued <= policy.lifetimes[TokenKind.TILES]:
        refuse("The token was issued for too long.")
    stored = on_record(_name(claims, "via"))
    return Principal(stored.owner, stored.roles, token_id=_name(claims, "jti"), expires=expires, stored=stored)


def verify_bearer(token: str, keys: KeySet, policy: TokenPolicy, now: float) -> Principal:
    """Return who holds the bearer token `token`. Raises BadCredential.

    Required are `sub`, `exp` and `iat`, and with an issuer `iss` and `aud`. A token whose `typ` names a scoped
    kind is never a bearer token.
    """
    claims = keys.verify(token)
    kind = claims.get("typ", "")
    if not isinstance(kind, str) or kind.casefold() in {*TokenKind, OF_LINK, OF_LIST}:
        refuse("This kind of token is no bearer token.")
    _, expires = _check_times(claims, now)
    if policy.issuer is not None:
        _check_origin(claims, policy)
    return Principal(
        user=_name(claims, "sub"),
        roles=_roles(claims, policy.roles_claim),
        token_id=_name(claims, "jti") if "jti" in claims else None,
        expires=expires,
    )


def verify_scoped(
    token: str, keys: HmacKeys, policy: TokenPolicy, now: float, on_record: OnRecord = nothing_on_record
) -> Principal:
    """Return who holds the scoped token `token`, with its kind, what it opens and its id.

    Raises BadCredential, and what `on_record` raises for the token through which it came about.

    Required are `typ`, `scope`, `iat`, `exp` and `jti`; without `sub` the holder is anonymous. The life is
    judged here too: a rightly signed token that was given a longer one than the policy's is refused.
    """
    claims = keys.verify(token)
    kind = _kind(claims)
    issued, expires = _check_times(claims, now)
    if not 0 < expires - issued <= policy.longest_seconds(kind):
        refuse("The token was issued for too long.")
    dataset_id, layer = _scope(claims, kind)
    stored = on_record(_name(claims, "via")) if "via" in claims else None
    # One that came about through a link names nobody: whose rights it has, the link says.
    owner = stored.owner if stored is not None else None
    return Principal(
        user=_name(claims, "sub") if "sub" in claims else owner,
        roles=_roles(claims, "roles"),
        kind=kind,
        dataset_id=dataset_id,
        layer=layer,
        token_id=_name(claims, "jti"),
        expires=expires,
        stored=stored,
    )


def _times(lifetime_seconds: int, now: float) -> dict[str, int]:
    return {"iat": int(now), "exp": int(now) + lifetime_seconds}


def _check_times(claims: Mapping[str, Any], now: float) -> tuple[float, float]:
    """Return `iat` and `exp` of a token that holds at `now`; no leeway is given after `exp`."""
    issued, expires = _moment(claims, "iat"), _moment(claims, "exp")
    if now >= expires:
        refuse("The token has expired.")
    begins = _moment(claims, "nbf") if "nbf" in claims else issued
    if max(issued, begins) > now + FUTURE_SECONDS:
        refuse("The token is not valid yet.")
    return issued, expires


def _check_origin(claims: Mapping[str, Any], policy: TokenPolicy) -> None:
    """Return when the token is of the policy's issuer and for its audience (RFC 7519 sections 4.1.1 and 4.1.3)."""
    audience = claims.get("aud")
    if claims.get("iss") != policy.issuer:
        refuse("The token is of another issuer.")
    if audience != policy.audience and not (isinstance(audience, list) and policy.audience in audience):
        refuse("The token is for another audience.")


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    # A bool is an int in Python; NaN and the infinities fail the comparison.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LAST_MOMENT:
        refuse(f"The token has no valid {name}.")
    return value


def _name(claims: Mapping[str, Any], claim: str) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or not is_name(value):
        refuse(f"The token has no valid {claim}.")
    return value


def _roles(claims: Mapping[str, Any], claim: str) -> frozenset[str]:
    """Return the roles: of a list its names, of a text that one (as AD FS has it), of null and of nothing none.

    What is no name could not have been granted anything; it is left out, and its token is as good as without it.
    """
    found = _at(claims, claim)
    roles = [found] if isinstance(found, str) else [] if found is None else found
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        refuse("The token's roles are no list of names.")
    named = frozenset(role for role in roles if is_name(role))
    if left_out := len(set(roles) - named):
        _tell_of_roles(str(claims.get("sub")), left_out)
    return named


@lru_cache(maxsize=TOLD_USERS)
def _tell_of_roles(user: str, left_out: int) -> None:
    """Log that roles are left out, once and not for each request with the token."""
    told = {"user": user if is_name(user) else None}
    log.warning("%d roles of a token are left out: no 1 to 255 printable characters", left_out, extra=told)


def _at(claims: Mapping[str, Any], path: str) -> Any:
    """Return the claim of that name, None for none; dots lead into objects, as in `realm_access.roles`.

    Names may have dots themselves (`resource_access.my.client.roles`): the longest part of the path that is a
    member goes first.
    """
    if path in claims:
        return claims[path]
    ends = [place for place, character in enumerate(path) if character == "."]
    for end in reversed(ends):
        inner = claims.get(path[:end])
        if isinstance(inner, dict) and (found := _at(inner, path[end + 1 :])) is not None:
            return found
    return None


def _kind(claims: Mapping[str, Any]) -> TokenKind:
    value = claims.get("typ")
    if not isinstance(value, str) or value not in set(TokenKind):
        refuse("This kind of token is not accepted here.")
    return TokenKind(value)


def _scope(claims: Mapping[str, Any], kind: TokenKind) -> tuple[str | None, str | None]:
    """Return the id of the dataset that a token opens, and the scope of the layer; one of them is None."""
    scope = claims.get("scope")
    if not isinstance(scope, str):
        refuse("The token has no valid scope.")
    if kind is TokenKind.TILES and (layer := layer_of_scope(scope)) is not None:
        return None, layer.scope
    dataset_id = dataset_uuid(scope.removeprefix(SCOPE_PREFIX)) if scope.startswith(SCOPE_PREFIX) else None
    if dataset_id is None:
        refuse("The token has no valid scope.")
    return dataset_id, None
