"""The API's description, and the page that shows it."""

from __future__ import annotations

from gateway.handlers.access import OPEN, access
from gateway.handlers.base import BaseHandler
from gateway.handlers.pages import AssetHandler
from gateway.stac.site import OPENAPI

PAGE = "docs.html"


class OpenApiHandler(BaseHandler):
    """The description of the API (OpenAPI 3.1)."""

    @access(OPEN)
    def get(self) -> None:
        """Send the document."""
        self.set_header("Cache-Control", "no-cache")
        # The media type of a description is none that all clients know: who asks for it gets it.
        asked = OPENAPI.partition(";")[0] in self.request.headers.get("Accept", "")
        self.set_header("Vary", "Origin, Accept")
        self.set_header("Content-Type", OPENAPI if asked else "application/json")
        self.finish(self.application.settings["openapi"]())

    head = get


class ApiDocsHandler(AssetHandler):
    """The page that shows the API's description, by Swagger UI."""

    @access(OPEN)
    async def get(self) -> None:  # type: ignore[override]
        """Send the page."""
        await self.send_page(PAGE, "/".join([".."] * self.services.settings.prefix.count("/")) or ".")

    head = get  # type: ignore[assignment]
