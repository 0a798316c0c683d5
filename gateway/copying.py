"""Records copied from one database into another, of whatever kind, and compared: the catalogue and the audit."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from gateway.catalogue.collections import Collection
from gateway.catalogue.layers import StoredSearch
from gateway.digests import Digests
from gateway.errors import SettingsError
from gateway.model import AuditRow, Grant, utc_text
from gateway.records import (
    AuditQuery,
    DatasetQuery,
    Records,
    collection_row,
    dataset_row,
    overview_row,
    search_row,
    token_row,
    values_of,
)

T = TypeVar("T")
ALL = DatasetQuery(principal=None, limit=500)
ROWS = 1000
# The row by which the copy itself is on record, in the database that it was made in.
COPIED = "catalogue.copied"
# Rows that are written meanwhile are no older, by clocks that differ less than those of nodes may.
RECENT = timedelta(minutes=10)
KINDS = ("collections", "datasets", "grants", "users", "tokens", "searches", "small_pictures", "overviews",
         "rows")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Digest:
    """How many things there are, and a number that another set of things has not: the sum of their SHA-256."""

    count: int = 0
    total: int = 0

    def plus(self, value: Any) -> Digest:
        """Return the digest with one more; in which order they come does not matter."""
        one = int.from_bytes(hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest(), "big")
        return Digest(self.count + 1, (self.total + one) % 2**256)

    @property
    def text(self) -> str:
        """Return the sum in 64 hexadecimal digits."""
        return f"{self.total:064x}"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a database holds."""

    collections: Digest = Digest()
    datasets: Digest = Digest()
    grants: Digest = Digest()
    users: Digest = Digest()
    tokens: Digest = Digest()
    searches: Digest = Digest()
    small_pictures: Digest = Digest()
    overviews: Digest = Digest()
    rows: Digest = Digest()


def copy_records(source: Records, target: Records, name: str) -> Contents:
    """Return what both hold, after everything of `source` is in `target`; `name` is the source's, for the record.

    What is there already is not copied twice, so that a copy which was cut off can be made again. Raises
    SettingsError where the target holds what the source does not, and leaves it as it is; and where somebody has
    written into either meanwhile.
    """
    recent = AuditQuery(since=datetime.now(UTC) - RECENT)
    before = {stored.row.row_id for stored in source.audit_rows(recent)}
    _require_part_of(source, target)
    catalogue = _copy_catalogue(source, target)
    others = _copy_searches(source, target), _copy_small_pictures(source, target), _copy_overviews(source, target)
    found = Contents(*catalogue, *others, _copy_rows(source, target))
    made = {stored.row.row_id for stored in source.audit_rows(AuditQuery(action=COPIED))}
    there = contents(target, made)
    for kind in KINDS:
        one, other = getattr(found, kind), getattr(there, kind)
        if one != other:
            raise SettingsError(f"the copy is another one: {one.count} {kind} were read, {other.count} are there now")
    if any(stored.row.row_id not in before for stored in source.audit_rows(recent)):
        raise SettingsError("the source was written to meanwhile: stop its servers, and run the same again")
    counts = {kind: getattr(found, kind).count for kind in KINDS}
    target.append_audit([AuditRow(COPIED, detail={"from": name, **counts, "sha256_sum": found.rows.text})])
    return found


def contents(records: Records, copied: Iterable[str] = ()) -> Contents:
    """Return what a database holds; rows that tell of copies count only where their `row_id` is among `copied`."""
    collections, datasets, grants, known = Digest(), Digest(), Digest(), set(copied)
    for collection in every_collection(records):
        collections = collections.plus(collection_row(collection))
    for dataset in records.every_dataset(ALL):
        datasets = datasets.plus(dataset_row(dataset))
        for grant in records.grants(dataset.id):
            grants = grants.plus(_plain(grant))
    users = Digest()
    for user in records.users():
        users = users.plus([user.name, user.disabled])
    tokens = Digest()
    for token in records.tokens.every():
        tokens = tokens.plus(token_row(token))
    searches = Digest()
    for search in every_search(records):
        searches = searches.plus(search_row(search))
    pictures = Digest()
    for picture in records.small_pictures.every():
        pictures = pictures.plus(picture.told)
    overviews = _digest_of_overviews(records)
    rows = Digest()
    for stored in records.audit_rows(AuditQuery()):
        if stored.row.action != COPIED or stored.row.row_id in known:
            rows = rows.plus(values_of(stored.row))
    return Contents(collections, datasets, grants, users, tokens, searches, pictures, overviews, rows)


def every_collection(records: Records) -> Iterator[Collection]:
    """Yield all collections by id."""
    after = ""
    while found := records.collections(None, after=after):
        yield from (seen.collection for seen in found)
        after = found[-1].collection.id


def every_search(records: Records) -> Iterator[StoredSearch]:
    """Yield all stored searches by id."""
    after = ""
    while found := records.searches.after(after):
        yield from found
        after = found[-1].id


def _require_part_of(source: Records, target: Records) -> None:
    for dataset in target.every_dataset(ALL):
        if source.dataset(dataset.id) is None:
            raise SettingsError(f"the target holds other records: the dataset {dataset.id} is not in the source")
    # Each act has a row: what was done in the target since an earlier copy would be undone by this one.
    known: Digests | None = None
    for stored in target.audit_rows(AuditQuery()):
        if stored.row.action == COPIED:
            continue
        known = known or _keys(source)
        if stored.row.row_id not in known:
            told = f"{stored.row.action} at {utc_text(stored.row.at)} is not in the source"
            raise SettingsError(f"the target holds other records: its audit row {stored.id}, {told}")


def _keys(records: Records) -> Digests:
    """Return the keys of all audit rows; ten million take some two hundred megabytes."""
    keys = Digests()
    for stored in records.audit_rows(AuditQuery()):
        keys.add(stored.row.row_id)
    return keys


def _copy_catalogue(source: Records, target: Records) -> tuple[Digest, Digest, Digest, Digest, Digest]:
    collections = datasets = grants = Digest()
    for each in batches(every_collection(source), 100):
        target.copy_collections_in(each)
        for collection in each:
            collections = collections.plus(collection_row(collection))
    for batch in batches(source.every_dataset(ALL), 100):
        granted = source.grants(*(dataset.id for dataset in batch))
        target.copy_in(batch, granted, ())
        for dataset in batch:
            datasets = datasets.plus(dataset_row(dataset))
        for grant in granted:
            grants = grants.plus(_plain(grant))
    states, users = source.users(), Digest()
    target.copy_in((), (), states)
    for user in states:
        users = users.plus([user.name, user.disabled])
    return collections, datasets, grants, users, _copy_tokens(source, target)


def _copy_tokens(source: Records, target: Records) -> Digest:
    tokens = Digest()
    # What an earlier copy left and the source has revoked since must not come to life again.
    target.tokens.clear()
    for batch in batches(source.tokens.every(), 100):
        target.tokens.copy_in(batch)
        for token in batch:
            tokens = tokens.plus(token_row(token))
    return tokens


def _copy_searches(source: Records, target: Records) -> Digest:
    searches = Digest()
    # What an earlier copy left and the source has lost since must not be there again.
    target.searches.clear()
    for batch in batches(every_search(source), 100):
        target.searches.copy_in(batch)
        for search in batch:
            searches = searches.plus(search_row(search))
    return searches


def _copy_small_pictures(source: Records, target: Records) -> Digest:
    pictures = Digest()
    for batch in batches(source.small_pictures.every(), 100):
        target.small_pictures.copy_in(batch)
        for picture in batch:
            pictures = pictures.plus(picture.told)
    return pictures


def _copy_overviews(source: Records, target: Records) -> Digest:
    """Return what both hold: after the datasets, the copying of which is a change of members."""
    target.overviews.copy_in(source.overviews.every())
    return _digest_of_overviews(source)


def _digest_of_overviews(records: Records) -> Digest:
    overviews = Digest()
    for overview in records.overviews.every():
        overviews = overviews.plus(overview_row(overview))
    return overviews


def _copy_rows(source: Records, target: Records) -> Digest:
    rows = Digest()
    for batch in batches((stored.row for stored in source.audit_rows(AuditQuery())), ROWS):
        target.make_room(min(row.at for row in batch), max(row.at for row in batch))
        # Their keys keep those that are there from being stored again.
        target.append_audit(batch)
        for row in batch:
            rows = rows.plus(values_of(row))
    return rows


def batches(things: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the things in lists of at most `size`."""
    left = iter(things)
    while batch := list(islice(left, size)):
        yield batch


def _plain(grant: Grant) -> list[str | None]:
    return [grant.dataset_id, grant.level.value, grant.user, grant.role]
