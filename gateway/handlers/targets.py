"""Request targets: what a client sends to a proxy, brought into the form that routes know."""

from __future__ import annotations

import re

from tornado.httputil import HTTPHeaders, RequestStartLine

from gateway.handlers.proxies import HOST

ABSOLUTE = re.compile(r"https?://([^/?]*)(.*)", re.IGNORECASE)


def origin_form(start_line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """Return the start line with a target in absolute form made one of path and query (RFC 9112 section 3.2.2).

    The target's authority takes the place of a good Host; a bad or missing one stays and is refused.
    """
    absolute = None if start_line.path.startswith("/") else ABSOLUTE.fullmatch(start_line.path)
    if absolute is None:
        return start_line
    authority, rest = absolute.groups()
    if HOST.fullmatch(headers.get("Host", "")):
        headers["Host"] = authority
    return start_line._replace(path=rest if rest.startswith("/") else f"/{rest}")
