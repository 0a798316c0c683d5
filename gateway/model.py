"""The values that travel between the rooms: frozen, typed, and free of any outside library."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Protocol

from gateway.dates import Dates
from gateway.ids import time_ordered_id
from gateway.principal import Principal as Principal  # noqa: PLC0414 - named to be found here
from gateway.principal import TokenKind as TokenKind  # noqa: PLC0414
from gateway.shell import command_line, words_of


class Severity(StrEnum):
    """How a finding weighs: an error refuses the file, a warning is only told."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a COG check has to say about a file.

    `ifd` counts directories in the order of the file's IFD chain from 0, `block` counts the tiles of that
    IFD in the order of its TileOffsets array, `offset` is a byte offset in the file; each is None where it
    does not apply.
    """

    rule: str
    message: str
    severity: Severity = Severity.ERROR
    ifd: int | None = None
    block: int | None = None
    offset: int | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the finding as `check --json` prints it: rule, message, ifd, block, offset."""
        return {
            "rule": self.rule,
            "message": self.message,
            "ifd": self.ifd,
            "block": self.block,
            "offset": self.offset,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The verdict of the COG check over one version of one file; `depth` is header, blocks or full.

    `recipe` is the command that makes a COG of a file that is none, word by word, up to the names of the source and
    the target; empty for a true COG and where there is no such command. `checked_at` is when it was begun (UTC), None
    in records of older releases; the same verdict at another moment is equal.
    """

    depth: str
    findings: tuple[Finding, ...] = ()
    recipe: tuple[str, ...] = ()
    checked_at: datetime | None = field(default=None, compare=False)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return the findings that refuse the file."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return the findings that are only told."""
        return tuple(f for f in self.findings if f.severity is Severity.WARNING)

    @property
    def valid(self) -> bool:
        """Return whether the file is a true COG: no finding is an error."""
        return not self.errors

    def as_json(self, source: str) -> dict[str, Any]:
        """Return the report as `check --json` prints it, under the name `source`."""
        return {
            "source": source,
            "valid": self.valid,
            "depth": self.depth,
            "errors": [f.as_json() for f in self.errors],
            "warnings": [f.as_json() for f in self.warnings],
            "mend": self.mend(source),
        }

    def mend(self, source: str) -> str | None:
        """Return the command line that makes a COG of the file named `source`, for a shell; None without one."""
        return command_line(self.recipe, source) if self.recipe else None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Report:
        """Return the report that `as_json` wrote; the source's name is dropped."""
        found = [Finding(severity=Severity.ERROR, **f) for f in data["errors"]]
        found += [Finding(severity=Severity.WARNING, **f) for f in data["warnings"]]
        # Reports of older records have no such member.
        checked_at = utc_moment(told) if (told := data.get("checked_at")) else None
        return cls(data["depth"], tuple(found), words_of(data.get("mend") or ""), checked_at)


@dataclass(frozen=True, slots=True)
class SmallPictures:
    """Pictures of a whole raster: by the longest side in pixels, the packed values of one.

    `extent_degrees` is the longer side of its bounds. How they are packed is told in `gateway.cog.smallpictures`.
    """

    extent_degrees: float
    packed: tuple[tuple[int, bytes], ...]


def ordered(dtype: str) -> bool:
    """Return whether values of a type have to be stretched: bytes need it not, and what has no order cannot be."""
    return dtype != "uint8" and not dtype.startswith("complex")


@dataclass(frozen=True, slots=True)
class RasterFacts:
    """What rasterio knows of a file that passed the structural check.

    `bounds` are west, south, east, north in degrees (WGS 84), or None where the file cannot be placed on the
    globe; `crs` is "EPSG:n" where the authority is known, else WKT, else None. `nodata` is None where the
    file sets none; a NaN nodata is the text "nan", because JSON has no NaN. `stretch` is the range of values
    that a picture shows by default, (low, high) of each band; None where it was not taken. `footprint` is a GeoJSON
    geometry, None where there are no bounds and in records of older releases. `tagged_at` is TIFFTAG_DATETIME.

    `transform` leads from column and row to x and y of `crs`: a, b, c, d, e, f of x = a * column + b * row + c and
    y = d * column + e * row + f; None where the file has none. `wkt2` is a `crs` without a code (OGC 18-010r7).
    `scaling` is (scale, offset) of each band, None where none has any. `header_bytes` is the offset of the first byte
    that belongs to a block, its leader included: what comes before holds every directory and array. None where no
    block is stored. `bands` are those but for an alpha band, `colours` a digest of the palette of the first one, None
    without one. Records of older releases have none of these. `small` is what was taken when the
    file was judged; it is not read with a record.
    """

    width: int
    height: int
    count: int
    dtype: str
    nodata: float | str | None
    crs: str | None
    bounds: tuple[float, float, float, float] | None
    stretch: tuple[tuple[float, float], ...] | None = None
    footprint: Mapping[str, Any] | None = None
    tagged_at: datetime | None = None
    transform: tuple[float, float, float, float, float, float] | None = None
    wkt2: str | None = None
    scaling: tuple[tuple[float, float], ...] | None = None
    header_bytes: int | None = None
    bands: int | None = None
    colours: str | None = None
    small: SmallPictures | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Inspection:
    """A report together with the raster's facts; `raster` is None unless the report is valid."""

    report: Report
    raster: RasterFacts | None


class ByteSource(Protocol):
    """The bytes of one version of one object, read at will; the COG check sees files only through this."""

    @property
    def size_bytes(self) -> int:
        """Return the length of the object."""

    @property
    def gdal_path(self) -> str:
        """Return a path under which GDAL's GTiff driver opens these very bytes; of a remote source its name."""

    @property
    def remote(self) -> bool:
        """Return whether each read is a request over the network, and GDAL has no way there of its own."""

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return at most `length_bytes` from `offset_bytes` on; shorter only at the end of the object."""


@dataclass(frozen=True, slots=True)
class ObjectStat:
    """What the storage says of one object; `version` changes with every replacement or edit.

    `version_id` names the version in a store that keeps old ones.
    """

    version: str
    size_bytes: int
    modified_at: datetime
    version_id: str | None = None


class Scale(StrEnum):
    """Who may see or take a dataset: everybody, any signed-in user, or the owner and those granted."""

    PUBLIC = "public"
    INTERNAL = "internal"
    PRIVATE = "private"

    @property
    def width(self) -> int:
        """Return a rank for comparison: a larger number lets more people in."""
        return {Scale.PRIVATE: 0, Scale.INTERNAL: 1, Scale.PUBLIC: 2}[self]


class Level(StrEnum):
    """What a grant allows; `download` implies `view`."""

    VIEW = "view"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Grant:
    """A right on a private dataset, for exactly one of a user or a role."""

    dataset_id: str
    level: Level
    user: str | None = None
    role: str | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """One registered object: where it lies, who may have it, and what was judged of which version.

    `key` is the object's name below `root`. `version` is the judged version; `report` is its verdict;
    `raster` is None when that version is no true COG. `sha256` is lower-case hex of that version, or None
    where it was not computed. `origin` names what a copied or converted object was made from. `collection` is the id
    of the one that it is in. `properties` are its own ones, of JSON values. Times are UTC.
    """

    id: str
    root: str
    key: str
    title: str
    owner: str | None
    visibility: Scale
    download: Scale
    version: str
    size_bytes: int
    report: Report
    raster: RasterFacts | None
    created_at: datetime
    updated_at: datetime
    sha256: str | None = None
    origin: str | None = None
    properties: Mapping[str, Any] = field(default_factory=dict)
    collection: str = field(kw_only=True)
    dates: Dates = field(kw_only=True)

    @property
    def footprint(self) -> Mapping[str, Any] | None:
        """Return where it lies as a GeoJSON geometry, cut at the antimeridian; None where that is not known."""
        return self.raster.footprint if self.raster else None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One fact on record, with the columns of the `audit` table; `at` is UTC.

    `user_id` is None for anonymous. `range_header` is the raw Range header and becomes the column `range`.
    `detail` holds JSON values only. `row_id` is the row's own: with `at` it tells a row that is written again from a
    second one.
    """

    action: str
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    dataset_id: str | None = None
    user_id: str | None = None
    request_id: str | None = None
    version: str | None = None
    backend: str | None = None
    range_header: str | None = None
    status: int | None = None
    bytes_expected: int | None = None
    ip: str | None = None
    user_agent: str | None = None
    token_id: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    row_id: str = field(default_factory=time_ordered_id)


def utc_text(moment: datetime) -> str:
    """Return `moment` in UTC as ISO 8601 with milliseconds and Z, the form of every stored time."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def utc_moment(text: str) -> datetime:
    """Return the moment that `utc_text` wrote."""
    return datetime.fromisoformat(text)
