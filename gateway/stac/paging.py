"""The token of a page: where in the order of one search it begins, and nothing of who asks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from gateway.catalogue.search import Search
from gateway.errors import BadCredential, BadParameter

# In place of the dots of a JSON Web Token: no page token is taken for a credential, and no credential for one.
MARK = "~"
KIND = "page"
OTHER = "The token is of another search."
# Keys of a signature: sign gives the text of claims, verify gives claims or raises BadCredential.
Sign = Callable[[Mapping[str, Any]], str]
Verify = Callable[[str], Mapping[str, Any]]
Key = tuple[str | int, ...]


def fingerprint(search: Search) -> str:
    """Return what tells a search from every other one, whatever page of it and however many items that has."""
    plain = replace(search, limit=1, after=None, intersects=None)
    area = json.dumps(search.intersects, sort_keys=True)
    return hashlib.blake2b(f"{plain!r} {area}".encode(), digest_size=16).hexdigest()


def page_token(sign: Sign, of: str, after: Key) -> str:
    """Return the token of the page that follows `after` in what has the fingerprint `of`."""
    return sign({"typ": KIND, "of": of, "after": list(after)}).replace(".", MARK)


def after_of(verify: Verify, of: str, token: str | None) -> Key | None:
    """Return what the page of a token follows, None without a token.

    Raises BadParameter for a token of something else, and BadCredential for one that is a credential: a query is no
    place for those.
    """
    if token is None:
        return None
    if "." in token:
        raise BadCredential("The parameter token takes no credential here.")
    try:
        claims = verify(token.replace(MARK, "."))
    except BadCredential:
        raise BadParameter("The parameter token is none of a page.") from None
    if claims.get("typ") != KIND or claims.get("of") != of:
        raise BadParameter(OTHER)
    return tuple(claims["after"])
