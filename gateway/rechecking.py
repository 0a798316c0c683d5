"""What is registered, judged again: what is there now, and what changed since the record was made."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from gateway.cog import DEPTHS, inspect
from gateway.cog.summary import with_summary
from gateway.dates import dates_of_file
from gateway.errors import GatewayError, ObjectMissing, VersionChanged
from gateway.judging import JUDGE_TRIES, deeper_depth, digest_of, sentence
from gateway.model import AuditRow, Dataset, Finding, Inspection, ObjectStat, Report
from gateway.records import Records, Verdict
from gateway.storage import OpenObject, Storage


class RecheckStatus(StrEnum):
    """What is true of a dataset now; altered bytes differ from those on record though size, time and inode do not."""

    VALID = "valid"
    NOT_VALID = "not-valid"
    ALTERED = "altered"
    MISSING = "missing"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Look:
    """A dataset to be looked at; `storage` is None where its root is not in the settings. Travels to processes."""

    dataset: Dataset
    storage: Storage | None
    depth: str | None = None
    allow_missing_overviews: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The verdict over the version that is there now; `sha256` is None where it was not computed."""

    inspection: Inspection
    stat: ObjectStat
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Unseen:
    """Why nothing could be judged."""

    status: RecheckStatus
    message: str


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What became of one dataset: `before` and `now` are its record, `new` and `gone` are rules."""

    before: Dataset
    now: Dataset
    status: RecheckStatus
    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    message: str | None = None

    @property
    def is_replaced(self) -> bool:
        """Return whether a true COG lies in the place of the file that is on record."""
        return self.status is RecheckStatus.VALID and self.before.version != self.now.version

    @property
    def changes(self) -> tuple[str, ...]:
        """Return what changed since the record was made, in sentences; none where nothing did."""
        was, valid = self.before.report.valid, self.now.report.valid
        told = {
            "was valid, is not": was and not valid,
            "was not valid, is now": valid and not was,
            "the version changed": self.before.version != self.now.version,
            "the bytes changed, although size, time and inode did not": self.status is RecheckStatus.ALTERED,
            f"new: {', '.join(self.new)}": self.new,
            f"gone: {', '.join(self.gone)}": self.gone,
            self.message or "": self.message,
        }
        return tuple(text for text, holds in told.items() if holds)

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as `datasets recheck --json` prints it, the report as that of `check --json`."""
        return {
            "id": self.now.id,
            "title": self.now.title,
            "status": self.status.value,
            "was_valid": self.before.report.valid,
            "version": self.now.version,
            "version_before": self.before.version,
            "new": list(self.new),
            "gone": list(self.gone),
            "changes": list(self.changes),
            "report": self.now.report.as_json(self.now.id),
        }


def look(task: Look) -> Seen | Unseen:
    """Return what is there now, or why nothing could be judged. Runs in any process and raises nothing."""
    if task.storage is None:
        return Unseen(RecheckStatus.UNREADABLE, f"there is no storage root named {task.dataset.root}")
    try:
        for _ in range(JUDGE_TRIES):
            with task.storage.open(task.dataset.key) as opened:
                seen = _judge(task, task.storage, opened)
                if seen is not None:
                    return seen
    except ObjectMissing:
        return Unseen(RecheckStatus.MISSING, "the object is gone")
    except (GatewayError, OSError) as error:
        return Unseen(RecheckStatus.UNREADABLE, sentence(error))
    except MemoryError:
        return Unseen(RecheckStatus.UNREADABLE, "out of memory")
    return Unseen(RecheckStatus.UNREADABLE, "the file is being written to")


def _judge(task: Look, storage: Storage, opened: OpenObject) -> Seen | None:
    """Return the verdict over an opened object, or None when it changed meanwhile."""
    try:
        inspection = inspect(
            opened,
            depth=task.depth or _depth_of_new(task.dataset, opened),
            allow_missing_overviews=task.allow_missing_overviews,
            siblings=storage.siblings(task.dataset.key),
        )
    except VersionChanged:
        return None
    wanted = inspection.report.valid and not opened.remote and _needs_digest(task.dataset, opened, inspection.report)
    sha256 = digest_of(opened) if wanted else None
    inspection = with_summary(opened, inspection)
    return Seen(inspection, opened.stat, sha256) if opened.unchanged() else None


def _depth_of_new(known: Dataset, opened: OpenObject) -> str | None:
    """Return how deep a new version is looked into: as its predecessor was, where that is more than usual."""
    new = known.version != opened.stat.version
    return deeper_depth(known.report.depth, remote=opened.remote) if new else None


def _needs_digest(known: Dataset, opened: OpenObject, report: Report) -> bool:
    """Return whether all bytes are to be read: where every block is, and where a digest is due for a new version."""
    due = known.sha256 is None or known.version != opened.stat.version
    return report.depth == "full" or (report.depth != "header" and due)


def compare(known: Dataset, seen: Seen) -> Rechecked:
    """Return what changed between the record and what was seen.

    What a shallower look at the same bytes does not find stands as it is on record.
    """
    report = seen.inspection.report
    same = seen.stat.version == known.version
    altered = same and None not in (known.sha256, seen.sha256) and known.sha256 != seen.sha256
    shallower = same and not altered and DEPTHS.index(report.depth) < DEPTHS.index(known.report.depth)
    # What it shows and where is the same at every depth.
    now = replace(known, raster=seen.inspection.raster or known.raster) if same else known
    if not (shallower and report.valid):
        now = replace(
            known,
            version=seen.stat.version,
            size_bytes=seen.stat.size_bytes,
            report=report,
            raster=seen.inspection.raster,
            sha256=seen.sha256 or (known.sha256 if same and not altered else None),
        )
    if now.raster is not None and now.dates.dated_by.of_file:
        now = replace(now, dates=dates_of_file(now.raster.tagged_at, seen.stat.modified_at))
    old, new = (rules_of(dataset.report.findings) for dataset in (known, now))
    status = RecheckStatus.NOT_VALID
    if now.report.valid:
        status = RecheckStatus.ALTERED if altered else RecheckStatus.VALID
    return Rechecked(known, now, status, tuple(sorted(new - old)), tuple(sorted(old - new)))


def rules_of(findings: tuple[Finding, ...]) -> set[str]:
    """Return the names of the rules that findings are of."""
    return {finding.rule for finding in findings}


def settle(records: Records, dataset: Dataset, seen: Seen | Unseen | str) -> Rechecked:
    """Return what became of a dataset after the records hold it; a text says why its process ended.

    Raises RecordsUnavailable.
    """
    if isinstance(seen, str):
        seen = Unseen(RecheckStatus.UNREADABLE, seen)
    if isinstance(seen, Unseen):
        return Rechecked(dataset, dataset, seen.status, message=seen.message)
    for _ in range(JUDGE_TRIES):
        known = records.dataset(dataset.id)
        if known is None:
            return Rechecked(dataset, dataset, RecheckStatus.MISSING, message="the record was removed meanwhile")
        found = compare(known, seen)
        if _stored(records, found, seen):
            return found
    return Rechecked(dataset, dataset, RecheckStatus.UNREADABLE, message="somebody else judges it all the time")


def _stored(records: Records, found: Rechecked, seen: Seen) -> bool:
    """Return whether what was found is on record; False where it was judged by somebody else meanwhile."""
    report, version = seen.inspection.report, seen.stat.version
    detail = {"valid": report.valid, "depth": report.depth, "new": list(found.new), "gone": list(found.gone)}
    if found.before.version != version:
        detail["replaced"] = found.before.version
    if found.status is RecheckStatus.ALTERED:
        detail["sha256_before"] = found.before.sha256
    row = AuditRow("dataset.judged", dataset_id=found.now.id, version=version, detail=detail)
    # The same verdict at another moment is equal, and yet to be stored: it is known to hold since then.
    if found.now == found.before and found.now.report.checked_at == found.before.report.checked_at:
        records.append_audit([row])
        return True
    verdict = Verdict(
        *(version, seen.stat.size_bytes, Inspection(found.now.report, found.now.raster)),
        *(found.now.sha256, found.now.origin, seen.stat.modified_at),
    )
    return records.judge_dataset(found.before, verdict, row) is not None
