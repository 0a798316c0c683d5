"""What a running gateway or command consists of, opened in order and closed in the reverse order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from gateway import __version__
from gateway.audit import AuditLog, LoopAuditLog, RecorderLink
from gateway.cog.sidecars import check_sidecars
from gateway.deep import DeepJudgements, DeepRules
from gateway.files import FileSource
from gateway.gatekeeper import Gatekeeper
from gateway.members import Members
from gateway.metrics import Metrics
from gateway.model import AuditRow, Dataset, Inspection, TokenKind
from gateway.pools import BoundedPool, Pool, pool_table
from gateway.rates import RateLimits
from gateway.records import Records, file_of
from gateway.refusals import Refusals
from gateway.settings import Settings
from gateway.shown import ShownTokens
from gateway.state import database_url, made_records, secret_keys
from gateway.storage import OpenObject, Storage, open_storage
from gateway.studio import Source, Studio
from gateway.studio.layers import Layers
from gateway.studio.ondemand import OnDemand
from gateway.studio.pictures import Pictures
from gateway.studio.tasks import verdict
from gateway.tokens import HmacKeys, IssuerEndpoints, IssuerKeys, KeySet, TokenPolicy, described, fetcher

Judge = Callable[[Dataset, OpenObject, frozenset[str]], Inspection]
# As much as a painter may take for one task.
WITHIN_TASK = 3
StudioMaker = Callable[[Settings, Mapping[str, Storage]], Studio]
Append = Callable[[Sequence[AuditRow]], object]
Count = Callable[[str], None]


class Closable(Protocol):
    """A part that must be closed."""

    def close(self) -> None:
        """Release what the part holds."""


C = TypeVar("C", bound=Closable)


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that handlers and commands work with. Open after a fork, never before."""

    settings: Settings
    metrics: Metrics
    rates: RateLimits
    records: Records
    storages: Mapping[str, Storage]
    audit: AuditLog | LoopAuditLog
    refusals: Refusals
    keys: HmacKeys
    issuer: IssuerKeys | None
    endpoints: IssuerEndpoints
    policy: TokenPolicy
    gatekeeper: Gatekeeper
    members: Members
    pools: Mapping[Pool, BoundedPool]
    studio: Studio
    pictures: Pictures
    layers: Layers
    shown: ShownTokens
    _closing: ExitStack

    @property
    def bearer_keys(self) -> KeySet:
        """Return the keys that vouch for bearer tokens: the issuer's, or the gateway's own where there is none."""
        return self.issuer or self.keys

    def reread_keys(self, settings: Settings) -> None:
        """Take the keys that the settings name now, and ask the issuer anew. Raises SettingsError, keeps the old."""
        self.keys.replace(secret_keys(settings))
        if self.issuer is not None:
            self.issuer.refresh(now=True)

    def close(self) -> None:
        """Close every part, the last opened first; the audit is flushed before its database goes."""
        self._closing.close()

    def __enter__(self) -> Services:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def open_services(
    settings: Settings,
    shared: Path | None = None,
    make_studio: StudioMaker | None = None,
    recorder: Path | None = None,
) -> Services:
    """Return the services of one process, which counts in the folder `shared` together with others.

    `make_studio` says who draws its pictures, at `recorder` listens who writes its audit: itself without. Raises
    SettingsError for an unfit state folder or key, and RecordsUnavailable.
    """
    keys = HmacKeys(secret_keys(settings))
    with ExitStack() as stack:

        def kept(part: C) -> C:
            stack.callback(part.close)
            return part

        metrics = kept(Metrics(__version__, shared))
        records = kept(made_records(settings))
        storages = {name: kept(storage) for name, storage in storages_of(settings)}
        rates = kept(RateLimits(rates_of(settings), shared, valkey_url=settings.valkey_url))
        audit = kept(audit_of(records, metrics, recorder, stack))
        refusals = kept(Refusals(records, rates, partial(audit.note, quietly=True)))
        pools = {pool: kept(made) for pool, made in pools_of(settings.worker_threads)}
        # These are closed before the pools: their threads may wait for them.
        studio = kept((make_studio or local_studio)(settings, storages))
        disk, count = pools[Pool.DISK].submit, metrics.validations.add
        deep = kept(DeepJudgements(records, storages, pools[Pool.DEEP], deep_rules(settings), shared, count))
        pictures = kept(Pictures(studio, storages, settings.tile_cache_mb << 20))
        judge = counted(inspector(studio, settings.allow_missing_overviews), count)
        return Services(
            *(settings, metrics, rates, records, storages, audit, refusals, keys),
            kept(issuer) if (issuer := issuer_of(settings)) else None,
            *(kept(endpoints_of(settings)), policy_of(settings), Gatekeeper(records, storages, judge, deep.begin)),
            *(Members(records), pools, studio),
            *(pictures, Layers(pictures, disk), ShownTokens(records.tokens, records.lists, disk)),
            _closing=stack.pop_all(),
        )
    raise AssertionError("unreachable: ExitStack swallows nothing")


def pools_of(threads: int) -> Iterator[tuple[Pool, BoundedPool]]:
    """Yield the pools by their names."""
    for pool, size in pool_table(threads).items():
        yield pool, BoundedPool(pool, size.threads, size.queue_limit)


def needed_modules(settings: Settings) -> Iterator[str]:
    """Yield what is imported once for all workers, so that one that ended is back soon."""
    yield from ("gateway.rates.table", "limits.strategies")
    if file_of(database_url(settings)) is None:
        yield "gateway.records.postgres"
    if settings.valkey_url is not None:
        yield "gateway.rates.valkey"


def audit_of(records: Records, metrics: Metrics, recorder: Path | None, stack: ExitStack) -> AuditLog | LoopAuditLog:
    """Return the audit log of a process, over its own database or over the recorder; `stack` closes the way there."""
    if recorder is None:
        return AuditLog(timed(records.append_audit, metrics))
    return LoopAuditLog(stack.enter_context(closing(RecorderLink(recorder))).append)


def rates_of(settings: Settings) -> Mapping[str, str]:
    """Return the limits by the names under which they are counted."""
    return {"mint": settings.mint_rate, "failure": settings.failure_rate, "tile": settings.tile_rate}


def storages_of(settings: Settings) -> Iterator[tuple[str, Storage]]:
    """Yield each root's name and its storage, opened."""
    for name, root in settings.roots.items():
        yield name, open_storage(name, root, settings.presign_seconds)


def local_studio(settings: Settings, storages: Mapping[str, Storage]) -> Studio:
    """Return what draws in this process, once it is asked to."""

    def make() -> Studio:
        # GDAL and OpenCV take half a second to import, and a server has them in processes of their own.
        from gateway.studio.local import LocalStudio  # noqa: PLC0415
        from gateway.studio.worker import Limits  # noqa: PLC0415

        limits = Limits(settings.gdal_cache_mb, settings.tile_threads)
        return LocalStudio(far_of(storages), limits, settings.tile_queue)

    return OnDemand(make)


def far_of(storages: Mapping[str, Storage]) -> dict[str, Storage]:
    """Return the storages in a network: files of the others come to a studio opened."""
    return {name: storage for name, storage in storages.items() if storage.remote}


def issuer_of(settings: Settings) -> IssuerKeys | None:
    """Return the keys of the issuer of bearer tokens, where there is one."""
    if settings.oidc_issuer is None:
        return None
    return IssuerKeys(fetcher(settings.oidc_issuer, settings.oidc_jwks_url))


def endpoints_of(settings: Settings) -> IssuerEndpoints:
    """Return where people sign in, which is asked for when somebody does."""
    return IssuerEndpoints(partial(described, settings.oidc_issuer or ""))


def policy_of(settings: Settings) -> TokenPolicy:
    """Return what tokens must be."""
    lifetimes = {TokenKind.DOWNLOAD: settings.download_token_seconds, TokenKind.TILES: settings.tile_token_seconds}
    return TokenPolicy(settings.roles_claim, settings.oidc_issuer, settings.oidc_audience, lifetimes)


def deep_rules(settings: Settings) -> DeepRules:
    """Return how files are judged deeper than usual."""
    return DeepRules(settings.allow_missing_overviews, WITHIN_TASK * settings.painter_mb)


def inspector(studio: Studio, allow_missing_overviews: bool) -> Judge:
    """Return the COG check as the gatekeeper calls it: over an opened object and its siblings' names."""

    def judge(dataset: Dataset, opened: OpenObject, siblings: frozenset[str]) -> Inspection:
        source = Source(dataset.id, opened.stat.version, dataset.root, dataset.key, opened.remote)
        near: object = opened
        files = (near,) if isinstance(near, FileSource) else ()
        found = studio.submit(verdict(source, allow_missing_overviews), files).result()
        # What lies beside the file is looked at here: a studio gets the file alone.
        beside = tuple(check_sidecars(opened, siblings))
        return replace(found, report=replace(found.report, findings=found.report.findings + beside))

    return judge


def counted(judge: Judge, count: Count) -> Judge:
    """Return `judge`, whose verdicts are counted."""

    def judge_and_count(dataset: Dataset, opened: OpenObject, siblings: frozenset[str]) -> Inspection:
        found = judge(dataset, opened, siblings)
        count("valid" if found.report.valid else "invalid")
        return found

    return judge_and_count


def timed(append: Append, metrics: Metrics) -> Callable[[Sequence[AuditRow]], None]:
    """Return `append`, whose commits are counted and timed."""

    def commit(rows: Sequence[AuditRow]) -> None:
        began, written = time.monotonic(), False
        try:
            append(rows)
            written = True
        finally:
            if not written:
                metrics.audit_failures.add()
        metrics.audit_seconds.observe(time.monotonic() - began)
        metrics.audit_rows.observe(len(rows))

    return commit
