"""All items of a collection page by page, as a reader sees them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from gateway.catalogue.search import LIMIT_MOST, Search, Sort
from gateway.model import Dataset, Principal
from gateway.records import Records


def pages(records: Records, collection_id: str, reader: Principal | None) -> Iterator[Sequence[Dataset]]:
    """Yield the datasets of a collection that a reader may see, at most LIMIT_MOST at once; None is the operator.

    In the order of their ids, which never change: what is there all the time comes once.
    """
    search = Search(collections=(collection_id,), sortby=(Sort("id"),), limit=LIMIT_MOST)
    while True:
        page = records.search(search, reader)
        if page.datasets:
            yield page.datasets
        if page.after is None:
            return
        search = replace(search, after=page.after)
