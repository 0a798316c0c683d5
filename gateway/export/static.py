"""A static catalogue: a folder of STAC with relative links, to be put on any web server.

https://github.com/radiantearth/stac-spec/blob/v1.1.0/best-practices.md#catalog-layout
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gateway.catalogue.collections import SeenCollection
from gateway.model import utc_text
from gateway.stac.collections import QUERYABLES, collection_of
from gateway.stac.items import VERSION
from gateway.stac.landing import CATALOG_ID, DESCRIPTION
from gateway.stac.site import GEOJSON, JSON, TITLE, Link, Site, link

CATALOG, COLLECTION, ITEMS = "catalog.json", "collection.json", "items"
# Members of the catalogue that say whose export it is, and of when.
MARK, MOMENT = "gateway:collection", "gateway:exported_at"
# Links of documents to the API that a static catalogue has its own of, or nothing in their place.
REPLACED = frozenset({"root", "parent", "collection", "items", QUERYABLES})
Item = dict[str, Any]


class StaticCatalogue:
    """A static catalogue that is being written into an empty folder: `add` items page by page, then `finish`.

    `catalog.json` leads to `collection.json`, that to a catalogue for each page, `items/0000/catalog.json` and so on,
    and these to the items beside them: no folder and no document has more than one page of items.
    """

    def __init__(self, folder: Path, site: Site) -> None:
        self._folder = folder
        self._site = site
        self._sizes: list[int] = []

    def add(self, items: Sequence[Item]) -> None:
        """Write a page of items into a folder of its own."""
        name = _page_name(len(self._sizes))
        folder = self._folder / ITEMS / name
        folder.mkdir(parents=True)
        for item in items:
            own = [link("parent", f"./{CATALOG}", JSON), *_up("../..")]
            _write(folder / f"{item['id']}.json", {**item, "links": [*own, *_kept(item["links"])]})
        first = sum(self._sizes) + 1
        told = f"Datasets {first} to {first + len(items) - 1}"
        links = [link("item", f"./{each['id']}.json", GEOJSON, each["properties"].get("title")) for each in items]
        links += [link("parent", f"../../{COLLECTION}", JSON), link("root", f"../../{CATALOG}", JSON)]
        _write(folder / CATALOG, _catalog(f"{CATALOG_ID}-{name}", told, told, links))
        self._sizes.append(len(items))

    def finish(self, seen: SeenCollection, at: datetime) -> None:
        """Write the collection, and the catalogue that leads to it, as of `at`."""
        (self._folder / ITEMS).mkdir(exist_ok=True)
        document = collection_of(seen, self._site)
        pages = [
            link("child", f"./{ITEMS}/{_page_name(number)}/{CATALOG}", JSON) for number in range(len(self._sizes))
        ]
        above = [link("root", f"./{CATALOG}", JSON), link("parent", f"./{CATALOG}", JSON)]
        _write(self._folder / COLLECTION, {**document, "links": [*above, *pages, *_kept(document["links"])]})
        links = [
            link("root", f"./{CATALOG}", JSON),
            link("child", f"./{COLLECTION}", JSON, seen.collection.title),
            link("canonical", self._site.stac(), JSON),
        ]
        marks = {MARK: seen.collection.id, MOMENT: utc_text(at)}
        _write(self._folder / CATALOG, {**_catalog(CATALOG_ID, TITLE, DESCRIPTION, links), **marks})


def is_export(folder: Path, collection_id: str) -> bool:
    """Return whether a folder has an export of a collection in it, and nothing else."""
    try:
        names = {each.name for each in folder.iterdir()}
        told = json.loads((folder / CATALOG).read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    own = names <= {CATALOG, COLLECTION, ITEMS} and not folder.is_symlink()
    return own and isinstance(told, dict) and told.get(MARK) == collection_id


def _page_name(number: int) -> str:
    return f"{number:04}"


def _up(way: str) -> list[Link]:
    return [link("root", f"{way}/{CATALOG}", JSON), link("collection", f"{way}/{COLLECTION}", JSON)]


def _kept(links: Sequence[Link]) -> list[Link]:
    """Return what a document keeps of its links to the API: what it says of itself there is the authority."""
    return [
        {**each, "rel": "canonical"} if each["rel"] == "self" else each
        for each in links
        if each["rel"] not in REPLACED
    ]


def _catalog(name: str, title: str, description: str, links: Sequence[Link]) -> dict[str, Any]:
    told = {"id": name, "title": title, "description": description}
    return {"type": "Catalog", "stac_version": VERSION, **told, "links": list(links)}


def _write(path: Path, document: dict[str, Any]) -> None:
    path.write_text(json.dumps(document, allow_nan=False), encoding="ascii")
