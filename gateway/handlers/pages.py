"""The viewer: one page, its scripts and styles, and the policy that they run under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from urllib.parse import urlsplit

from gateway.errors import NotFound
from gateway.handlers.access import OPEN, access
from gateway.handlers.assets import Asset, Assets, asset_of
from gateway.handlers.base import BaseHandler
from gateway.ranges import Conditions, Outcome, evaluate
from gateway.settings import RootSettings, Settings

PAGE = "index.html"
# What stands there is replaced by the API's path, relative to the page: a proxy may have put a path before both.
PLACE_OF_API = b"{{api}}"
# These files have their version in their folder's name.
VENDORED = "vendor/"
VENDORED_SECONDS = 31_536_000
# A name or an IPv4 address, a port: all that a host of the policy may be (CSP 3 section 2.3.1).
HOST_AND_PORT = re.compile(r"[A-Za-z0-9.-]+(:[0-9]+)?")


class AssetHandler(BaseHandler):
    """A file of the viewer, by its path below `static/`."""

    def set_default_headers(self) -> None:
        """Set what every answer carries, and under which policy a browser may run it."""
        super().set_default_headers()
        self.set_header("Content-Security-Policy", policy(self.services.settings))
        self.set_header("Referrer-Policy", "no-referrer")

    @access(OPEN)
    async def get(self, name: str) -> None:
        """Send the file, compressed for who takes that; 304 for who has it. Raises NotFound."""
        asset = await self.in_thread(self.assets.find, name)
        if asset is None or name == PAGE:
            raise NotFound("There is no such file.")
        cache = f"public, max-age={VENDORED_SECONDS}, immutable" if name.startswith(VENDORED) else "no-cache"
        self.send_asset(asset, cache)

    head = get

    @property
    def assets(self) -> Assets:
        """Return the files of the viewer."""
        assets: Assets = self.application.settings["assets"]
        return assets

    def send_asset(self, asset: Asset, cache: str) -> None:
        """Finish with a file in the coding that the client takes best."""
        zipped = asset.zipped if takes_gzip(self.request.headers.get("Accept-Encoding", "")) else None
        etag = asset.etag if zipped is None else asset.zipped_etag
        self.set_header("ETag", etag)
        self.set_header("Cache-Control", cache)
        self.set_header("Vary", "Origin, Accept-Encoding")
        conditions, now = Conditions(if_none_match=self.request.headers.get("If-None-Match")), datetime.now(UTC)
        if evaluate(conditions, etag, now, now=now) is Outcome.NOT_MODIFIED:
            self.set_status(HTTPStatus.NOT_MODIFIED)
            self.finish()
            return
        self.set_header("Content-Type", asset.media_type)
        if zipped is not None:
            self.set_header("Content-Encoding", "gzip")
        self.finish(asset.body if zipped is None else zipped)


class PageHandler(AssetHandler):
    """The viewer's page."""

    @access(OPEN)
    async def get(self) -> None:  # type: ignore[override]
        """Send the page, with the API's path in it."""
        asset = await self.in_thread(self.assets.find, PAGE)
        if asset is None:
            raise NotFound("The viewer is not installed.")
        prefix = escape(f".{self.services.settings.prefix}").encode()
        self.send_asset(asset_of(asset.body.replace(PLACE_OF_API, prefix), asset.media_type), "no-cache")

    head = get  # type: ignore[assignment]


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding field names gzip and does not refuse it (RFC 9110 section 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


def policy(settings: Settings) -> str:
    """Return the Content-Security-Policy of the viewer: nothing but its own files and the stores it is sent to.

    geotiff.js decodes in workers that it makes of blobs, and LERC and ZSTD in WebAssembly.
    """
    stores = "".join(f" {origin}" for origin in sorted(set(store_origins(settings))))
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "style-src 'self'",
            "img-src 'self' blob: data:",
            f"connect-src 'self'{stores}",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


def store_origins(settings: Settings) -> Iterator[str]:
    """Yield the origins that downloads are redirected to: those of the roots in S3 that do not stream."""
    for root in settings.roots.values():
        if root.uri.startswith("s3:") and root.delivery == "redirect":
            yield from origins_of(root)


def origins_of(root: RootSettings) -> Iterator[str]:
    """Yield the origins that a root's presigned URLs may have: with the bucket in the path, and in the host."""
    endpoint = root.public_endpoint_url or root.endpoint_url
    if endpoint is None:
        # The region may stand in a profile or in the environment, and the name of the host follows from it.
        yield "https://*.amazonaws.com"
        yield "https://*.amazonaws.com.cn"
        return
    parts, bucket = urlsplit(endpoint), urlsplit(root.uri).netloc
    for host in (parts.netloc, f"{bucket}.{parts.netloc}"):
        if HOST_AND_PORT.fullmatch(host):
            yield f"{parts.scheme}://{host}"
