"""The values that ingest puts on record, and what it tells of them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from pathlib import PurePosixPath

from gateway.catalogue.collections import collection_of_root
from gateway.dates import dates_of_file
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import Conversion, Ingested, IngestStatus
from gateway.judging import Judged, Task
from gateway.model import AuditRow, Dataset, ObjectStat
from gateway.records import Change, Verdict


def stem_of(relative: str) -> str:
    """Return the name of a file without its folders and its suffix."""
    return PurePosixPath(relative).stem


def verdict_of(judged: Judged, stat: ObjectStat, origin: str | None) -> Verdict:
    """Return what is stored of a verdict over the version that `stat` tells of."""
    return Verdict(stat.version, stat.size_bytes, judged.inspection, judged.sha256, origin, stat.modified_at)


def outcome_of(task: Task, dataset: Dataset, status: IngestStatus) -> Ingested:
    """Return what became of a task that is this dataset now."""
    made = Conversion(name_of(task, dataset.key), fresh=False) if task.in_place and dataset.key != task.key else None
    return Ingested(
        task.source.name, status, dataset.id, dataset.report.warnings, report=dataset.report, conversion=made
    )


def name_of(task: Task, key: str) -> str:
    """Return the name of an object for people: that of the file beside its source, else root and key."""
    return PurePosixPath(key).name if task.in_place else f"{task.root}:{key}"


def row_of(task: Task, dataset: Dataset, version: str, status: IngestStatus) -> AuditRow:
    """Return the audit row of an ingest."""
    detail = {"source": task.source.name, "status": status.value, "root": dataset.root, "key": dataset.key}
    detail["collection"] = dataset.collection
    return AuditRow("dataset.ingested", dataset_id=dataset.id, version=version, detail=detail)


def change_for(task: Task, options: IngestOptions) -> Change:
    """Return what the options change in the record of what a task is about."""
    return options.change_of(PurePosixPath(task.source.relative).name)


def new_dataset(task: Task, key: str, verdict: Verdict, options: IngestOptions, usual_title: str) -> Dataset:
    """Return a dataset that was not there before, under a new id."""
    change = change_for(task, options)
    visibility, download = change.scales(None)
    now = datetime.now(UTC)
    raster = verdict.inspection.raster
    title = usual_title if options.title is None else options.title
    return Dataset(
        *(str(uuid.uuid4()), task.root, key, title, options.owner or None, visibility, download),
        *(verdict.version, verdict.size_bytes, verdict.inspection.report, raster, now, now),
        *(verdict.sha256, verdict.origin),
        change.properties or {},
        collection=change.collection or collection_of_root(task.root),
        dates=change.dates or dates_of_file(raster.tagged_at if raster else None, verdict.modified_at or now),
    )
