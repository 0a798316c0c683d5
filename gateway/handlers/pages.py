"""The viewer: one page, its scripts and styles, and the policy that they run under."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import escape
from http import HTTPStatus
from urllib.parse import urlsplit

from gateway import __version__
from gateway.errors import NotFound
from gateway.handlers.access import OPEN, access
from gateway.handlers.assets import Asset, Assets, asset_of
from gateway.handlers.base import BaseHandler
from gateway.handlers.signin import issuer_endpoints
from gateway.ranges import Conditions, Outcome, evaluate
from gateway.settings import RootSettings, Settings
from gateway.settings.root import HOST_AND_PORT, subdomains
from gateway.tokens import Endpoints, without_query

PAGE = "index.html"
ICON = "favicon.ico"
EXAMPLES = "examples/"
# These files have their version in their folder's name.
VENDORED = "vendor/"
VENDORED_SECONDS = 31_536_000


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
        # Pages have addresses of their own, from which their links lead somewhere.
        if asset is None or name.endswith(".html"):
            raise NotFound("There is no such file.")
        cache = f"public, max-age={VENDORED_SECONDS}, immutable" if name.startswith(VENDORED) else "no-cache"
        self.send_asset(asset, cache)

    head = get

    @property
    def assets(self) -> Assets:
        """Return the files of the viewer."""
        assets: Assets = self.application.settings["assets"]
        return assets

    async def send_page(self, name: str, up: str, cache: str = "no-cache") -> None:
        """Finish with a page, its places filled; `up` leads from it to the gateway's root. Raises NotFound."""
        asset = await self.in_thread(self.assets.find, name)
        if asset is None:
            raise NotFound("There is no such page.")
        self.send_asset(asset_of(filled(asset.body, self.services.settings, up), asset.media_type), cache)

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
        """Send the page, with the API's path in it.

        Where an issuer sends somebody back to it (RFC 6749 section 4.1.2), and nowhere else, it may ask the issuer.
        """
        settings = self.services.settings
        if settings.oidc_client_id is None or "state" not in self.request.query_arguments:
            return await self.send_page(PAGE, ".")
        endpoints = await issuer_endpoints(self.services)
        self.set_header("Content-Security-Policy", policy(settings, endpoints))
        # The address has a code in it.
        await self.send_page(PAGE, ".", cache="no-store")
        return None

    head = get  # type: ignore[assignment]


class IconHandler(AssetHandler):
    """The icon that browsers ask for unasked."""

    @access(OPEN)
    async def get(self) -> None:  # type: ignore[override]
        """Send the icon."""
        await super().get(ICON)

    head = get  # type: ignore[assignment]


class ExamplesHandler(AssetHandler):
    """The examples for map clients: pages, their scripts and styles."""

    @access(OPEN)
    async def get(self, name: str = "index.html") -> None:
        """Send a page or a file of it. Raises NotFound."""
        if name.endswith(".html"):
            await self.send_page(EXAMPLES + name, "..")
        else:
            await super().get(EXAMPLES + name)

    head = get


class ElsewhereHandler(BaseHandler):
    """What people guess: the API's own address, which leads to its docs, and a page's with a slash more or less."""

    @access(OPEN)
    def get(self, _: str | None = None) -> None:
        """Redirect by a relative reference, because a proxy may have put a path before (RFC 9110 section 15.4.3)."""
        path, prefix = self.request.path, self.services.settings.prefix
        last = path.rstrip("/").rpartition("/")[2]
        if path.rstrip("/") == prefix:
            self.redirect("docs" if path.endswith("/") else f"{last}/docs")
        else:
            self.redirect(f"../{last}" if path.endswith("/") else f"{last}/")

    head = get


def filled(page: bytes, settings: Settings, up: str) -> bytes:
    """Return a page with what it has to know of its gateway, each `{{name}}` replaced; paths are relative to it."""
    values = {
        "api": f"{up}{settings.prefix}",
        "root": up,
        "version": __version__,
        "basemap": settings.basemap_url or "",
        "attribution": settings.basemap_attribution,
        # What people know it by.
        "issuer": urlsplit(settings.oidc_issuer or "").netloc if settings.oidc_client_id else "",
        "open": "yes" if settings.open_downloads else "no",
    }
    for name, value in values.items():
        page = page.replace(f"{{{{{name}}}}}".encode(), escape(value).encode())
    return page


def takes_gzip(accepted: str) -> bool:
    """Return whether an Accept-Encoding field names gzip and does not refuse it (RFC 9110 section 12.5.3)."""
    for part in accepted.lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight)
    return False


def policy(settings: Settings, issuer: Endpoints | None = None) -> str:
    """Return the Content-Security-Policy of the pages: their own files, the stores, and the tiles of the ground.

    Of an `issuer` its token and revocation endpoints alone may be asked, and a form may be sent to where its
    sessions end, from where it may lead back here (browsers look at each step of the way).
    geotiff.js decodes in workers that it makes of blobs, and LERC and ZSTD in WebAssembly.
    """
    stores = "".join(f" {origin}" for origin in sorted(set(store_origins(settings))))
    ground = "".join(f" {origin}" for origin in ground_origins(settings))
    asked, forms = "", "'none'"
    if issuer is not None:
        asked = "".join(f" {without_query(each)}" for each in (issuer.token, issuer.revocation) if each)
        forms = f"'self' {without_query(issuer.end_session)}" if issuer.end_session else forms
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self' 'wasm-unsafe-eval'",
            "style-src 'self'",
            f"img-src 'self' blob: data:{ground}",
            f"connect-src 'self'{stores}{asked}",
            "worker-src 'self' blob:",
            "base-uri 'none'",
            f"form-action {forms}",
            "frame-ancestors 'none'",
        )
    )


def ground_origins(settings: Settings) -> tuple[str, ...]:
    """Return the origins of the tiles below the datasets, where the operator has named some."""
    if settings.basemap_url is None:
        return ()
    parts = (urlsplit(plain) for plain in subdomains(settings.basemap_url))
    return tuple(f"{each.scheme}://{each.netloc}" for each in parts)


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
