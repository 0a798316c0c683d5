"""Header fields that every answer carries, whoever gives it."""

from __future__ import annotations

from collections.abc import Collection

EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified, Location, "
    "Repr-Digest, Retry-After, WWW-Authenticate, X-Assets, X-Request-ID"
)
# `Vary` of answers to who asks with a token, and of those that are the same for all (RFC 9110 section 12.5.5).
FOR_ONE, FOR_ALL = "Origin, Authorization", "Origin"


def default_fields(origins: Collection[str], origin: str | None, request_id: str) -> dict[str, str]:
    """Return the fields of an answer to a request from a page of `origin`, where pages of `origins` may read it.

    A browser gives what it keeps to who asks next, also one who has signed out: so it varies by who asks, unless
    a handler says that it is the same for all.
    """
    fields = {"X-Content-Type-Options": "nosniff", "Vary": FOR_ONE, "X-Request-Id": request_id}
    allowed = "*" if "*" in origins else origin if origin in origins else None
    if allowed is not None:
        fields |= {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": EXPOSED}
    return fields
