"""STAC: the landing page, collections, and what both have in common with searches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from gateway.catalogue.collections import ID_FORM, SeenCollection
from gateway.download import etag_of
from gateway.errors import NotFound
from gateway.handlers.access import CALLER, access
from gateway.handlers.base import BaseHandler
from gateway.handlers.datasets import one
from gateway.handlers.problems import json_bytes
from gateway.handlers.searching import searched
from gateway.issuing import is_offered
from gateway.ranges import Conditions, Outcome, evaluate
from gateway.stac.collections import collection_of, collections_page
from gateway.stac.landing import conformance, landing
from gateway.stac.paging import after_of, page_token
from gateway.stac.queries import limit
from gateway.stac.queryables import queryables
from gateway.stac.requests import limit_of
from gateway.stac.results import next_by_query
from gateway.stac.site import JSON, SCHEMA, Site, link

NO_COLLECTION = "There is no such collection."
COLLECTIONS_DEFAULT = 100
# What a page token of the list of collections is of.
OF_COLLECTIONS = "collections"


class StacHandler(BaseHandler):
    """A document of STAC: `?token=` is that of a page here, and never a credential."""

    token_is_credential = False

    @property
    def site(self) -> Site:
        """Return where this gateway is, as this client sees it."""
        settings = self.services.settings
        return Site(self.public_url(""), settings.open_downloads, settings.oidc_issuer)

    def check_enabled(self) -> None:
        """Return when the caller may use tokens at all; raises BadCredential."""
        self.services.gatekeeper.check_enabled(self.principal)

    def query(self, *names: str) -> dict[str, str]:
        """Return those parameters of the query that are there; raises BadParameter for one that is there twice."""
        told = {name: one(self.request.query_arguments, name) for name in names}
        return {name: text for name, text in told.items() if text is not None}

    async def send_made(self, make: Callable[[], object], kind: str) -> None:
        """Finish with the document that `make` returns: written where it is made, for a long one keeps the loop."""
        self.send_body(await searched(self, lambda: _written(make())), kind)

    def send_document(self, value: object, kind: str) -> None:
        """Finish with a document that is short."""
        self.send_body(_written(value), kind)

    def send_body(self, written: tuple[bytes, str], kind: str) -> None:
        """Finish with a document, unless the client has it: shared caches may keep what nobody signed in for."""
        body, digest = written
        signed_in = self.credential.authorization is not None
        self.set_header("Cache-Control", f"{'private' if signed_in else 'public'}, no-cache")
        etag = etag_of(digest)
        self.set_header("ETag", etag)
        self.set_header("Content-Type", kind)
        conditions, now = Conditions(if_none_match=self.request.headers.get("If-None-Match")), datetime.now(UTC)
        read = self.request.method in ("GET", "HEAD")
        if read and evaluate(conditions, etag, now, now=now) is Outcome.NOT_MODIFIED:
            self.clear_header("Content-Type")
            self.set_status(HTTPStatus.NOT_MODIFIED)
            self.finish()
            return
        self.finish(body)

    def require_id(self, collection_id: str) -> None:
        """Return for what may be the id of a collection; raises NotFound."""
        if not ID_FORM.fullmatch(collection_id):
            raise NotFound(NO_COLLECTION)

    def known_collection(self, collection_id: str) -> SeenCollection:
        """Return a collection as the caller sees it; raises NotFound where they see none."""
        self.require_id(collection_id)
        found = self.services.records.collection(collection_id, self.principal)
        if found is None:
            raise NotFound(NO_COLLECTION)
        return found


class LandingHandler(StacHandler):
    """The STAC API's landing page."""

    @access(CALLER)
    async def get(self) -> None:
        """Send the landing page: what there is, and what it conforms to."""
        await self.in_thread(self.check_enabled)
        self.send_document(landing(self.site), JSON)

    head = get


class ConformanceHandler(StacHandler):
    """The conformance classes of the STAC API."""

    @access(CALLER)
    async def get(self) -> None:
        """Send the URIs of the conformance classes."""
        await self.in_thread(self.check_enabled)
        self.send_document(conformance(), JSON)

    head = get


class CollectionsHandler(StacHandler):
    """The collections of which the caller may see a dataset, page by page."""

    @access(CALLER)
    async def get(self) -> None:
        """Send one page of collections by their ids; `token` is that of a `next` link."""
        told = self.query("limit", "token")
        most = limit_of(limit(told["limit"])) if told.get("limit") else COLLECTIONS_DEFAULT
        token = told.pop("token", None)
        after = after_of(self.services.keys.verify, OF_COLLECTIONS, token or None)
        await self.send_made(lambda: self.page(str(after[0]) if after else "", most, told), JSON)

    head = get

    def page(self, after: str, most: int, told: dict[str, str]) -> dict[str, Any]:
        """Return the page that follows a collection's id."""
        self.check_enabled()
        # One more tells whether another page follows.
        found = self.services.records.collections(self.principal, after=after, limit=most + 1)
        here = self.site.stac("collections")
        links = [link("self", here, JSON)]
        if len(found) > most:
            token = page_token(self.services.keys.sign, OF_COLLECTIONS, (found[most - 1].collection.id,))
            links.append(next_by_query(here, told, token, JSON))
        return collections_page(found[:most], self.site, links)


class CollectionHandler(StacHandler):
    """One collection."""

    @access(CALLER)
    async def get(self, collection_id: str) -> None:
        """Send the collection; its extent is that of what the caller may see. Who may share it is told so."""

        def found() -> dict[str, Any]:
            self.check_enabled()
            told = collection_of(self.known_collection(collection_id), self.site)
            return {**told, "gateway:shareable": True} if is_offered(self.principal, None) else told

        self.send_document(await searched(self, found), JSON)

    head = get


class QueryablesHandler(StacHandler):
    """What items can be filtered by."""

    @access(CALLER)
    async def get(self, collection_id: str | None = None) -> None:
        """Send a JSON schema of the properties that the caller may know of, in all collections or in one."""
        self.send_document(await searched(self, self.found, collection_id), SCHEMA)

    head = get

    def found(self, collection_id: str | None) -> dict[str, Any]:
        """Return the schema."""
        self.check_enabled()
        if collection_id is not None:
            self.known_collection(collection_id)
        parts = ("queryables",) if collection_id is None else ("collections", collection_id, "queryables")
        own = self.services.records.queryables(self.principal, collection_id)
        return queryables(own, self.site.stac(*parts))


def _written(value: object) -> tuple[bytes, str]:
    """Return a document as JSON, and what tells it from every other one."""
    body = json_bytes(value)
    return body, hashlib.blake2b(body, digest_size=16).hexdigest()
