"""STAC: searches, and the items of a collection."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from gateway.catalogue.jsontext import value_of
from gateway.catalogue.search import Page
from gateway.errors import BadParameter, NotFound
from gateway.gatekeeper import Action
from gateway.handlers.access import CALLER, access
from gateway.handlers.stac import StacHandler
from gateway.ids import dataset_uuid
from gateway.stac.items import item_of
from gateway.stac.paging import after_of, fingerprint, page_token
from gateway.stac.queries import READ, body_of
from gateway.stac.requests import Asked, asked_of
from gateway.stac.results import next_by_body, next_by_query, results
from gateway.stac.site import GEOJSON, JSON, Link, link

NO_ITEM = "There is no such item."


class ItemsHandler(StacHandler):
    """Items page by page."""

    def placed(self, asked: Asked) -> Asked:
        """Return what is asked for with its place among the pages; raises BadParameter for a token of another one."""
        after = after_of(self.services.keys.verify, fingerprint(asked.search), asked.token)
        return replace(asked, search=replace(asked.search, after=after))

    def page(self, asked: Asked, collection_id: str | None) -> Page:
        """Return the page; raises NotFound for a collection of which the caller may see nothing."""
        self.check_enabled()
        if collection_id is not None:
            self.require_id(collection_id)
        page = self.services.records.search(asked.search, self.principal)
        if not page.datasets and collection_id is not None:
            self.known_collection(collection_id)
        return page

    def token_after(self, asked: Asked, page: Page) -> str | None:
        """Return the token of the next page, None behind the last one."""
        if page.after is None:
            return None
        return page_token(self.services.keys.sign, fingerprint(asked.search), page.after)

    async def send_by_query(self, collection_id: str | None, address: str, links: list[Link]) -> None:
        """Send the page that the query asks for."""
        told = self.query(*READ)
        asked = self.placed(asked_of(body_of(told), collection_id))

        def found() -> dict[str, Any]:
            page = self.page(asked, collection_id)
            token = self.token_after(asked, page)
            following = [] if token is None else [next_by_query(address, told, token)]
            whole = f"{address}?{urlencode(told)}" if told else address
            here = [link("self", whole, GEOJSON), self.site.root, *links]
            return results(page, asked.fields, self.site, [*here, *following])

        await self.send_made(found, GEOJSON)


class SearchHandler(ItemsHandler):
    """Items of all collections that meet what is asked for."""

    @access(CALLER)
    async def get(self) -> None:
        """Send one page of a search by its query; `token` is that of a `next` link."""
        await self.send_by_query(None, self.site.stac("search"), [])

    head = get

    @access(CALLER)
    async def post(self) -> None:
        """Send one page of a search by its body, a JSON object; `next` has the member to merge into it."""
        address = self.site.stac("search")
        asked = self.placed(asked_of(self.body()))

        def found() -> dict[str, Any]:
            page = self.page(asked, None)
            token = self.token_after(asked, page)
            links = [link("self", address, GEOJSON) | {"method": "POST"}, self.site.root]
            following = [] if token is None else [next_by_body(address, token)]
            return results(page, asked.fields, self.site, [*links, *following])

        await self.send_made(found, GEOJSON)

    def body(self) -> Any:
        """Return the JSON of the body; none at all is an empty object."""
        try:
            return value_of(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise BadParameter("The body of a search is a JSON object.") from None


class CollectionItemsHandler(ItemsHandler):
    """Items of one collection."""

    @access(CALLER)
    async def get(self, collection_id: str) -> None:
        """Send one page of the collection's items, with the parameters of a search."""
        within = self.site.stac("collections", collection_id)
        links = [link("parent", within, JSON), link("collection", within, JSON)]
        await self.send_by_query(collection_id, f"{within}/items", links)

    head = get


class ItemHandler(StacHandler):
    """One dataset as an item."""

    @access(CALLER)
    async def get(self, collection_id: str, item_id: str) -> None:
        """Send the item: where its file is, whether that is a true COG, and how that is known."""
        self.send_document(await self.in_thread(self.found, collection_id, item_id), GEOJSON)

    head = get

    def found(self, collection_id: str, item_id: str) -> dict[str, Any]:
        """Return the item; raises NotFound where the caller may not see it, or it is in another collection."""
        if dataset_uuid(item_id) is None:
            self.check_enabled()
            raise NotFound(NO_ITEM)
        dataset = self.services.gatekeeper.admit(item_id, self.principal, Action.VIEW).dataset
        if dataset.collection != collection_id:
            raise NotFound(NO_ITEM)
        return item_of(dataset, self.site)
