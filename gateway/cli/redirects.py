"""Answers at addresses that lead elsewhere: a token is shown to the first one alone."""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPResponse
from typing import cast
from urllib.error import HTTPError
from urllib.parse import urljoin, urlsplit
from urllib.request import Request, build_opener

from gateway.cli.deviceflow import Stay

SILENT_SECONDS = 60.0
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)


class NotWhole(Exception):
    """A file that could not be had, and why."""


class Later(Exception):
    """An answer after which the same may be asked again, in so many seconds or when the client thinks fit."""

    def __init__(self, reason: str, seconds: int | None = None) -> None:
        super().__init__(reason)
        self.seconds = seconds


def opened(url: str, headers: Mapping[str, str], ranged: Mapping[str, str] | None = None) -> HTTPResponse:
    """Return the answer at an address, redirects followed; `headers` go to the first address alone, `ranged` to all.

    Raises HTTPError, OSError and HTTPException; Later where a redirect leads to an address that has ended.
    """
    first, sent = url, dict(headers)
    for _ in range(MOST_REDIRECTS):
        request = Request(url, headers={"User-Agent": "cog-gateway", **sent, **(ranged or {})})  # noqa: S310
        try:
            return cast(HTTPResponse, build_opener(Stay).open(request, timeout=SILENT_SECONDS))
        except HTTPError as error:
            location = error.headers.get("Location")
            if error.code in REDIRECTS and location:
                error.close()
                sent, url = {}, urljoin(url, location)
                schemes = ("https",) if first.startswith("https:") else ("https", "http")
                if urlsplit(url).scheme not in schemes:
                    raise NotWhole("it leads to an address that is not safe") from None
                continue
            if url != first and error.code in (400, 401, 403):
                raise Later("the address in the store has ended") from None
            raise
    raise NotWhole("it leads from one address to the next")
