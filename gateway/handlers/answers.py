"""Header fields that every answer carries, whoever gives it."""

from __future__ import annotations

from collections.abc import Collection

EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Length, Content-Range, ETag, Last-Modified, Location, "
    "Repr-Digest, Retry-After, WWW-Authenticate, X-Assets, X-Request-ID"
)


def default_fields(origins: Collection[str], origin: str | None, request_id: str) -> dict[str, str]:
    """Return the fields of an answer to a request from a page of `origin`, where pages of `origins` may read it."""
    fields = {"X-Content-Type-Options": "nosniff", "Vary": "Origin", "X-Request-Id": request_id}
    allowed = "*" if "*" in origins else origin if origin in origins else None
    if allowed is not None:
        fields |= {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": EXPOSED}
    return fields
