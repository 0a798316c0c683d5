"""Tokens: JSON Web Tokens minted and verified (RFC 7519), and the keys that vouch for them."""

from gateway.tokens.claims import NAMES, TokenPolicy, is_name, mint_bearer, mint_scoped, verify_bearer, verify_scoped
from gateway.tokens.issuer import IssuerKeys, fetcher
from gateway.tokens.keys import HmacKeys, KeySet

__all__ = [
    "NAMES",
    "HmacKeys",
    "IssuerKeys",
    "KeySet",
    "TokenPolicy",
    "fetcher",
    "is_name",
    "mint_bearer",
    "mint_scoped",
    "verify_bearer",
    "verify_scoped",
]
