"""What is asked of a large archive, and how long each answer takes."""

from __future__ import annotations

import random
import resource
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gateway.cli.audit import told
from gateway.cli.prune import prune
from gateway.model import AuditRow, Principal
from gateway.records import AuditQuery, DatasetQuery, Records
from scripts.sizing import values

# Each question is asked so often, or as often as fits into so many seconds.
TIMES, SECONDS = 100, 3.0
ADMIN, NOBODY = Principal("chief", frozenset({"admin"})), Principal()
SURVEYOR = Principal(values.USER, frozenset({values.ROLE}))
CITY, CONTINENT = (8.4, 47.3, 8.7, 47.5), (-10.0, 35.0, 30.0, 70.0)


def timed(name: str, ask: Callable[[], object]) -> str:
    """Return a line of the table: what was asked, how often, p50 and p99 in ms, and what one answer was."""
    took: list[float] = []
    answer: object = None
    while not took or (len(took) < TIMES and sum(took) < SECONDS):
        began = time.perf_counter()
        answer = ask()
        took.append(time.perf_counter() - began)
    took.sort()
    p50, p99 = (took[min(int(len(took) * share), len(took) - 1)] * 1000 for share in (0.5, 0.99))
    return f"| {name} | {len(took)} | {p50:.1f} | {p99:.1f} | {answer} |"


def once(name: str, ask: Callable[[], object]) -> str:
    """Return a line of the table for what is asked once: seconds, and the most memory that the process has taken."""
    began = time.perf_counter()
    answer = ask()
    seconds = time.perf_counter() - began
    most_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {name} | {seconds:.1f} s | {most_mib:.0f} MiB | {answer} |"


def catalogue(records: Records, archive: values.Archive) -> Iterator[str]:
    """Yield the table of the catalogue's questions."""

    def found(principal: Principal, **wishes: Any) -> Callable[[], str]:
        query = DatasetQuery(principal, **wishes)

        def ask() -> str:
            page = records.find_datasets(query)
            return f"{len(page.datasets)} of {page.total}"

        return ask

    yield "| question | times | p50 ms | p99 ms | answer |\n|---|---|---|---|---|"
    for who, principal in {"admin": ADMIN, "user": SURVEYOR, "anonymous": NOBODY}.items():
        yield timed(f"first page, {who}", found(principal))
    for sortby in ("-created_at", "title", "-size_bytes"):
        yield timed(f"first page by {sortby}, admin", found(ADMIN, sortby=sortby))
    yield timed("first page by title, user", found(SURVEYOR, sortby="title"))
    yield timed("page at half of all, admin", found(ADMIN, offset=archive.datasets // 2))
    for word in (values.RARE_WORD, "Orthophoto", "nowhere at all", "zü"):
        yield timed(f"q={word}, admin", found(ADMIN, q=word))
    yield timed("q=Orthophoto, user", found(SURVEYOR, q="Orthophoto"))
    for name, bbox in {"a city": CITY, "a continent": CONTINENT}.items():
        yield timed(f"bbox of {name}, admin", found(ADMIN, bbox=bbox))
        yield timed(f"bbox of {name}, anonymous", found(NOBODY, bbox=bbox))
    yield from _of_one(records, archive)


def _of_one(records: Records, archive: values.Archive) -> Iterator[str]:
    chance, ids = random.Random(1), archive.ids()  # noqa: S311
    yield timed("one dataset", lambda: records.dataset(chance.choice(ids)) is not None)
    yield timed("standing, read", lambda: records.standing(chance.choice(ids), values.USER).dataset is not None)
    yield timed("standing, remembered", lambda: records.standing(ids[0], values.USER).dataset is not None)
    yield timed("ids that begin with ab, removed ones too", lambda: len(records.dataset_ids("ab", removed=True)))
    yield timed("ping, of /readyz", records.ping)

    def insert() -> int:
        rows = [
            AuditRow("download.cog", dataset_id=chance.choice(ids), user_id=f"user-{chance.randrange(5000)}",
                     version="1f-2e-3d", backend="local", status=206, bytes_expected=65_536, ip="10.0.0.1",
                     user_agent=values.AGENTS[0])
            for _ in range(64)
        ]  # fmt: skip
        records.append_audit(rows)
        return len(rows)

    yield timed("64 audit rows", insert)


def audit(records: Records) -> Iterator[str]:
    """Yield the table of the audit's questions."""
    begin, _ = values.span()
    second, third = begin + timedelta(days=32), begin + timedelta(days=64)
    month = {"since": second.replace(day=1), "until": third.replace(day=1)}
    day = {"since": second, "until": second + timedelta(days=1)}

    def rows(**wishes: Any) -> str:
        return f"{sum(1 for _ in map(told, records.audit_rows(AuditQuery(**wishes))))} rows"

    def lines(**wishes: Any) -> str:
        return f"{sum(1 for _ in records.downloads(AuditQuery(**wishes)))} lines"

    yield "| question | time | memory | answer |\n|---|---|---|---|"
    yield once("rows of a day", lambda: rows(**day))
    yield once("rows of a user of 5,000", lambda: rows(user="user-4000"))
    yield once("downloads of a user of 5,000", lambda: lines(user="user-4000"))
    yield once("downloads of a user in a month", lambda: lines(user=values.USER, **month))
    yield once("downloads of a day", lambda: lines(**day))
    yield once("downloads of a month", lambda: lines(**month))


def pruned(records: Records, folder: Path) -> Iterator[str]:
    """Yield the line of a prune: the oldest month archived and taken out."""
    oldest = next(iter(records.audit_rows(AuditQuery()))).row.at.astimezone(UTC)
    until = (oldest.replace(day=1, hour=0, minute=0, second=0, microsecond=0) + timedelta(days=32)).replace(day=1)
    archive = folder / f"archive-{until:%Y-%m}-{datetime.now(UTC):%H%M%S}.jsonl"

    def ask() -> str:
        old = map(told, records.audit_rows(AuditQuery(until=until)))
        done = prune(records, old, until, archive)
        return f"{done.rows} rows, archive of {archive.stat().st_size >> 20} MiB"

    yield "| question | time | memory | answer |\n|---|---|---|---|"
    yield once("prune of the oldest month", ask)
    archive.unlink()


def copied(records: Records, folder: Path) -> Iterator[str]:
    """Yield the line of a backup."""
    copy = folder / "copy.db"

    def ask() -> str:
        records.copy_to(copy)
        return f"{copy.stat().st_size >> 20} MiB"

    yield once("backup", ask)
    copy.unlink()
