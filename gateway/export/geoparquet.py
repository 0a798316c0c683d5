"""Items as stac-geoparquet: one row each, one file.

https://github.com/stac-utils/stac-geoparquet/blob/main/spec/stac-geoparquet-spec.md and
https://geoparquet.org/releases/v1.1.0/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from gateway.catalogue.collections import SeenCollection
from gateway.catalogue.geometries import wkb_of
from gateway.errors import SettingsError
from gateway.export.columns import Kind
from gateway.model import utc_moment, utc_text
from gateway.stac.collections import collection_of
from gateway.stac.site import Site

# Rows that are together in the file, and in memory.
ROW_GROUP = 2000
# Of one file.
MOST_COLUMNS = 2000
SIDES = ("xmin", "ymin", "xmax", "ymax")
MOMENTS = ("datetime", "start_datetime", "end_datetime", "created", "updated")
APART = frozenset({"geometry", "bbox", *MOMENTS})
FIXED = (
    *((name, pa.timestamp("ms", tz="UTC")) for name in MOMENTS),
    ("bbox", pa.struct([(side, pa.float64()) for side in SIDES])),
    ("geometry", pa.binary()),
)
GEO, STAC, OWN = b"geo", b"stac-geoparquet", b"cog-gateway"
Item = dict[str, Any]
Row = dict[str, Any]


class StacGeoparquet:
    """A file of items that is being written: `add` items page by page, then `finish`.

    Items wait in `spool`, a file, until the types of all columns are known.
    """

    def __init__(self, path: Path, site: Site, spool: IO[bytes]) -> None:
        self._path = path
        self._site = site
        self._spool = spool
        self._kind = Kind()
        self._geometries: set[str] = set()
        self._crosses = False

    def add(self, items: Sequence[Item]) -> None:
        """Take a page of items; raises SettingsError where they have too many different properties."""
        for item in items:
            self._spool.write(json.dumps(item, allow_nan=False).encode() + b"\n")
            self._kind.take(_columns(item))
            if len(self._kind.members) > MOST_COLUMNS:
                raise SettingsError(
                    f"stac-geoparquet would have more than {MOST_COLUMNS} columns, one for each property"
                )
            if item["geometry"] is not None:
                self._geometries.add(item["geometry"]["type"])
                self._crosses |= item["bbox"][0] > item["bbox"][2]

    def finish(self, seen: SeenCollection, at: datetime) -> None:
        """Write the file, with the collection in its metadata, as of `at`."""
        own = [(name, kind.type) for name, kind in self._kind.members.items()]
        schema = pa.schema([*own, *FIXED], metadata=self._metadata(seen, at))
        with pq.ParquetWriter(self._path, schema, compression="zstd") as writer:
            for rows in self._rows():
                writer.write_batch(pa.RecordBatch.from_pylist(rows, schema=schema), row_group_size=ROW_GROUP)

    def _rows(self) -> Iterator[list[Row]]:
        self._spool.seek(0)
        for lines in iter(lambda: [line for _, line in zip(range(ROW_GROUP), self._spool, strict=False)], []):
            yield [self._row(json.loads(line)) for line in lines]

    def _row(self, item: Item) -> Row:
        properties, geometry = item["properties"], item["geometry"]
        moments = {name: utc_moment(properties[name]) for name in MOMENTS if properties.get(name) is not None}
        place = (
            {"geometry": wkb_of(geometry), "bbox": dict(zip(SIDES, item["bbox"], strict=True))} if geometry else {}
        )
        return {**self._kind.fitted(_columns(item)), **moments, **place}

    def _metadata(self, seen: SeenCollection, at: datetime) -> dict[bytes, bytes]:
        geometry: dict[str, Any] = {"encoding": "WKB", "geometry_types": sorted(self._geometries)}
        if not self._crosses:
            # A box with west > east would be left out by readers that filter by this.
            geometry["covering"] = {"bbox": {side: ["bbox", side] for side in SIDES}}
        geo = {"version": "1.1.0", "primary_column": "geometry", "columns": {"geometry": geometry}}
        collections = {seen.collection.id: collection_of(seen, self._site)}
        stac = {"version": "1.0.0", "collections": collections}
        own = {"collection": seen.collection.id, "exported_at": utc_text(at)}
        return {name: json.dumps(told).encode() for name, told in ((GEO, geo), (STAC, stac), (OWN, own))}


def is_export(path: Path, collection_id: str) -> bool:
    """Return whether a file is an export of a collection."""
    try:
        told = pq.read_metadata(path).metadata or {}
        return path.is_file() and not path.is_symlink() and json.loads(told[OWN])["collection"] == collection_id
    except (OSError, pa.ArrowException, ValueError, KeyError):
        return False


def _columns(item: Item) -> Row:
    """Return what of an item stands in columns whose types have to be found, its properties among its members."""
    members = {name: each for name, each in item.items() if name != "properties"}
    told = {**members, **item["properties"], "assets": {name: _asset(each) for name, each in item["assets"].items()}}
    return {name: each for name, each in told.items() if name not in APART}


def _asset(asset: dict[str, Any]) -> dict[str, Any]:
    found = _with_number(asset)
    return {**found, "bands": [_with_number(band) for band in asset["bands"]]} if "bands" in asset else found


def _with_number(told: dict[str, Any]) -> dict[str, Any]:
    """Return a band or an asset with `nodata` as a number, where JSON has no number for it."""
    return {**told, "nodata": float(told["nodata"])} if "nodata" in told else told
