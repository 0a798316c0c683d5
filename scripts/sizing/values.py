"""Datasets, grants and audit rows of a large archive, the same for every database: of a seed, and of the size."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from gateway.dates import DatedBy, Dates
from gateway.model import AuditRow, Dataset, Finding, RasterFacts, Report, Scale, Severity

SEED = 20261128
FIRST_DAY, DAYS = datetime(2016, 1, 1, tzinfo=UTC), 3652
MONTHS = 12
# Who sees one dataset of a thousand, as owner, by grants of her own and of her role; and who sees few.
USER, ROLE = "surveyor-17", "survey"
GRANTED_SHARE, OWNED_SHARE = 0.0002, 0.0001
KINDS = ("Orthophoto", "Elevation model", "Surface model", "Land cover", "Sentinel-2 scene", "Historic map")
PLACES = ("Zürich", "Malmö", "Nairobi", "Lima", "Kyoto", "Reykjavík", "Hobart", "Valparaíso", "Oslo", "Pune", "Quito",
          "Perth", "Tromsø", "Dakar", "Regina", "Bergen", "Suva", "Izmir", "Lagos", "Turku")  # fmt: skip
# In so many titles, whatever the size.
RARE_WORD, RARE_TITLES = "Kestrelfield", 12
AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36",
    "Mozilla/5.0 QGIS/34011/Debian GNU/Linux 13 (trixie)", "GDAL/3.9.2", "curl/8.9.1", "python-requests/2.32.3",
    "rio-tiler/7.2 rasterio/1.4.1 GDAL/3.9.2 CPython/3.12.6 Linux/6.8.0", "aria2/1.37.0", "Wget/1.24.5",
)  # fmt: skip
WARNING = Finding(
    "overviews", "The file has 2 overviews; the smallest is larger than one tile.", Severity.WARNING, ifd=2
)
CRSS = ("EPSG:3857", "EPSG:32632", "EPSG:32733", "EPSG:2056", "EPSG:4326")


@dataclass(frozen=True, slots=True)
class Archive:
    """How large an archive is, and which share of its datasets is public and which internal."""

    datasets: int
    rows: int
    public: float = 0.0005
    internal: float = 0.0002

    def ids(self) -> list[str]:
        """Return the ids of all datasets."""
        chance = random.Random(SEED)  # noqa: S311 - no secret
        return [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(self.datasets)]


def version_of(number: int) -> tuple[str, int]:
    """Return version and size in bytes of a dataset's file."""
    size_bytes = 20_000_000 + number * 7919 % 900_000_000
    return f"{size_bytes:x}-{(1_700_000_000 + number) * 10**9 + 123_456_789:x}-{number + 4096:x}", size_bytes


def datasets(archive: Archive, begin: datetime) -> Iterator[Dataset]:
    """Yield all datasets by their creation, a minute after each other from `begin` on."""
    chance = random.Random(SEED + 1)  # noqa: S311
    rare = {number * archive.datasets // RARE_TITLES for number in range(RARE_TITLES)}
    for number, dataset_id in enumerate(archive.ids()):
        version, size_bytes = version_of(number)
        place, kind, share = chance.choice(PLACES), chance.choice(KINDS), chance.random()
        word = f" {RARE_WORD}" if number in rare else ""
        scale = Scale.PUBLIC if share < archive.public else Scale.PRIVATE
        if archive.public <= share < archive.public + archive.internal:
            scale = Scale.INTERNAL
        at = begin + timedelta(minutes=number / 2)
        key = f"{place}/{at:%Y/%m}/{kind}/{number:08d}.tif".replace(" ", "-")
        yield Dataset(
            dataset_id, "data" if number % 3 else "bucket", key,
            f"{kind} {place}{word} {at.year} sheet {number}", _owner(chance), scale, scale, version, size_bytes,
            Report("blocks", (WARNING,) if number % 4 == 0 else ()), _raster(chance, number), at, at,
            sha256=f"{chance.getrandbits(256):064x}", collection=collection_of(number), dates=_dates(number),
        )  # fmt: skip


def collection_of(number: int) -> str:
    """Return the collection of a dataset."""
    return KINDS[number % len(KINDS)].lower().replace(" ", "-")


def _dates(number: int) -> Dates:
    """Return a moment within ten years."""
    at = FIRST_DAY + timedelta(days=number * 7919 % DAYS, seconds=number % 86400)
    return Dates(at, at, DatedBy.OPTION)


def _owner(chance: random.Random) -> str | None:
    share = chance.random()
    if share < OWNED_SHARE:
        return USER
    return f"owner-{int(400 * share**2)}" if share < 0.9 else None


def _raster(chance: random.Random, number: int) -> RasterFacts:
    """Return facts of a sheet somewhere on land and sea; one in 2,000 crosses the antimeridian."""
    width = 10 ** chance.uniform(-2.3, 0.6)
    west, south = chance.uniform(-180, 179), chance.uniform(-60, 78)
    east = west + width
    if number % 2000 == 7:
        west, east = 179.9, 179.9 + width
    bounds = (west, south, east - 360 if east > 180 else east, south + width / 2)
    return RasterFacts(10_000, 10_000, 3, "uint8", None, chance.choice(CRSS), bounds, stretch=((2.0, 233.0),) * 3)


def grants(archive: Archive) -> Iterator[tuple[str, str, str, str]]:
    """Yield the grants as (dataset_id, kind, name, level): one dataset in five has one or two."""
    chance = random.Random(SEED + 2)  # noqa: S311
    for dataset_id in archive.ids():
        share = chance.random()
        if share < 2 * GRANTED_SHARE:
            yield (
                (dataset_id, "user", USER, "view")
                if share < GRANTED_SHARE
                else (dataset_id, "role", ROLE, "download")
            )
        elif share < 0.2:
            yield dataset_id, "user", f"user-{chance.randrange(5000)}", "download"
            if share < 0.05:
                yield dataset_id, "role", f"role-{chance.randrange(40)}", "view"


def audit_rows(archive: Archive, begin: datetime, end: datetime) -> Iterator[AuditRow]:
    """Yield the rows from `begin` to `end`, nearly by time: downloads with their ends, and what else is told of."""
    chance = random.Random(SEED + 3)  # noqa: S311
    ids, made = archive.ids(), 0
    seconds = (end - begin).total_seconds() / max(archive.rows, 1)
    while made < archive.rows:
        at = begin + timedelta(seconds=made * seconds)
        for row in _event(chance, ids, at):
            yield row
            made += 1
            if made == archive.rows:
                return


def _event(chance: random.Random, ids: list[str], at: datetime) -> Iterator[AuditRow]:
    # Few datasets have most of the downloads.
    number, share = int(len(ids) * chance.random() ** 4), chance.random()
    user = None if share % 0.1 < 0.04 else f"user-{int(5000 * chance.random() ** 2)}"
    if share > 0.999:
        user = USER
    ip = f"10.{number % 7}.{chance.randrange(256)}.{chance.randrange(1, 40)}"
    common = {"dataset_id": ids[number], "user_id": user, "ip": ip, "request_id": _time_ordered(chance, at),
              "user_agent": AGENTS[number % len(AGENTS)]}  # fmt: skip
    if share < 0.06:
        action = ("token.minted", "download.refused", "dataset.judged", "grant.added", "dataset.updated")[
            int(share * 83)
        ]
        detail = {"typ": "download", "seconds": 120} if action == "token.minted" else {"reason": "forbidden"}
        yield AuditRow(action, at, **common, status=200, detail=detail, row_id=_time_ordered(chance, at))
        return
    version, size_bytes = version_of(number)
    first = chance.randrange(size_bytes)
    told = min(size_bytes - first, 65_536)
    part = {"backend": "local" if number % 3 else "s3", "version": version}
    yield AuditRow(
        "download.cog" if share < 0.98 else "download.part", at, **common, **part, status=206,
        range_header=f"bytes={first}-{first + 65_535}", bytes_expected=told,
        token_id=None if user is None else f"{chance.getrandbits(128):032x}", row_id=_time_ordered(chance, at),
    )  # fmt: skip
    if part["backend"] == "local":
        later = at + timedelta(seconds=chance.expovariate(1))
        sent = told if share < 0.93 else told // 2
        detail = {"bytes_sent": sent, "outcome": "completed" if sent == told else "aborted"}
        yield AuditRow(
            "download.finished", later, **common, **part, detail=detail, row_id=_time_ordered(chance, later)
        )


def _time_ordered(chance: random.Random, at: datetime) -> str:
    """Return a UUID of version 7 of that moment (RFC 9562 section 5.7)."""
    number = (int(at.timestamp() * 1000) << 80) | chance.getrandbits(80)
    text = f"{number:032x}"
    return f"{text[:8]}-{text[8:12]}-7{text[13:16]}-8{text[17:20]}-{text[20:]}"


def span() -> tuple[datetime, datetime]:
    """Return the first moment of the oldest month and the present one, in UTC: MONTHS months."""
    now = datetime.now(UTC).replace(microsecond=0)
    number = now.year * 12 + now.month - MONTHS
    return now.replace(year=number // 12, month=number % 12 + 1, day=1, hour=0, minute=0, second=0), now
