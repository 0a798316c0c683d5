"""The token that stands in every address of a list of files: it names the list, which is on record."""

from __future__ import annotations

from gateway.model import Principal
from gateway.principal import StoredToken
from gateway.tokens.claims import OF_LIST, OnRecord, _check_times, _name
from gateway.tokens.keys import HmacKeys, refuse

LIST_PREFIX = "cgd_"
LIST_SECONDS = 86_400


def mint_of_list(keys: HmacKeys, stored: StoredToken) -> str:
    """Return the token of a list, the same each time while the first key is the same."""
    began, ends = int(stored.created_at.timestamp()), int(stored.expires_at.timestamp())
    return LIST_PREFIX + keys.sign({"typ": OF_LIST, "jti": stored.id, "iat": began, "exp": ends})


def verify_of_list(token: str, keys: HmacKeys, now: float, on_record: OnRecord) -> Principal:
    """Return who holds what `mint_of_list` made: whoever made the list. Raises BadCredential.

    And what `on_record` raises, which finds the list by its id. Which files are in it the records say.
    """
    claims = keys.verify(token.removeprefix(LIST_PREFIX))
    if claims.get("typ") != OF_LIST:
        refuse("This kind of token is not accepted here.")
    issued, expires = _check_times(claims, now)
    if not 0 < expires - issued <= LIST_SECONDS:
        refuse("The token was issued for too long.")
    stored = on_record(_name(claims, "jti"))
    return Principal(stored.owner, stored.roles, token_id=stored.id, expires=expires, stored=stored)
