"""Every endpoint, one line each."""

from __future__ import annotations

from tornado.web import RequestHandler

from gateway.handlers.datasets import DatasetHandler, DatasetsHandler, ValidationHandler
from gateway.handlers.downloads import DownloadHandler
from gateway.handlers.health import LiveHandler, ReadyHandler
from gateway.handlers.tokens import DownloadTokenHandler, TileTokenHandler

# {id} takes any one path segment: whether it is an id is for the gatekeeper to say, after the credential.
# {name} is free: the same resource under a file name that clients like.
API_ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    ("/datasets", DatasetsHandler),
    ("/datasets/{id}", DatasetHandler),
    ("/datasets/{id}/validation", ValidationHandler),
    ("/datasets/{id}/download/cog", DownloadHandler),
    ("/datasets/{id}/download/{name}.tif", DownloadHandler),
    ("/auth/download-token/{id}", DownloadTokenHandler),
    ("/auth/tile-token/{id}", TileTokenHandler),
)
ROOT_ROUTES: tuple[tuple[str, type[RequestHandler]], ...] = (
    ("/livez", LiveHandler),
    ("/readyz", ReadyHandler),
)


def pattern(template: str) -> str:
    """Return the regular expression of a route's template, over the percent-encoded path."""
    escaped = template.replace(".", r"\.")
    return escaped.replace("{id}", "([^/]+)").replace("{name}", "[^/]+")


def all_routes(prefix: str) -> list[tuple[str, type[RequestHandler]]]:
    """Return every route's pattern and handler, those of the API below `prefix`."""
    routes = [(prefix + template, handler) for template, handler in API_ROUTES]
    return [(pattern(template), handler) for template, handler in (*routes, *ROOT_ROUTES)]
