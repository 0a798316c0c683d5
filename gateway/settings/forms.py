"""Forms that texts of settings have; each function returns the value as it is used, or raises ValueError."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# What a tile of 256 x 256 pixels, statistics or facts cost at most in TILE_RATE.
DEAREST_ANSWER = 16


def rate(value: str) -> str:
    """Return a number of times in a unit of time, or `off`."""
    value = value.strip().lower()
    if not re.fullmatch(r"off|[1-9][0-9]{0,8}/(second|minute|hour|day)", value):
        raise ValueError("must look like 60/minute, or be off")
    return value


def tile_rate(value: str) -> str:
    """Return a rate that lets each answer through, at least one at a time."""
    value = rate(value)
    if value != "off" and int(value.partition("/")[0]) < DEAREST_ANSWER:
        raise ValueError(f"must allow at least {DEAREST_ANSWER}, which one answer may cost")
    return value


def prefix(value: str) -> str:
    """Return a path without a slash at its end."""
    value = value.rstrip("/")
    if not re.fullmatch(r"(/[A-Za-z0-9._~-]+)*", value):
        raise ValueError("must look like /api")
    return value


def public_url(value: str | None) -> str | None:
    """Return the address of a site, with a path or without, and no slash at its end."""
    if value is None:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError("must look like https://maps.example.org")
    return value.rstrip("/")


def scope(value: str) -> str:
    """Return the words of a scope (RFC 6749 section 3.3); without `openid` there is no ID token with the nonce."""
    if not re.fullmatch(r"[\x21\x23-\x5b\x5d-\x7e ]+", value) or "openid" not in value.split():
        raise ValueError("must be words separated by spaces, openid among them")
    return " ".join(value.split())
