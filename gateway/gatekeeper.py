"""The one door of every dataset route: who may do what, and whether the bytes are still a true COG."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, StrEnum

from gateway.cog import is_deeper, usual_depth
from gateway.errors import (
    BadCredential,
    Forbidden,
    MalformedId,
    NotACog,
    NotFound,
    ObjectMissing,
    StorageUnavailable,
    Unavailable,
    VersionChanged,
)
from gateway.ids import dataset_uuid
from gateway.model import (
    AuditRow,
    Dataset,
    Grant,
    Inspection,
    Level,
    ObjectStat,
    Principal,
    Scale,
    TokenKind,
)
from gateway.records import NOBODY, Holder, Records, Standing, Verdict
from gateway.storage import OpenObject, Storage

ADMIN = "admin"
DISABLED = "The token is not accepted."
# A file that is written to all the time is judged this often before the caller is told to come back.
JUDGE_TRIES = 3
LOCK_STRIPES = 64


class Action(StrEnum):
    """What a caller wants of a dataset: `view` is list, metadata and tiles; `download` is the file."""

    VIEW = "view"
    DOWNLOAD = "download"


class Wait(Enum):
    """What a decision may wait for, or must: nothing but memory, a disk, a network, a judgement, the last two."""

    NOTHING = "nothing"
    DISK = "disk"
    STORE = "store"
    JUDGEMENT = "judgement"
    STORE_JUDGEMENT = "judgement of an object in a store"

    @property
    def for_store(self) -> bool:
        """Return whether a network may be waited for."""
        return self in (Wait.STORE, Wait.STORE_JUDGEMENT)

    @property
    def for_judgement(self) -> bool:
        """Return whether a judgement may be waited for."""
        return self in (Wait.JUDGEMENT, Wait.STORE_JUDGEMENT)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A dataset that the caller may have; `through_roles` are the roles that the right depends on.

    `standing` is what the right was judged by: while the records return the same one, it still holds.
    """

    dataset: Dataset
    through_roles: frozenset[str]
    standing: Standing


def _grants_for(principal: Principal, action: Action, grants: tuple[Grant, ...]) -> list[Grant]:
    wanted = (Level.VIEW, Level.DOWNLOAD) if action is Action.VIEW else (Level.DOWNLOAD,)
    return [
        g
        for g in grants
        if g.level in wanted and (g.user == principal.user if g.role is None else g.role in principal.roles)
    ]


def roles_needed(
    dataset: Dataset, principal: Principal, action: Action, grants: tuple[Grant, ...]
) -> frozenset[str] | None:
    """Return the roles that give the right, empty where no role is needed, or None where there is no right."""
    if not principal.may_reach(dataset.id, dataset.collection, download=action is Action.DOWNLOAD):
        return None
    scale = dataset.visibility if action is Action.VIEW else dataset.download
    if scale is Scale.PUBLIC:
        return frozenset()
    if principal.user is None:
        return None
    if scale is Scale.INTERNAL or dataset.owner == principal.user:
        return frozenset()
    granted = _grants_for(principal, action, grants)
    if any(g.role is None for g in granted):
        return frozenset()
    roles = {g.role for g in granted if g.role is not None} | ({ADMIN} & principal.roles)
    return frozenset(roles) or None


def holder_of(principal: Principal) -> Holder:
    """Return whose credential it is, and by which token on record they have it."""
    return Holder(principal.user, principal.stored.id if principal.stored is not None else None)


class Gatekeeper:
    """Admits callers to datasets, and vouches for the version that they get."""

    def __init__(
        self,
        records: Records,
        storages: Mapping[str, Storage],
        inspect: Callable[[Dataset, OpenObject, frozenset[str]], Inspection],
        judge_deep: Callable[[Dataset, ObjectStat], Unavailable],
    ) -> None:
        self._records = records
        self._storages = storages
        self._inspect = inspect
        self._judge_deep = judge_deep
        self._judging = tuple(threading.Lock() for _ in range(LOCK_STRIPES))

    def admit(self, raw_id: str, principal: Principal, action: Action) -> Admitted:
        """Return the dataset for a caller who may do `action` with it.

        Raises, in this order: BadCredential for a disabled user or a revoked token, MalformedId, BadCredential for a
        token of another dataset, NotFound for an unknown or invisible one (alike), Forbidden for a visible one whose
        file the caller may not have. `dataset_id` on the error names the dataset where there is one.
        """
        dataset_id = dataset_uuid(raw_id)
        if dataset_id is None:
            self.check_enabled(principal)
            raise MalformedId("The dataset id is no UUID in its hyphenated form.")
        standing = self._records.standing(dataset_id, holder_of(principal))
        if standing.refused:
            raise BadCredential(DISABLED).about(dataset_id)
        if principal.kind is not None and principal.dataset_id != dataset_id:
            raise BadCredential("The token is for another dataset.").about(dataset_id)
        dataset, grants = standing.dataset, standing.grants
        if dataset is None:
            raise NotFound("There is no such dataset.")
        through = roles_needed(dataset, principal, Action.VIEW, grants)
        if through is None:
            raise NotFound("There is no such dataset.").about(dataset_id)
        if action is Action.DOWNLOAD:
            more = roles_needed(dataset, principal, action, grants)
            if more is None or principal.kind is TokenKind.TILES:
                raise Forbidden("This dataset may be viewed but not downloaded by you.").about(dataset_id)
            through |= more
        return Admitted(dataset, through, standing)

    def check_enabled(self, principal: Principal) -> None:
        """Return when the caller may use their token at all.

        Raises BadCredential for a disabled user and for a token that is on record no longer.
        """
        holder = holder_of(principal)
        if holder != NOBODY and self._records.is_refused(holder):
            raise BadCredential(DISABLED)

    def check_layer(self, principal: Principal, scope: str) -> None:
        """Return when the caller may ask for a layer: what they see of it is for the search that finds its datasets.

        Raises BadCredential for a disabled user, and for a token of something else.
        """
        self.check_enabled(principal)
        if principal.kind is not None and principal.layer != scope:
            raise BadCredential("The token is for something else.")

    def storage_of(self, dataset: Dataset) -> Storage:
        """Return the storage of the dataset's root; raises StorageUnavailable when it is not configured."""
        try:
            return self._storages[dataset.root]
        except KeyError:
            raise StorageUnavailable("The storage of this dataset cannot be reached.") from None

    def judged(self, dataset: Dataset) -> tuple[Dataset, ObjectStat] | None:
        """Return the dataset and the facts of the version in the storage, or None where that is to be judged first.

        Raises NotFound when the bytes are gone, StorageUnavailable, NotACog with the findings, and Unavailable for a
        version that is being judged deeper than usual, as its predecessor was: nobody waits for that, and the first
        who asks has it begun.
        """
        with _gone_is_not_found(dataset):
            stat = self.storage_of(dataset).stat(dataset.key)
        if stat.version == dataset.version:
            return _if_valid(dataset, stat)
        self._leave_if_deep(dataset, stat)
        return None

    def _leave_if_deep(self, dataset: Dataset, stat: ObjectStat) -> None:
        """Raise Unavailable for a new version that is to be judged deeper than usual, after that has begun."""
        if is_deeper(dataset.report.depth, usual_depth(remote=self.storage_of(dataset).remote)):
            raise self._judge_deep(dataset, stat)

    def vouch(self, dataset: Dataset) -> tuple[Dataset, ObjectStat]:
        """Return the dataset as judged in the version that lies in the storage now, and that version's facts.

        A version without a verdict is judged. Raises what `judged` raises.
        """
        known = self.judged(dataset)
        if known is None:
            with _gone_is_not_found(dataset):
                known = self._judge(dataset)
        return _if_valid(*known)

    def _judge(self, dataset: Dataset) -> tuple[Dataset, ObjectStat]:
        """Return the dataset with the verdict of the bytes that are there now, on record; one thread judges."""
        storage = self.storage_of(dataset)
        with self._judging[hash(dataset.id) % LOCK_STRIPES]:
            for _ in range(JUDGE_TRIES):
                with storage.open(dataset.key) as opened:
                    known = self._records.dataset(dataset.id)
                    if known is None:
                        raise NotFound("There is no such dataset.")
                    if known.version == opened.stat.version:
                        return known, opened.stat
                    self._leave_if_deep(known, opened.stat)
                    try:
                        inspection = self._inspect(known, opened, storage.siblings(dataset.key))
                    except VersionChanged:
                        continue
                    verdict = verdict_over(opened.stat, inspection, known)
                    if opened.unchanged() and (judged := verdict_stored(self._records, known, verdict)):
                        return judged, opened.stat
        raise StorageUnavailable("The file of this dataset is being written to.", retry_after_seconds=1)


def vouched(gatekeeper: Gatekeeper, dataset: Dataset, may_wait: Wait) -> tuple[Dataset, ObjectStat] | Wait:
    """Return the dataset as judged in the version that is there now and that version's facts, or what it takes.

    Raises what `Gatekeeper.vouch` raises.
    """
    remote = gatekeeper.storage_of(dataset).remote
    if remote and not may_wait.for_store:
        return Wait.STORE
    if may_wait.for_judgement:
        return gatekeeper.vouch(dataset)
    return gatekeeper.judged(dataset) or (Wait.STORE_JUDGEMENT if remote else Wait.JUDGEMENT)


def admitted(
    gatekeeper: Gatekeeper, dataset_id: str, principal: Principal, action: Action, may_wait: Wait
) -> tuple[Dataset, Admitted] | Wait:
    """Return the judged dataset for a caller who may do `action` with it, and the admission, or what it takes.

    Raises what `Gatekeeper.admit` and `Gatekeeper.vouch` raise.
    """
    found = gatekeeper.admit(dataset_id, principal, action)
    known = vouched(gatekeeper, found.dataset, may_wait)
    return known if isinstance(known, Wait) else (known[0], found)


def verdict_over(stat: ObjectStat, inspection: Inspection, known: Dataset) -> Verdict:
    """Return the verdict over the version that `stat` tells of."""
    return Verdict(stat.version, stat.size_bytes, inspection, origin=known.origin, modified_at=stat.modified_at)


def verdict_stored(records: Records, known: Dataset, verdict: Verdict) -> Dataset | None:
    """Return the dataset with this verdict on record; None where it was judged by another process meanwhile."""
    report = verdict.inspection.report
    detail = {"valid": report.valid, "depth": report.depth, "replaced": known.version}
    row = AuditRow("dataset.judged", dataset_id=known.id, version=verdict.version, detail=detail)
    return records.judge_dataset(known, verdict, row)


@contextmanager
def _gone_is_not_found(dataset: Dataset) -> Iterator[None]:
    try:
        yield
    except ObjectMissing:
        raise NotFound("The file of this dataset is gone.").about(dataset.id) from None


def _if_valid(dataset: Dataset, stat: ObjectStat) -> tuple[Dataset, ObjectStat]:
    """Return both, when the verdict is that the file is a true COG; raises NotACog."""
    if dataset.report.valid:
        return dataset, stat
    findings = [f.as_json() for f in dataset.report.errors]
    sentence = "The file is no true Cloud-Optimized GeoTIFF; `errors` says why."
    raise NotACog(sentence, members={"errors": findings}).about(dataset.id)
