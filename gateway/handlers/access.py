"""The access rule that every verb states, and the credential that a request carries."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from tornado.web import RequestHandler

from gateway.errors import BadCredential
from gateway.model import Principal, TokenKind
from gateway.services import Services
from gateway.tokens import verify_bearer, verify_scoped

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

    `checked` is False for what is open to all and looks at no credential (health, pages).
    """

    anonymous: Anonymous = Anonymous.YES
    tokens: frozenset[TokenKind] = frozenset()
    checked: bool = True


OPEN = AccessRule(checked=False)
CALLER = AccessRule()
BEARER = AccessRule(anonymous=Anonymous.NO)
METADATA = AccessRule(tokens=frozenset({TokenKind.TILES}))
DOWNLOAD = AccessRule(tokens=frozenset({TokenKind.DOWNLOAD}), anonymous=Anonymous.IF_OPEN)
# Values are parts of the file. A tile token may come in: what it may not have is 403 and no bad credential.
VALUES = AccessRule(tokens=frozenset(TokenKind), anonymous=Anonymous.IF_OPEN)
OPEN_VALUES = AccessRule(tokens=frozenset(TokenKind))


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
    present and bad, and for nothing at all where the rule wants something.
    """
    if not rule.checked:
        return Principal()
    if credential.authorization is not None:
        scheme, _, token = credential.authorization.strip().partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise BadCredential("The Authorization field is no bearer token.")
        return verify_bearer(token.strip(), services.bearer_keys, services.policy, now)
    if credential.tokens:
        return _scoped(credential.tokens, rule, services, now)
    if rule.anonymous is Anonymous.NO or (
        rule.anonymous is Anonymous.IF_OPEN and not services.settings.open_downloads
    ):
        raise BadCredential("A token is needed here.", present=False)
    return Principal()


def _scoped(tokens: tuple[str, ...], rule: AccessRule, services: Services, now: float) -> Principal:
    if len(tokens) != 1:
        raise BadCredential("There is more than one token.")
    principal = verify_scoped(tokens[0], services.keys, services.policy, now)
    if principal.kind not in rule.tokens:
        raise BadCredential("This kind of token is not accepted here.")
    return principal
