"""The access rule that every verb states, and the credential that a request carries."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from tornado.web import RequestHandler

from gateway.errors import BadCredential, Forbidden
from gateway.model import Principal, TokenKind
from gateway.principal import StoredKind
from gateway.services import Services
from gateway.tokens import (
    LINK_PREFIX,
    LIST_PREFIX,
    is_opaque,
    kind_of,
    verify_bearer,
    verify_of_link,
    verify_of_list,
    verify_scoped,
)

F = TypeVar("F", bound=Callable[..., Any])

VERBS = ("get", "head", "post", "put", "patch", "delete")


class Anonymous(Enum):
    """Whether a request without any credential may come in."""

    YES = "yes"
    NO = "no"
    IF_OPEN = "if GATEWAY_OPEN_DOWNLOADS"


@dataclass(frozen=True, slots=True)
class AccessRule:
    """What a verb takes as credential: `tokens` are the kinds that `?token=` may carry.

    `links` are links themselves, in the URL or in place of a bearer token, `lists` those of lists of files, in the
    URL. `own` are tokens on record and what came
    about through them: they make, list and revoke no others. `checked` is False for what is open to all and looks at
    no credential (health, pages).
    """

    anonymous: Anonymous = Anonymous.YES
    tokens: frozenset[TokenKind] = frozenset()
    checked: bool = True
    links: bool = False
    lists: bool = False
    own: bool = True


OPEN = AccessRule(checked=False)
CALLER = AccessRule()
SIGNED_IN = AccessRule(anonymous=Anonymous.NO, own=False)
LINK = AccessRule(anonymous=Anonymous.NO, links=True)
BEARER = AccessRule(anonymous=Anonymous.NO)
LISTED = AccessRule(anonymous=Anonymous.NO, lists=True)
METADATA = AccessRule(tokens=frozenset({TokenKind.TILES}))
DOWNLOAD = AccessRule(tokens=frozenset({TokenKind.DOWNLOAD}), anonymous=Anonymous.IF_OPEN, links=True, lists=True)
# Values are parts of the file. A tile token may come in: what it may not have is 403 and no bad credential.
VALUES = AccessRule(tokens=frozenset(TokenKind), anonymous=Anonymous.IF_OPEN)
OPEN_VALUES = AccessRule(tokens=frozenset(TokenKind))
# Who makes them has shown one of these.
JOB = AccessRule(tokens=frozenset({TokenKind.DOWNLOAD}), anonymous=Anonymous.IF_OPEN)
OPEN_JOB = AccessRule(tokens=frozenset({TokenKind.DOWNLOAD}))


def access(rule: AccessRule) -> Callable[[F], F]:
    """Return a decorator that states the access rule of a verb."""

    def state(verb: F) -> F:
        verb.access_rule = rule  # type: ignore[attr-defined]
        return verb

    return state


def implemented(handler: type[RequestHandler]) -> list[str]:
    """Return the verbs that a handler class has beyond Tornado's own refusals, OPTIONS left out."""
    return [v for v in VERBS if getattr(handler, v) is not RequestHandler._unimplemented_method]


def access_missing(handler: type[RequestHandler]) -> list[str]:
    """Return the verbs of a handler class that state no access rule."""
    return [v for v in implemented(handler) if not hasattr(getattr(handler, v), "access_rule")]


@dataclass(frozen=True, slots=True)
class Credential:
    """What a request carries: the Authorization field, else every `token` of the query, each as received.

    `in_url` tells whether the URL had one, looked at or not: it must not be kept or passed on by its readers.
    """

    authorization: str | None
    tokens: tuple[str, ...]
    in_url: bool = False


def principal_of(credential: Credential, rule: AccessRule, services: Services, now: float) -> Principal:
    """Return who asks.

    A good Authorization wins over `?token=`; a bad one is never passed over. Raises BadCredential for what is
    present and bad, and for nothing at all where the rule wants something, CredentialPending for what is to be looked
    up first, and Forbidden for a token on record where only its owner may act.
    """
    if not rule.checked:
        return Principal()
    if credential.authorization is not None:
        principal = _in_field(credential.authorization, rule, services, now)
        if principal.stored is not None and not rule.own:
            raise Forbidden("This is for those who sign in: a token of one's own, or a link, does not make others.")
        return principal
    if credential.tokens:
        return _scoped(credential.tokens, rule, services, now)
    if rule.anonymous is Anonymous.NO or (
        rule.anonymous is Anonymous.IF_OPEN and not services.settings.open_downloads
    ):
        raise BadCredential("A token is needed here.", present=False)
    return Principal()


def _in_field(authorization: str, rule: AccessRule, services: Services, now: float) -> Principal:
    """Return who shows what the Authorization field has (RFC 9110 section 11.6.2)."""
    scheme, _, given = authorization.strip().partition(" ")
    token = given.strip()
    if scheme.lower() == "basic":
        token = _password(token)
        if not is_opaque(token):
            raise BadCredential("The password of HTTP Basic is no token of one's own.")
    elif scheme.lower() != "bearer" or not token:
        raise BadCredential("The Authorization field is no bearer token.")
    if is_opaque(token):
        return _on_record(token, rule, services, now)
    if token.startswith(LINK_PREFIX):
        return verify_of_link(token, services.keys, services.policy, now, services.shown.by_id)
    return verify_bearer(token, services.bearer_keys, services.policy, now)


def _password(given: str) -> str:
    """Return the password of HTTP Basic (RFC 7617), whatever the user's name: the token says who it is.

    The name may be in any encoding: clients that are told none use their own.
    """
    try:
        return base64.b64decode(given, validate=True).partition(b":")[2].decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise BadCredential("The Authorization field is no HTTP Basic.") from None


def _on_record(secret: str, rule: AccessRule, services: Services, now: float) -> Principal:
    principal = services.shown.holder(secret, now)
    if principal.is_by_link and not rule.links:
        raise BadCredential("A link is not accepted here.")
    return principal


def _scoped(tokens: tuple[str, ...], rule: AccessRule, services: Services, now: float) -> Principal:
    if len(tokens) != 1:
        raise BadCredential("There is more than one token.")
    if rule.links and kind_of(tokens[0]) is StoredKind.LINK:
        return _on_record(tokens[0], rule, services, now)
    if rule.lists and tokens[0].startswith(LIST_PREFIX):
        return verify_of_list(tokens[0], services.keys, now, services.shown.list_by_id)
    principal = verify_scoped(tokens[0], services.keys, services.policy, now, services.shown.by_id)
    if principal.kind not in rule.tokens:
        raise BadCredential("This kind of token is not accepted here.")
    return principal
