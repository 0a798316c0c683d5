"""The API's description, and the page that shows it."""

from __future__ import annotations

from gateway.errors import NotFound
from gateway.handlers.access import OPEN, access
from gateway.handlers.assets import asset_of
from gateway.handlers.base import BaseHandler
from gateway.handlers.pages import AssetHandler

PAGE = "docs.html"
# What stands there is replaced by the way from the page to the folder of its files.
PLACE_OF_STATIC = b"{{static}}"


class OpenApiHandler(BaseHandler):
    """The description of the API (OpenAPI 3.1)."""

    @access(OPEN)
    def get(self) -> None:
        """Send the document."""
        self.set_header("Cache-Control", "no-cache")
        self.send_json(self.application.settings["openapi"])

    head = get


class ApiDocsHandler(AssetHandler):
    """The page that shows the API's description, by Swagger UI."""

    @access(OPEN)
    async def get(self) -> None:  # type: ignore[override]
        """Send the page."""
        asset = await self.in_thread(self.assets.find, PAGE)
        if asset is None:
            raise NotFound("The page is not installed.")
        up = "../" * self.services.settings.prefix.count("/") or "./"
        body = asset.body.replace(PLACE_OF_STATIC, f"{up}static".encode())
        self.send_asset(asset_of(body, asset.media_type), "no-cache")

    head = get  # type: ignore[assignment]
