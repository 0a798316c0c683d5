"""Lists of many files: what is asked for, what of it a caller may download, and whose list it is."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from gateway.catalogue.collections import ID_FORM
from gateway.catalogue.search import Search
from gateway.errors import BadParameter, Forbidden, NotFound
from gateway.gatekeeper import Action, roles_needed
from gateway.ids import dataset_uuid
from gateway.listformats import ListedFile, UniqueNames
from gateway.model import Dataset, Grant, Principal
from gateway.principal import StoredKind, StoredToken, Target
from gateway.records import DatasetQuery, FileList, Records
from gateway.stac.requests import asked_of
from gateway.stac.stored import normal_form
from gateway.tokens import LIST_SECONDS

MEMBERS = ("ids", "collection", "search", "datasets")
MOST_FILES = 10_000
# As many as one body holds.
MOST_IDS = 5000
# Of one user, those that are good.
MOST_LISTS = 100
# Read at once.
PAGE = 500


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list is wanted of: datasets by their ids, in that order, all that a search finds, or what is listed.

    `dry_run` is for its count and size alone.
    """

    search: Search
    ids: tuple[str, ...] | None = None
    query: DatasetQuery | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Taken:
    """What of something a caller may download, in its order; `left_out` is how many they may only see."""

    dataset_ids: tuple[str, ...]
    size_bytes: int
    left_out: int


def wanted(body: Any, query_of: Callable[[Mapping[str, str]], DatasetQuery]) -> Wanted:
    """Return what a JSON object asks for; raises BadParameter naming what cannot be read.

    `query_of` returns what the list of datasets finds by its parameters.
    """
    members = dict(body) if isinstance(body, Mapping) else {}
    dry_run = members.pop("dry_run", False)
    if len(members) != 1 or next(iter(members)) not in MEMBERS:
        raise BadParameter(f"The body is a JSON object with one of these members: {', '.join(MEMBERS)}.")
    if not isinstance(dry_run, bool):
        raise BadParameter("The member dry_run must be true or false.")
    return replace(_wanted(*next(iter(members.items())), query_of), dry_run=dry_run)


def _wanted(name: str, value: Any, query_of: Callable[[Mapping[str, str]], DatasetQuery]) -> Wanted:
    if name == "ids":
        return Wanted(Search(), _ids(value))
    if name == "datasets":
        if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
            raise BadParameter("The member datasets must be an object of texts: parameters of /datasets.")
        return Wanted(Search(), query=query_of(value))
    if name == "search":
        return Wanted(asked_of(normal_form(value)).search)
    if not isinstance(value, str) or not ID_FORM.fullmatch(value):
        raise BadParameter("The member collection must be the id of a collection.")
    return Wanted(Search(collections=(value,)))


def _ids(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MOST_IDS:
        raise BadParameter(f"The member ids must be a list of 1 to {MOST_IDS} ids of datasets.")
    found = [dataset_uuid(each) if isinstance(each, str) else None for each in value]
    if None in found:
        raise BadParameter("The member ids has something that is no id of a dataset.")
    return tuple(dict.fromkeys(each for each in found if each is not None))


def taken(records: Records, maker: Principal, asked: Wanted) -> Taken:
    """Return what the maker may download of what is asked for.

    Raises NotFound where they may see nothing of it, Forbidden where they may only view it, and BadParameter for more
    than MOST_FILES.
    """
    if maker.user is None or maker.is_by_link:
        raise Forbidden("A list of files is made by who signs in, or has a token of one's own.")
    seen, kept, size_bytes = 0, [], 0
    for page in _found(records, maker, asked):
        seen += len(page)
        if seen > MOST_FILES:
            raise BadParameter(f"These are more than {MOST_FILES} files: narrow what is asked for.")
        for dataset in downloadable(records, maker, page):
            kept.append(dataset.id)
            size_bytes += dataset.size_bytes
    if not kept and not seen:
        raise NotFound("There is nothing of what is asked for.")
    if not kept:
        raise Forbidden("What is asked for may be viewed but not downloaded by you.")
    return Taken(tuple(kept), size_bytes, seen - len(kept))


def made(maker: Principal, files: Taken, now: datetime) -> FileList:
    """Return the list of what a maker, who has a name, may download."""
    token = _token(maker, maker.user or "", now)
    via = maker.stored.id if maker.stored is not None else None
    return FileList(token, files.dataset_ids, files.size_bytes, via)


def _token(maker: Principal, owner: str, now: datetime) -> StoredToken:
    """Return what the list is as a token: it ends in a day, or sooner with the token by which it was made."""
    # Whole seconds, as its addresses have them.
    began = now.astimezone(UTC).replace(microsecond=0)
    ends, target = began + timedelta(seconds=LIST_SECONDS), Target()
    if maker.stored is not None:
        ends, target = min(ends, maker.stored.expires_at.replace(microsecond=0)), maker.stored.target
    return StoredToken(
        id=str(uuid.uuid4()), kind=StoredKind.LIST, hash="", owner=owner, roles=maker.roles, name="", download=True,
        target=target, created_at=began, expires_at=ends,
    )  # fmt: skip


def _found(records: Records, reader: Principal, asked: Wanted) -> Iterator[Sequence[Dataset]]:
    """Yield what is asked for in pages, as far as a reader sees it."""
    if asked.ids is not None:
        for start in range(0, len(asked.ids), PAGE):
            yield by_ids(records, reader, asked.ids[start : start + PAGE])
        return
    if asked.query is not None:
        yield from _listed(records, asked.query)
        return
    search: Search | None = replace(asked.search, limit=PAGE)
    while search is not None:
        page = records.search(search, reader)
        yield page.datasets
        search = replace(search, after=page.after) if page.after is not None else None


def _listed(records: Records, query: DatasetQuery) -> Iterator[Sequence[Dataset]]:
    known: set[str] = set()
    for offset in range(0, MOST_FILES + PAGE, PAGE):
        page = records.find_datasets(replace(query, limit=PAGE, offset=offset))
        # What is registered meanwhile moves what comes after it.
        yield [dataset for dataset in page.datasets if dataset.id not in known]
        known |= {dataset.id for dataset in page.datasets}
        if len(page.datasets) < PAGE:
            return


def by_ids(records: Records, reader: Principal, ids: Sequence[str]) -> list[Dataset]:
    """Return those of at most PAGE datasets that a reader may see, in the order of their ids."""
    found = {each.id: each for each in records.search(Search(ids=tuple(ids), limit=PAGE), reader).datasets}
    return [found[each] for each in ids if each in found]


def downloadable(records: Records, reader: Principal, datasets: Sequence[Dataset]) -> list[Dataset]:
    """Return those of the datasets, which a reader sees, that are true COGs whose files they may have."""

    def may(dataset: Dataset, *grants: Grant) -> bool:
        return roles_needed(dataset, reader, Action.DOWNLOAD, grants) is not None

    valid = [each for each in datasets if each.report.valid]
    granted: dict[str, list[Grant]] = {}
    # Read at once: in a network each question takes its time.
    for grant in records.grants(*(each.id for each in valid if not may(each))):
        granted.setdefault(grant.dataset_id, []).append(grant)
    return [each for each in valid if may(each, *granted.get(each.id, ()))]


def may_read(reader: Principal, files: FileList) -> bool:
    """Return whether a list is the reader's: by the token in its addresses, or made by them.

    A token of one's own reads what was made by it alone: another list may hold what it must not have.
    """
    if reader.stored is not None and reader.stored.kind is StoredKind.LIST:
        return reader.stored.id == files.token.id
    if reader.user != files.token.owner or reader.is_by_link:
        return False
    return reader.stored is None or reader.stored.id == files.via


def listed(datasets: Iterable[Dataset], names: UniqueNames, api: str, token: str) -> Iterator[ListedFile]:
    """Yield files of a list, each with an address that needs no sign-in; `api` is the URL of the API."""
    for dataset in datasets:
        yield ListedFile(dataset, names.name(dataset), f"{api}/datasets/{dataset.id}/download/cog?token={token}")
