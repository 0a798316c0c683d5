"""How files become datasets: judged, hashed, copied or converted where asked, recorded, and put on the audit."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import PurePosixPath

from gateway.buckets import BucketSource
from gateway.cog import reaches
from gateway.cog.recipe import convertible
from gateway.errors import GatewayError, NotACog
from gateway.ingest_known import Known
from gateway.ingest_options import IngestOptions
from gateway.ingest_outcome import CannotIngest, Conversion, Ingested, IngestStatus, OutsideRoots
from gateway.ingest_records import change_for, name_of, new_dataset, outcome_of, row_of, stem_of, verdict_of
from gateway.ingest_tasks import task_of
from gateway.judging import (
    JUDGE_TRIES,
    Judged,
    Task,
    attempt,
    convert_object,
    converted_key,
    copy_object,
    deepened,
    judge,
    makes_the_same,
    origin_of,
    same_bytes,
    sentence,
    version_at,
    version_now,
)
from gateway.model import AuditRow, Dataset
from gateway.records import Records, Verdict
from gateway.sources import Source
from gateway.storage import Storage


class Ingestor:
    """One run of ingest: `plan` and `settle` touch the records, `attempt` between them only files.

    Nothing raises for one source: errors of storage, records or audit become the status `failed`. `repeated` are
    stems of file names that tell no file from the others of this run.
    """

    def __init__(
        self,
        records: Records,
        storages: Mapping[str, Storage],
        *,
        allow_missing_overviews: bool = False,
        repeated: Collection[str] = (),
    ) -> None:
        self._known = Known(records)
        self._repeated = repeated
        self._records = records
        self._storages = storages
        self._allow_missing_overviews = allow_missing_overviews
        # By root and key: the source of this run that the object was made from.
        self._made: dict[tuple[str, str], str] = {}
        # By root: the folders that were swept.
        self._swept: set[tuple[str, str]] = set()

    def ingest(self, source: Source | BucketSource, options: IngestOptions) -> Ingested:
        """Return what became of the source, judged in this process."""
        task = self.plan(source, options)
        return task if isinstance(task, Ingested) else self.settle(task, attempt(task), options)

    def plan(self, source: Source | BucketSource, options: IngestOptions) -> Task | Ingested:
        """Return what is to be judged, or the outcome where nothing has to be."""
        return next(self.plan_all((source,), options))

    def plan_all(self, sources: Sequence[Source | BucketSource], options: IngestOptions) -> Iterator[Task | Ingested]:
        """Yield what is to be judged of each source, or its outcome; the records of all are asked for together."""
        begun = [self._attempted(partial(self._begun, source, options), source) for source in sources]
        with suppress(GatewayError):  # asked for one by one, each tells what is wrong
            self._known.ask(task for task in begun if isinstance(task, Task))
        for task in begun:
            if isinstance(task, Task):
                yield self._attempted(partial(self._planned, task, options), task.source)
            else:
                yield task

    def _attempted(self, plan: Callable[[], Task | Ingested], source: Source | BucketSource) -> Task | Ingested:
        try:
            return plan()
        except (GatewayError, OSError) as error:
            outside = isinstance(error, OutsideRoots)
            return Ingested(source.name, IngestStatus.FAILED, message=sentence(error), is_outside=outside)

    def _begun(self, source: Source | BucketSource, options: IngestOptions) -> Task:
        task = task_of(source, self._storages, options, allow_missing_overviews=self._allow_missing_overviews)
        self._sweep(task, options)
        return task

    def _planned(self, task: Task, options: IngestOptions) -> Task | Ingested:
        for key in (task.key, converted_key(task)) if options.convert else (task.key,):
            known = self._known.at(task.root, key)
            # Before anything is written: a contradiction must leave no copy behind.
            options.change.scales(known)
            if known is not None and self._is_current(task, known):
                return self._keep(task, known, options)
            task = deepened(task, known)
        made = None if options.convert else self._conversion_of(task)
        return self._keep(task, made, options) if made else task

    def settle(self, task: Task, judged: Judged | str, options: IngestOptions) -> Ingested:
        """Return what became of a task that was judged, after records and audit hold it."""
        self._known.forget(task)
        try:
            if isinstance(judged, str):
                raise CannotIngest(judged)
            if judged.valid and task.in_place:
                return self._record(task, task.key, judged, None, options)
            if judged.valid:
                return self._make(task, task.key, judged, options)
            if options.convert and convertible(judged.inspection.report.findings):
                return self._convert(task, judged, options)
            return self._refuse(task, judged, options)
        except (GatewayError, OSError) as error:
            return Ingested(task.source.name, IngestStatus.FAILED, message=sentence(error))

    def settle_all(self, judged: Sequence[tuple[Task, Judged | str]], options: IngestOptions) -> Iterator[Ingested]:
        """Yield what became of tasks that were judged, in their order; new ones come on record in one transaction."""
        new: dict[int, tuple[Dataset, AuditRow]] = {}
        registered: set[str] = set()
        # What cannot be done together is told task by task.
        with suppress(GatewayError, OSError):
            known = Known(self._records)
            known.ask(task for task, _ in judged)
            for place, (task, verdict) in enumerate(judged):
                if found := self._new_in_place(task, verdict, known, options):
                    new[place] = found
            registered = self._records.register_datasets(list(new.values())) if len(new) > 1 else registered
        for place, (task, verdict) in enumerate(judged):
            self._known.forget(task)
            if place in new and new[place][0].id in registered:
                yield outcome_of(task, new[place][0], IngestStatus.REGISTERED)
            else:
                yield self.settle(task, verdict, options)

    def _new_in_place(
        self, task: Task, judged: Judged | str, known: Known, options: IngestOptions
    ) -> tuple[Dataset, AuditRow] | None:
        """Return dataset and row for a true COG that lies in its root and is not on record; None for all else."""
        if isinstance(judged, str) or not judged.valid or not task.in_place or judged.stat is None or options.dry_run:
            return None
        if known.at(task.root, task.key) is not None:
            return None
        verdict = verdict_of(judged, judged.stat, None)
        dataset = new_dataset(task, task.key, verdict, options, self._title(task))
        return dataset, row_of(task, dataset, verdict.version, IngestStatus.REGISTERED)

    def _sweep(self, task: Task, options: IngestOptions) -> None:
        """Remove what an ingest that was killed left beside where this task would write, once for each folder."""
        folder = task.root, str(PurePosixPath(task.key).parent)
        if (options.convert or not task.in_place) and not options.dry_run and folder not in self._swept:
            self._swept.add(folder)
            self._storages[task.root].sweep(task.key)

    def _is_current(self, task: Task, known: Dataset) -> bool:
        """Return whether the record already tells of the bytes that the task would read or make."""
        report, far = known.report, self._storages[known.root].remote
        if not report.valid or not reaches(report.depth, task.reading.depth) or (known.sha256 is None and not far):
            return False
        if task.in_place and known.key == task.key:
            return version_now(task) == known.version
        made = origin_of(task, version_now(task))
        return known.origin == made and version_at(self._storages[known.root], known.key) == known.version

    def _conversion_of(self, task: Task) -> Dataset | None:
        """Return the dataset that was made of these very bytes and lies beside them, if it is valid as it is now."""
        known = self._known.at(task.root, converted_key(task)) if task.in_place else None
        if known is None or known.key == task.key or not known.report.valid:
            return None
        made = origin_of(task, version_now(task))
        now = version_at(self._storages[known.root], known.key)
        return known if (known.origin, known.version) == (made, now) else None

    def _keep(self, task: Task, known: Dataset, options: IngestOptions) -> Ingested:
        """Return the outcome for bytes that are on record already; only the options may change something."""
        change = change_for(task, options)
        if change.of(known) == known:
            return outcome_of(task, known, IngestStatus.UNCHANGED)
        if not options.dry_run:
            row = row_of(task, known, known.version, IngestStatus.UPDATED)
            if self._records.change_dataset(known.id, change, row) is None:
                raise CannotIngest("its record was removed meanwhile")
        return outcome_of(task, known, IngestStatus.UPDATED)

    def _convert(self, task: Task, judged: Judged, options: IngestOptions) -> Ingested:
        try:
            made = self._make(task, converted_key(task), judged, options)
        except NotACog as error:
            return self._refuse(task, judged, options, str(error))
        detail = {"source": task.source.name, "valid": False}
        self._judge_in_place(task, judged, options, AuditRow("dataset.judged", detail=detail))
        return replace(made, conversion=Conversion(name_of(task, converted_key(task)), fresh=True))

    def _make(self, task: Task, key: str, judged: Judged, options: IngestOptions) -> Ingested:
        """Return the outcome of copying a COG, or of converting what is none, to `key` of the task's root."""
        first = self._made.setdefault((task.root, key), task.source.name)
        if first != task.source.name:
            raise CannotIngest(f"would become the same object as {first}: {key} in the root {task.root}")
        if judged.stat is None:
            raise CannotIngest("is no regular file")
        self._put(task, key, judged, options)
        if options.dry_run:
            return self._record(task, key, judged, None, options)
        stored = judge(replace(task.reading, storage=self._storages[task.root], key=key, beside=None))
        if judged.sha256 is not None and stored.sha256 not in (judged.sha256, None):
            raise CannotIngest("the copy in the root is not what was read")
        # What was uploaded is what was read; a store is not asked for all of it again to hear that.
        known = replace(stored, sha256=stored.sha256 or judged.sha256)
        return self._record(task, key, known, origin_of(task, judged.stat.version), options)

    def _put(self, task: Task, key: str, judged: Judged, options: IngestOptions) -> None:
        target = self._storages[task.root]
        known = self._records.dataset_at(task.root, key)
        # Only what ingest itself put there is replaced; anything else may be somebody's only copy.
        if version_at(target, key) is not None and (known is None or known.origin is None):
            if not self._is_made(task, judged, target, key, options):
                raise CannotIngest(f"another file lies at {key} in the root {task.root} already")
        elif not options.dry_run:
            put = copy_object if judged.valid else convert_object
            put(task.reading, judged, target, key)

    def _is_made(self, task: Task, judged: Judged, target: Storage, key: str, options: IngestOptions) -> bool:
        """Return whether what lies there is the copy or the conversion that would be put there."""
        if judged.sha256 is not None:
            return same_bytes(target, key, judged.sha256)
        return not (judged.valid or options.dry_run) and makes_the_same(task.reading, judged, target, key)

    def _record(self, task: Task, key: str, judged: Judged, origin: str | None, options: IngestOptions) -> Ingested:
        """Return the outcome after the judged version is the recorded one of its dataset."""
        if judged.stat is None:
            raise CannotIngest("is no regular file")
        for _ in range(JUDGE_TRIES):
            known = self._records.dataset_at(task.root, key)
            # What was made of which source is true of one version alone.
            made_of = origin or (known.origin if known and known.version == judged.stat.version else None)
            verdict = verdict_of(judged, judged.stat, made_of)
            if known and (updated := self._update(task, known, verdict, options)):
                return updated
            if not known and (new := self._register(task, key, verdict, options)):
                return new
        raise CannotIngest("its record is changed by somebody else all the time")

    def _register(self, task: Task, key: str, verdict: Verdict, options: IngestOptions) -> Ingested | None:
        """Return the outcome of a new dataset, or None where another ingest has been first."""
        dataset = new_dataset(task, key, verdict, options, self._title(task))
        row = row_of(task, dataset, verdict.version, IngestStatus.REGISTERED)
        outcome = outcome_of(task, dataset, IngestStatus.REGISTERED)
        if options.dry_run:
            return replace(outcome, id=None)
        return outcome if self._records.register_dataset(dataset, row) else None

    def _title(self, task: Task) -> str:
        """Return the usual title: the file's stem or, where others have it too, the path below the root."""
        stem = stem_of(task.source.relative)
        if stem in self._repeated or self._records.has_title(stem):
            return PurePosixPath(task.key).with_suffix("").as_posix()
        return stem

    def _update(self, task: Task, known: Dataset, verdict: Verdict, options: IngestOptions) -> Ingested | None:
        """Return the outcome of a dataset that was there, or None where its verdict is another one by now."""
        now: Dataset | None = verdict.of(known)
        if not options.dry_run:
            row = row_of(task, known, verdict.version, IngestStatus.UPDATED)
            now = self._records.judge_dataset(known, verdict, row, change_for(task, options))
        return outcome_of(task, now, IngestStatus.UPDATED) if now else None

    def _refuse(self, task: Task, judged: Judged, options: IngestOptions, message: str | None = None) -> Ingested:
        report, name = judged.inspection.report, task.source.name
        row = AuditRow("dataset.refused", detail={"source": name, "rules": sorted({f.rule for f in report.errors})})
        known = self._judge_in_place(task, judged, options, row)
        if known is None and not options.dry_run:
            self._records.append_audit([row])
        # A conversion that has failed would fail by hand as well.
        mend = report.mend(name) if message is None else None
        return Ingested(name, IngestStatus.REFUSED, known, report.findings, message, mend, report)

    def _judge_in_place(self, task: Task, judged: Judged, options: IngestOptions, row: AuditRow) -> str | None:
        """Return the id of the dataset that the refused file itself is, if any; verdict and `row` are stored."""
        for _ in range(JUDGE_TRIES):
            known = self._records.dataset_at(task.root, task.key) if task.in_place else None
            if known is None or options.dry_run:
                return known.id if known else None
            row = replace(row, dataset_id=known.id)
            if judged.stat is None:
                self._records.append_audit([row])
                return known.id
            verdict = verdict_of(judged, judged.stat, known.origin)
            if self._records.judge_dataset(known, verdict, row) is not None:
                return known.id
        raise CannotIngest("its record is changed by somebody else all the time")
