"""What a running gateway or command consists of, opened in order and closed in the reverse order."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from gateway import __version__
from gateway.audit import AuditLog
from gateway.cog import inspect
from gateway.cog.stretch import with_stretch
from gateway.errors import SettingsError
from gateway.gatekeeper import Gatekeeper
from gateway.metrics import Metrics
from gateway.model import AuditRow, Inspection, TokenKind
from gateway.pools import BoundedPool
from gateway.rates import RateLimits
from gateway.records import Records, open_records
from gateway.settings import Settings, read_secret
from gateway.storage import OpenObject, Storage, open_storage
from gateway.tokens import HmacKeys, IssuerKeys, KeySet, TokenPolicy, fetcher

if TYPE_CHECKING:
    from gateway.tiles.engine import TileEngine

JUDGE_THREADS = 2
STORE_THREADS = 8
HAUL_THREADS = 8
FAR_TILE_THREADS = 8
# Who waits for a file goes before who waits for a picture.
TILE_NICE = 10
# Each keeps a descriptor and some handles of GDAL.
OPEN_RASTERS = 64


Judge = Callable[[OpenObject, frozenset[str]], Inspection]
Append = Callable[[Sequence[AuditRow]], None]


class Closable(Protocol):
    """A part that must be closed."""

    def close(self) -> None:
        """Release what the part holds."""


C = TypeVar("C", bound=Closable)


class Drawing:
    """What draws tiles, made when it is first wanted: commands that draw nothing do not pay for its libraries."""

    def __init__(self, make: Callable[[], TileEngine]) -> None:
        self._make = make
        self._gate = threading.Lock()
        self._engine: TileEngine | None = None

    @property
    def engine(self) -> TileEngine:
        """Return the engine."""
        with self._gate:
            self._engine = self._engine or self._make()
            return self._engine

    def close(self) -> None:
        """Close the engine, if there ever was one."""
        if self._engine is not None:
            self._engine.close()


@dataclass(frozen=True, slots=True)
class Services:
    """The parts that handlers and commands work with. Open after a fork, never before."""

    settings: Settings
    metrics: Metrics
    rates: RateLimits
    records: Records
    storages: Mapping[str, Storage]
    audit: AuditLog
    keys: HmacKeys
    issuer: IssuerKeys | None
    policy: TokenPolicy
    gatekeeper: Gatekeeper
    disk: BoundedPool
    # Files that must be judged anew keep nobody from those that need not, nor a store in a network a disk.
    judges: BoundedPool
    stores: BoundedPool
    # What takes long at a store: bodies, and files of it that must be judged.
    hauls: BoundedPool
    drawing: Drawing
    renderers: BoundedPool
    # They wait for a store more than they draw.
    far_renderers: BoundedPool
    _closing: ExitStack

    @property
    def tiles(self) -> TileEngine:
        """Return what draws tiles; the first call takes a while."""
        return self.drawing.engine

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


def open_services(settings: Settings, shared: Path | None = None) -> Services:
    """Return the services of one process, which counts in the folder `shared` together with others.

    Raises SettingsError when the state folder cannot be made or a key is unfit, RecordsUnavailable when the
    database cannot be opened.
    """
    keys = HmacKeys(secret_keys(settings))
    with ExitStack() as stack:

        def kept(part: C) -> C:
            stack.callback(part.close)
            return part

        metrics = kept(Metrics(__version__, shared))
        records = kept(open_records(database_file(settings.state_dir)))
        storages = {name: kept(storage) for name, storage in storages_of(settings)}
        audit = kept(AuditLog(timed(records.append_audit, metrics)))
        return Services(
            settings,
            metrics,
            kept(RateLimits(rates_of(settings), shared)),
            records,
            storages,
            audit,
            keys,
            kept(issuer) if (issuer := issuer_of(settings)) else None,
            policy_of(settings),
            Gatekeeper(records, storages, counted(inspector(settings.allow_missing_overviews), metrics)),
            disk=kept(BoundedPool("disk", settings.worker_threads, queue_limit=64 * settings.worker_threads)),
            judges=kept(BoundedPool("judge", JUDGE_THREADS, queue_limit=32)),
            stores=kept(BoundedPool("store", STORE_THREADS, queue_limit=128)),
            drawing=kept(Drawing(lambda: tile_engine(settings, storages))),
            renderers=kept(BoundedPool("tile", settings.tile_threads, settings.tile_queue, TILE_NICE)),
            far_renderers=kept(BoundedPool("far-tile", FAR_TILE_THREADS, settings.tile_queue, TILE_NICE)),
            hauls=kept(BoundedPool("haul", HAUL_THREADS, queue_limit=512)),
            _closing=stack.pop_all(),
        )
    raise AssertionError("unreachable: ExitStack swallows nothing")


def rates_of(settings: Settings) -> Mapping[str, str]:
    """Return the limits by the names under which they are counted."""
    return {"mint": settings.mint_rate, "failure": settings.failure_rate, "tile": settings.tile_rate}


def storages_of(settings: Settings) -> Iterator[tuple[str, Storage]]:
    """Yield each root's name and its storage, opened."""
    for name, root in settings.roots.items():
        yield name, open_storage(name, root, settings.presign_seconds)


def tile_engine(settings: Settings, storages: Mapping[str, Storage]) -> TileEngine:
    """Return what draws tiles."""
    # OpenCV takes half a second to import.
    from gateway.tiles.engine import TileEngine  # noqa: PLC0415

    return TileEngine(
        storages,
        cache_bytes=settings.tile_cache_mb << 20,
        handles=OPEN_RASTERS,
        gdal_cache_bytes=settings.gdal_cache_mb << 20,
    )


def issuer_of(settings: Settings) -> IssuerKeys | None:
    """Return the keys of the issuer of bearer tokens, where there is one."""
    if settings.oidc_issuer is None:
        return None
    return IssuerKeys(fetcher(settings.oidc_issuer, settings.oidc_jwks_url))


def policy_of(settings: Settings) -> TokenPolicy:
    """Return what tokens must be."""
    lifetimes = {TokenKind.DOWNLOAD: settings.download_token_seconds, TokenKind.TILES: settings.tile_token_seconds}
    return TokenPolicy(settings.roles_claim, settings.oidc_issuer, settings.oidc_audience, lifetimes)


def inspector(allow_missing_overviews: bool) -> Judge:
    """Return the COG check as the gatekeeper calls it: over an opened object and its siblings' names."""

    def judge(opened: OpenObject, siblings: frozenset[str]) -> Inspection:
        found = inspect(opened, allow_missing_overviews=allow_missing_overviews, siblings=siblings)
        return with_stretch(opened, found)

    return judge


def counted(judge: Judge, metrics: Metrics) -> Judge:
    """Return `judge`, whose verdicts are counted."""

    def count(opened: OpenObject, siblings: frozenset[str]) -> Inspection:
        found = judge(opened, siblings)
        metrics.validations.add("valid" if found.report.valid else "invalid")
        return found

    return count


def timed(append: Append, metrics: Metrics) -> Append:
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


def secret_keys(settings: Settings) -> list[bytes]:
    """Return the keys for the gateway's own tokens: those of the settings, else the one of the state folder."""
    return [key.encode() for key in settings.secret_keys or (own_key(settings.state_dir),)]


def state_folder(path: Path) -> Path:
    """Return the state folder, made when it is missing and closed to other users then."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"the state folder {path} cannot be made") from error
    return path


def database_file(state_dir: Path) -> Path:
    """Return the path of the database; a new one is closed to other users, because it names people."""
    path = state_folder(state_dir) / "gateway.db"
    try:
        if not path.exists():
            path.touch(mode=0o600)
    except OSError as error:
        raise SettingsError(f"the database {path} cannot be made") from error
    return path


def own_key(state_dir: Path) -> str:
    """Return the gateway's own key from `secret.key`, made with mode 0600 on the first start.

    Several processes may start together: the file is linked into place whole, and the first one wins.
    """
    path = state_folder(state_dir) / "secret.key"
    if not path.exists():
        temporary = path.with_name(f".secret.key.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(48) + "\n")
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, path)
            except FileExistsError:
                pass
            finally:
                temporary.unlink()
        except OSError as error:
            raise SettingsError(f"the key file {path} cannot be made") from error
    return read_secret(path)
