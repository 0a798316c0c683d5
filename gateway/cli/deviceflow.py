"""Signing in on another device (RFC 8628): a code for a browser, and a token when it was entered there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPRedirectHandler, Request, build_opener

from gateway.errors import SettingsError
from gateway.reasons import reason_of

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
ANSWER_SECONDS = 10.0
MOST_BYTES = 1 << 20
# RFC 8628 section 3.5: how much longer to wait after `slow_down`, and where nothing is said.
SLOWER_SECONDS = USUAL_SECONDS = 5
LONGEST_SECONDS = 1800
WEB = ("https://", "http://")
Show = Callable[[str, str], None]
Sleep = Callable[[float], None]


class Refused(Exception):
    """An answer with an error status: `status`, and the JSON object of its body."""

    def __init__(self, status: int, told: Mapping[str, Any]) -> None:
        super().__init__(f"answered {status}")
        self.status, self.told = status, told


class Stay(HTTPRedirectHandler):
    """Follows no redirect: a token must not be shown to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return None: the redirect is the answer."""


def answer(url: str, data: bytes | None = None, **headers: str) -> Mapping[str, Any]:
    """Return the JSON object at an address, by POST where there is data.

    Raises Refused for an error status, SettingsError where there is no answer that can be read.
    """
    if not url.startswith(WEB):
        raise SettingsError(f"{url[:80]} is no address of the web")
    request = Request(url, data, {"Accept": "application/json", "User-Agent": "cog-gateway", **headers})  # noqa: S310
    try:
        try:
            with build_opener(Stay).open(request, timeout=ANSWER_SECONDS) as response:
                return _object(response.read(MOST_BYTES))
        except HTTPError as error:
            raise Refused(error.code, _object(error.read(MOST_BYTES))) from None
    except (OSError, ValueError, RecursionError, HTTPException) as error:
        host = url.split("/")[2]
        raise SettingsError(f"{host} gives no answer that can be read: {reason_of(error)}") from None


def _object(body: bytes) -> Mapping[str, Any]:
    found = json.loads(body or b"{}")
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def device_token(issuer: str, asked: Mapping[str, str], show: Show, sleep: Sleep) -> str:
    """Return an access token after somebody has entered the code that `show` tells, with the address for it.

    `asked` are the client, its scope, and how the issuer is asked for an audience (RFC 8707). Raises SettingsError
    where the issuer knows no such flow, or the code was refused or not entered in time.
    """
    try:
        found = answer(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != issuer:
            raise SettingsError("the issuer's configuration is not the issuer's")
        if "device_authorization_endpoint" not in found:
            raise SettingsError(f"{issuer} lets nobody sign in from a command: use --with-token")
        begun = answer(str(found["device_authorization_endpoint"]), urlencode(asked).encode())
        show(
            str(begun.get("verification_uri_complete") or begun.get("verification_uri")), str(begun.get("user_code"))
        )
        fields = {**asked, "grant_type": GRANT, "device_code": str(begun.get("device_code"))}
        fields.pop("scope", None)
        return _entered(str(found.get("token_endpoint")), fields, begun, sleep)
    except Refused as refused:
        told = refused.told.get("error_description") or refused.told.get("error") or refused.status
        raise SettingsError(f"the issuer refuses: {str(told)[:200]}") from None


def _entered(url: str, fields: Mapping[str, str], begun: Mapping[str, Any], sleep: Sleep) -> str:
    """Return the token once the code was entered, asked for no more often than the issuer wants. Raises Refused."""
    wait = _seconds(begun.get("interval"), USUAL_SECONDS)
    until = time.monotonic() + _seconds(begun.get("expires_in"), LONGEST_SECONDS)
    while time.monotonic() < until:
        sleep(wait)
        try:
            told = answer(url, urlencode(fields).encode())
        except Refused as refused:
            error = refused.told.get("error")
            if error not in ("slow_down", "authorization_pending"):
                raise
            wait += SLOWER_SECONDS if error == "slow_down" else 0
            continue
        if not isinstance(told.get("access_token"), str):
            raise SettingsError("the issuer's answer has no token")
        return str(told["access_token"])
    raise SettingsError("the code was not entered in time")


def _seconds(value: Any, usual: int) -> float:
    return value if isinstance(value, int | float) and 0 < value <= LONGEST_SECONDS else usual
