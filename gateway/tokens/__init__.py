"""Tokens: JSON Web Tokens minted and verified (RFC 7519), the keys that vouch for them, and random ones."""

from gateway.tokens.claims import (
    LINK_PREFIX,
    NAMES,
    TokenPolicy,
    is_name,
    mint_bearer,
    mint_of_link,
    mint_scoped,
    verify_bearer,
    verify_of_link,
    verify_scoped,
    within,
)
from gateway.tokens.discovery import Endpoints, IssuerEndpoints, without_query
from gateway.tokens.issuer import IssuerKeys, described, fetcher
from gateway.tokens.keys import HmacKeys, KeySet
from gateway.tokens.oflists import LIST_PREFIX, LIST_SECONDS, mint_of_list, verify_of_list
from gateway.tokens.opaque import hash_of, is_opaque, kind_of, new_secret

__all__ = [
    "LINK_PREFIX",
    "LIST_PREFIX",
    "LIST_SECONDS",
    "NAMES",
    "Endpoints",
    "HmacKeys",
    "IssuerEndpoints",
    "IssuerKeys",
    "KeySet",
    "TokenPolicy",
    "described",
    "fetcher",
    "hash_of",
    "is_name",
    "is_opaque",
    "kind_of",
    "mint_bearer",
    "mint_of_link",
    "mint_of_list",
    "mint_scoped",
    "new_secret",
    "verify_bearer",
    "verify_of_link",
    "verify_of_list",
    "verify_scoped",
    "within",
    "without_query",
]
