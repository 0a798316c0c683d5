"""Problem documents (RFC 9457): of handlers, and whole answers of what never reaches one."""

from __future__ import annotations

import json
import time
from typing import Any

from tornado.httputil import format_timestamp

from gateway.errors import GatewayError
from gateway.handlers.trace import new_request_id

MEDIA_TYPE = "application/problem+json"


def problem_of(error: GatewayError, request_id: str) -> dict[str, Any]:
    """Return the members of a problem document (RFC 9457 section 3.1)."""
    base = {"type": error.type_uri, "title": error.title, "status": error.status, "instance": request_id}
    detail = {"detail": error.detail} if error.detail else {}
    return {**base, **detail, **error.members}


def json_bytes(value: object) -> bytes:
    """Return compact JSON; NaN is refused, because JSON has none."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode()


def whole_answer(error: GatewayError, origins: tuple[str, ...]) -> bytes:
    """Return head and body of the last answer of a connection, to a request of which nothing is known.

    Pages of all origins may read it where `origins` lets all in.
    """
    request_id = new_request_id()
    body = json_bytes(problem_of(error, request_id))
    fields = {
        "Date": format_timestamp(time.time()),
        "Content-Type": MEDIA_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
        "X-Request-Id": request_id,
        **({"Access-Control-Allow-Origin": "*"} if "*" in origins else {}),
        **error.headers,
    }
    lines = (f"HTTP/1.1 {error.status} {error.title}", *(f"{name}: {value}" for name, value in fields.items()))
    return "\r\n".join((*lines, "", "")).encode() + body
