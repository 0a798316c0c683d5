"""Where documents say that things are, and what a client has to show there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from gateway.model import Dataset, Scale

JSON, GEOJSON = "application/json", "application/geo+json"
SCHEMA, OPENAPI, HTML = "application/schema+json", "application/vnd.oai.openapi+json;version=3.1", "text/html"
BEARER, OPENID = "bearer", "openid"
# Of the whole catalogue.
TITLE = "COG Gateway"
# Of the kinds that stac-browser offers a form for.
OWN_TOKEN = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A token of one's own as password, with any user name.",
    }
}
Link = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Site:
    """The gateway as clients reach it: `base` is the address of its API without a slash at the end.

    `open_downloads` is that setting; `issuer` is the OpenID Connect issuer of bearer tokens, None for the gateway.
    """

    base: str
    open_downloads: bool = False
    issuer: str | None = None

    def stac(self, *parts: str) -> str:
        """Return the address of a resource of STAC by the parts of its path."""
        return "/".join((f"{self.base}/stac", *(quote(part, safe="") for part in parts)))

    def dataset(self, dataset_id: str, path: str) -> str:
        """Return the address of a resource of a dataset."""
        return f"{self.base}/datasets/{dataset_id}{path}"

    @property
    def root(self) -> Link:
        """Return the link to the landing page."""
        return link("root", self.stac(), JSON, TITLE)

    @property
    def schemes(self) -> dict[str, dict[str, str]]:
        """Return how a client shows who it is, in the order in which it should be tried (authentication 1.1)."""
        return {**self._bearer, **OWN_TOKEN}

    @property
    def _bearer(self) -> dict[str, dict[str, str]]:
        if self.issuer is None:
            told = "A bearer token of this gateway, in the field Authorization."
            return {BEARER: {"type": "http", "scheme": "bearer", "description": told}}
        url = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
        return {OPENID: {"type": "openIdConnect", "openIdConnectUrl": url}}

    def refs_to_view(self, dataset: Dataset) -> dict[str, list[str]]:
        """Return `auth:refs` of what shows a dataset, nothing where everybody may see it."""
        return {} if dataset.visibility is Scale.PUBLIC else self._refs

    def refs_to_download(self, dataset: Dataset) -> dict[str, list[str]]:
        """Return `auth:refs` of the file, nothing where a plain client may fetch it."""
        return {} if self.open_downloads and dataset.download is Scale.PUBLIC else self._refs

    @property
    def _refs(self) -> dict[str, list[str]]:
        return {"auth:refs": list(self.schemes)}


def link(rel: str, href: str, kind: str, title: str | None = None) -> Link:
    """Return a link of STAC."""
    return {"rel": rel, "href": href, "type": kind, **({"title": title} if title else {})}
