"""Tokens that say nothing by themselves: random, and on record as a hash alone."""

from __future__ import annotations

import hashlib
import re
import secrets

from gateway.principal import StoredKind

SECRET_BYTES = 32
PREFIXES = {StoredKind.OWN: "cgw_", StoredKind.LINK: "cgl_"}
# 32 bytes in base64url (RFC 4648 section 5).
FORM = re.compile(r"cg[wl]_[A-Za-z0-9_-]{43}", re.ASCII)


def new_secret(kind: StoredKind) -> str:
    """Return a secret that nobody has had before."""
    return PREFIXES[kind] + secrets.token_urlsafe(SECRET_BYTES)


def hash_of(secret: str) -> str:
    """Return the SHA-256 by which a secret is on record, in hex; of 256 random bits no slower one is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_opaque(text: str) -> bool:
    """Return whether a text begins as one of these tokens does, be it well formed or not."""
    return text.startswith(tuple(PREFIXES.values()))


def kind_of(secret: str) -> StoredKind | None:
    """Return what a secret is, None for what has not the form of one."""
    if not FORM.fullmatch(secret):
        return None
    return next(kind for kind, prefix in PREFIXES.items() if secret.startswith(prefix))
