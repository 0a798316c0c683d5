"""Searches that are layers: stored under the hash of what they ask for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from gateway.catalogue.jsontext import value_of
from gateway.catalogue.layers import MOST_BYTES, MOST_OF_A_MAKER, LayerKind, LayerName, StoredSearch, Style
from gateway.colour.model import PixelSelection
from gateway.errors import BadParameter, ContentTooLarge, Forbidden, NotFound, TooMany
from gateway.gatekeeper import ADMIN
from gateway.handlers.access import BEARER, METADATA, access
from gateway.handlers.layers import LayerHandler
from gateway.handlers.tiles import DEFAULT_GRID
from gateway.members import NO_LAYER
from gateway.model import utc_text
from gateway.stac.requests import asked_of
from gateway.stac.stored import normal_form
from gateway.tiles import parameters

TITLE_CHARACTERS, STYLE_VALUES = 200, 600
# What a style may say: the parameters of pictures.
NAMES = (
    "bidx", "expression", "nodata", "unscale", "resampling", "reproject", "rescale", "color_formula", "colormap_name",
    "colormap", "return_mask", "algorithm", "algorithm_params", "pixel_selection",
)  # fmt: skip


class SearchHandler(LayerHandler):
    """What is told of a stored search."""

    def document(self, search: StoredSearch) -> dict[str, Any]:
        """Return what is told of a stored search: not who made it."""
        base = self.public_url(LayerName(LayerKind.SEARCH, search.id).path)
        paths = {
            "self": "", "tilejson": "/tilejson.json", "wmts": "/WMTSCapabilities.xml", "preview": "/preview",
            "tiles": f"/tiles/{DEFAULT_GRID}/{{z}}/{{x}}/{{y}}",
        }  # fmt: skip
        links = [
            {"rel": rel, "href": f"{base}{path}", **({"templated": True} if "{" in path else {})}
            for rel, path in paths.items()
        ]
        return {
            "id": search.id,
            "title": search.title,
            "search": dict(search.body),
            "style": {name: list(values) for name, values in search.style.items()},
            "created_at": utc_text(search.created_at),
            "links": links,
        }


class SearchesHandler(SearchHandler):
    """Searches that are stored as layers."""

    @access(BEARER)
    async def post(self) -> None:
        """Store a search with `title` and `style`; the same one has the same id. Send `id` and `links`."""
        if self.principal.is_by_link:
            raise Forbidden("Whoever comes by a link stores nothing.")
        search = self.asked()
        await self.spend_shared("mint", self.principal.person)
        detail = {"id": search.id, "title": search.title, "size_bytes": search.size_bytes}
        row = self.row("search.stored", detail=detail)

        def store() -> bool:
            self.services.gatekeeper.check_enabled(self.principal)
            # What cannot be asked for by who makes it is no layer: a filter over what they know nothing of, say.
            self.services.records.search(asked_of({**search.body, "limit": 1}).search, self.principal)
            stored = self.services.records.searches.store(search, MOST_OF_A_MAKER, row)
            if stored is None:
                raise TooMany(
                    f"You have stored {MOST_OF_A_MAKER} searches already: DELETE those that are not needed."
                )
            return stored

        new = await self.searched(store)
        name = LayerName(LayerKind.SEARCH, search.id)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Location", self.public_url(name.path))
        self.send_json(self.document(search), HTTPStatus.CREATED if new else HTTPStatus.OK)

    def asked(self) -> StoredSearch:
        """Return the search of the body; raises BadParameter, and ContentTooLarge for more than MOST_BYTES."""
        try:
            body = value_of(self.request.body or b"{}")
        except (ValueError, RecursionError):
            raise BadParameter("The body is a JSON object: a search, with title and style.") from None
        if not isinstance(body, Mapping):
            raise BadParameter("The body is a JSON object: a search, with title and style.")
        told = dict(body)
        title, style = told.pop("title", None), style_of(told.pop("style", None))
        if title is not None and not (isinstance(title, str) and 0 < len(title) <= TITLE_CHARACTERS):
            raise BadParameter(f"The title is a text of 1 to {TITLE_CHARACTERS} characters.")
        if title is not None and not title.isprintable():
            raise BadParameter("The title has characters that cannot be shown.")
        search = StoredSearch(normal_form(told), title, style, self.principal.user, datetime.now(UTC))
        if search.size_bytes > MOST_BYTES:
            raise ContentTooLarge(
                f"The search has {search.size_bytes} bytes with its title and style; the limit is {MOST_BYTES}."
            )
        return search


class StoredSearchHandler(SearchHandler):
    """One stored search."""

    @access(METADATA)
    async def get(self, layer_id: str) -> None:
        """Send what it asks for, its title and style, and links to what can be had of it."""
        name = LayerName(LayerKind.SEARCH, layer_id)

        def found() -> StoredSearch:
            self.services.gatekeeper.check_layer(self.principal, name.scope)
            return self.services.members.stored(layer_id)

        search = await self.searched(found)
        self.set_layer_cache()
        self.send_json(self.document(search))

    head = get

    @access(BEARER)
    async def delete(self, layer_id: str) -> None:
        """Take the caller from those who made it; it is gone with the last one, and at once for administrators."""
        if self.principal.is_by_link:
            raise Forbidden("Whoever comes by a link deletes nothing.")
        await self.searched(self._drop, layer_id)
        self.set_status(HTTPStatus.NO_CONTENT)
        self.finish()

    def _drop(self, search_id: str) -> None:
        """Return when that is on record; raises NotFound, and Forbidden for whoever has not made it."""
        self.services.gatekeeper.check_enabled(self.principal)
        records, caller = self.services.records, self.principal
        known = records.searches.by_id(search_id)
        if known is None:
            raise NotFound(NO_LAYER)
        maker = None if ADMIN in caller.roles else caller.user
        detail = {"id": search_id, "title": known.title, "everybody": maker is None}
        row = self.row("search.deleted", status=HTTPStatus.NO_CONTENT, detail=detail)
        if not records.searches.drop(search_id, maker, row):
            raise Forbidden("A search is deleted by those who made it, and by administrators.")
        self.services.members.forget(search_id)


def style_of(value: Any) -> Style:
    """Return the parameters of a style, an object of names and values; raises BadParameter naming one."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise BadParameter(f"The style is an object with parameters of pictures: {', '.join(NAMES)}.")
    found: dict[str, tuple[str, ...]] = {}
    for name in sorted(value):
        if name not in NAMES:
            raise BadParameter(f"A style has no parameter {name[:60]!r}: {', '.join(NAMES)}.")
        texts = _texts(name, value[name])
        if texts:
            found[name] = texts
    if sum(map(len, found.values())) > STYLE_VALUES:
        raise BadParameter(f"A style has at most {STYLE_VALUES} values.")
    arguments = {name: [text.encode() for text in texts] for name, texts in found.items()}
    parameters.style_of(arguments)
    parameters.choice(arguments, "pixel_selection", tuple(PixelSelection))
    return found


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """Return the values of a parameter as a query would have them."""
    if value is None:
        return ()
    if name in ("colormap", "algorithm_params") and not isinstance(value, str):
        return (json.dumps(value, sort_keys=True),)
    if isinstance(value, list):
        if value and name == "rescale" and all(isinstance(each, int | float) for each in value):
            return (",".join(_text(name, each) for each in value),)
        return tuple(
            ",".join(_text(name, part) for part in each) if isinstance(each, list) else _text(name, each)
            for each in value
        )
    return (_text(name, value),)


def _text(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        try:
            str(value).encode()
        except UnicodeEncodeError:
            raise BadParameter(f"The parameter {name} of the style is no text.") from None
        return str(value)
    raise BadParameter(f"The parameter {name} of the style is a text, a number, or a list of these.")
