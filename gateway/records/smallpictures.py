"""Small pictures of datasets on record: what far zooms of many datasets are painted from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from gateway.catalogue.search import Search
from gateway.model import Dataset, Principal

COLUMNS = ("dataset_id", "side", "version", "extent_degrees", "body")
# Rows that are copied at once.
PAGE = 500
# Of so many the largest pictures are read, as long as these are so many bytes without compression, and of so many
# bytes those in the middle: of a raster with many bands they would be gigabytes.
MOST_LARGE, LARGE_BYTES, MIDDLE_BYTES = 1000, 64 << 20, 32 << 20
# The pixels of a large picture, to those of one in the middle, which is not compressed.
LARGER = 16
# The least picture that has as many pixels as the map has there, else the largest one that is read. `i.total` are the
# bytes of those in the middle up to this one.
SIDE = f"""CASE WHEN p.extent_degrees <= {{few}} OR i.total > {{middle}} THEN 4
    WHEN p.extent_degrees <= {{more}} OR i.number > {MOST_LARGE} OR i.total * {LARGER} > {{large}} THEN 16
    ELSE 64 END"""
TOTAL = "sum(coalesce(length(m.body), 0)) OVER (ORDER BY {number}) AS total"


# What returns the rows of a statement for some ids.
Read = Callable[[str, list[str]], Sequence[Mapping[str, Any]]]
# So many are looked at for whether the least pictures may be enough for all.
PROBED = 16


class SmallPicture(NamedTuple):
    """One picture of a dataset: its longest side in pixels, the version, and the packed values."""

    dataset_id: str
    side: int
    version: str
    extent_degrees: float
    body: bytes

    @property
    def told(self) -> list[str | int | float]:
        """Return what it is compared by."""
        return [*self[:4], hashlib.sha256(self.body).hexdigest()]


@dataclass(frozen=True, slots=True)
class Crowd:
    """The true COGs of a search in its order: their ids, and the packed picture of each, None where there is none.

    `digest` is of ids and versions: of another crowd it is another one.
    """

    ids: tuple[str, ...]
    bodies: tuple[bytes | None, ...]
    digest: str

    @property
    def pictured(self) -> int:
        """Return how many of them have a picture."""
        return len(self.bodies) - self.bodies.count(None)

    @property
    def bare(self) -> tuple[str, ...]:
        """Return the ids of those that have none."""
        return tuple(id for id, body in zip(self.ids, self.bodies, strict=True) if body is None)


class SmallPictureRecords(Protocol):
    """The small pictures on record; what holds for `Records` holds for these methods.

    They are stored and dropped with the verdict over a dataset, and gone with it.
    """

    def of_search(self, search: Search, reader: Principal | None, degrees: float) -> Crowd:
        """Return those of all that is looked for and that the reader may see, at most `search.limit`.

        They are fit for a map whose pixel has so many degrees. A pure read; raises what `Records.search` raises.
        """

    def every(self) -> Iterator[SmallPicture]:
        """Yield all of them by dataset and side."""

    def copy_in(self, pictures: Sequence[SmallPicture]) -> None:
        """Store those of another database, in place of those that are here."""


def crowd_from(read: Read, statements: tuple[str, str], ids: list[str], few: float) -> Crowd:
    """Return the crowd of some ids in their order. `statements` are for the least pictures, and for all sizes.

    The latter looks at three pictures of each, and is for maps that want more than the least one of some: of those
    whose extent is more than `few` degrees.
    """
    least, all_sizes = statements
    for some in (ids[:PROBED], ids):
        rows = read(least, some)
        if not all(row["extent_degrees"] is not None and row["extent_degrees"] <= few for row in rows):
            return crowd_of(read(all_sizes, ids))
    return crowd_of(rows)


def sizes(degrees: float) -> dict[str, float]:
    """Return the values of SIDE for a map whose pixel has so many degrees."""
    return {"few": 4 * degrees, "more": 16 * degrees, "middle": MIDDLE_BYTES, "large": LARGE_BYTES}


def pictures_of(dataset: Dataset) -> list[SmallPicture]:
    """Return the pictures that came with a verdict."""
    small = dataset.raster.small if dataset.raster else None
    if small is None:
        return []
    return [
        SmallPicture(dataset.id, side, dataset.version, small.extent_degrees, body) for side, body in small.packed
    ]


def are_outdated(known: Dataset, now: Dataset) -> bool:
    """Return whether what is stored of a dataset is of another version, or of what is no true COG any more."""
    return known.version != now.version or now.raster is None


def crowd_of(rows: Sequence[Mapping[str, Any]]) -> Crowd:
    """Return a crowd from rows of `id`, `version` and `body` in their order; without a version it is no true COG."""
    rows = [row for row in rows if row["version"] is not None]
    ids = tuple(row["id"] for row in rows)
    told = "\n".join(f"{row['id']} {row['version']}" for row in rows)
    digest = hashlib.blake2b(told.encode(), digest_size=16).hexdigest()
    return Crowd(ids, tuple(row["body"] for row in rows), digest)
