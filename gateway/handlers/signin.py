"""Signing in with the issuer of bearer tokens: what clients and the page have to know of it."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress

from gateway.errors import IssuerUnavailable, NotFound
from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler
from gateway.services import Services
from gateway.settings import Settings
from gateway.tokens import Endpoints

# How long an answer waits for the issuer.
ISSUER_WAIT_SECONDS = 6.0
ABSOLUTE_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^#\s]+")


class SignInHandler(BaseHandler):
    """How people sign in: the metadata of a protected resource (RFC 9728)."""

    @access(OPEN)
    def get(self) -> None:
        """Send the resource, its issuer, and the public client with which people sign in where there is one."""
        settings = self.services.settings
        told: dict[str, object] = {"resource": self.public_url(""), "bearer_methods_supported": ["header"]}
        if settings.oidc_issuer is not None:
            told["authorization_servers"] = [settings.oidc_issuer]
        if settings.oidc_client_id is not None:
            told["client_id"] = settings.oidc_client_id
            told["scopes_supported"] = settings.oidc_scope.split()
            told["parameters"] = audience_parameter(settings)
        self.set_header("Cache-Control", "no-cache")
        self.send_json(told)

    head = get


class IssuerHandler(BaseHandler):
    """The issuer's endpoints and the gateway's client there, by which the page signs in."""

    @access(OPEN)
    async def get(self) -> None:
        """Send them. Raises NotFound where people do not sign in with an issuer, IssuerUnavailable."""
        settings = self.services.settings
        if settings.oidc_client_id is None:
            raise NotFound("People do not sign in with an issuer here.")
        found = await issuer_endpoints(self.services)
        if found is None:
            raise IssuerUnavailable(self.services.endpoints.retry_seconds, "The issuer cannot be asked just now.")
        self.set_header("Cache-Control", "no-cache")
        self.send_json(
            {
                "issuer": found.issuer,
                "client_id": settings.oidc_client_id,
                "scope": settings.oidc_scope,
                "parameters": audience_parameter(settings),
                "authorization_endpoint": found.authorization,
                "token_endpoint": found.token,
                "end_session_endpoint": found.end_session,
                "revocation_endpoint": found.revocation,
                "authorization_response_iss_parameter_supported": found.names_itself,
                "id_token_signing_alg_values_supported": found.algorithms,
            }
        )

    head = get


async def issuer_endpoints(services: Services) -> Endpoints | None:
    """Return the issuer's endpoints, asked for where they are not known; None where it does not answer in time."""
    if (fetch := services.endpoints.pending()) is not None:
        with suppress(TimeoutError):
            async with asyncio.timeout(ISSUER_WAIT_SECONDS):
                # Shielded: others may wait for the same fetch.
                await asyncio.shield(asyncio.wrap_future(fetch))
    return services.endpoints.known


def audience_parameter(settings: Settings) -> dict[str, str]:
    """Return the parameter by which the issuer is asked for tokens for the gateway.

    RFC 8707 section 2: `resource` is an absolute URI without a fragment.
    """
    audience, parameter = settings.oidc_audience or "", settings.oidc_audience_parameter
    if parameter == "none" or (parameter == "resource" and not ABSOLUTE_URI.fullmatch(audience)):
        return {}
    return {parameter: audience}
