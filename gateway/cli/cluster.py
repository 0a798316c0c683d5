"""Work on many items over a cluster of Dask: its workers judge, this process plans and records."""

from __future__ import annotations

import logging
import platform
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar, cast
from uuid import uuid4

import dask
import distributed
from distributed import Client, Future, KilledWorker, LocalCluster, Security, WorkerPlugin, as_completed
from distributed.versions import VersionMismatchWarning

from gateway import __version__
from gateway.cli.runs import closed_undisturbed
from gateway.cli.sealed import sealed, storage_at, unsealed
from gateway.cli.versions import ClusterError, facts_of, require_versions
from gateway.cli.workers import DIED, TRIES, Results
from gateway.errors import GatewayError
from gateway.settings import load_settings
from gateway.storage import Storage

T = TypeVar("T")
R = TypeVar("R")
Teller = Callable[[], AbstractContextManager[None]]

# A batch takes about so long: a task costs the client some milliseconds, and what its worker dies over is done again.
BATCH_SECONDS = 1.0
FIRST_ITEMS, MOST_ITEMS = 4, 100
# Batches that wait at each thread, so that none waits for this process.
AHEAD = 3
CONNECT_SECONDS = 10
# How old the number of workers may be that is told.
COUNTED_SECONDS = 5.0
# The second death is the batch's own fault, as in `workers`; and no page is served.
CONFIG = {
    "distributed.scheduler.allowed-failures": TRIES - 1,
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
# Without an address it would be the one port of all dashboards.
SCHEDULER = {"dashboard_address": "127.0.0.1:0"}
VERSIONS = ("cog-gateway", "python", "dask", "distributed")


def versions() -> dict[str, str]:
    """Return the versions that must be the same everywhere, of this process."""
    python = ".".join(platform.python_version_tuple()[:2])
    return dict(zip(VERSIONS, (__version__, python, dask.__version__, distributed.__version__), strict=True))


class Storages(WorkerPlugin):
    """The storages of one worker, opened by its own settings when they are first asked for.

    Travels to the workers with the versions that they must have, and with nothing else.
    """

    def __init__(self) -> None:
        self._wanted = versions()
        self._opened: dict[tuple[str, str], Storage] = {}

    def setup(self, worker: Any) -> None:
        """Raise ClusterError where this worker has other versions than the client, and SettingsError."""
        require_versions(f"the worker {worker.address}", versions(), self._wanted)
        self._settings = load_settings()
        self._where = worker.address
        self._lock = threading.Lock()

    def storage(self, name: str, uri: str) -> Storage:
        """Return the storage of that name. Raises ClusterError where this machine has none, or another."""
        with self._lock:
            if (name, uri) not in self._opened:
                try:
                    self._opened[name, uri] = storage_at(self._settings, name, uri)
                except GatewayError as error:
                    raise ClusterError(f"the worker {self._where}: {error}") from error
            return self._opened[name, uri]

    def teardown(self, worker: Any) -> None:
        """Close the storages."""
        for storage in self._opened.values():
            storage.close()


def work_on(plugin: str, data: bytes) -> tuple[float, list[Any]]:
    """Return the seconds that a batch took and its results; runs on a worker. Raises what the work raises."""
    storages = cast("Storages", distributed.get_worker().plugins[plugin])
    work, items = unsealed(data, storages.storage)
    began = time.monotonic()
    results = [work(item) for item in items]
    return time.monotonic() - began, results


class Cluster:
    """A cluster that is ready to work; `here` tells of items that need no worker. Raises ClusterError."""

    def __init__(self, client: Client, again: str, here: Callable[[Any], bool] = lambda _: False) -> None:
        self._client, self._again, self._here = client, again, here
        self._plugin = f"cog-gateway-{uuid4()}"
        self._counted_at, self._threads, self.workers = float("-inf"), 0, 0
        with self._told():
            self._require_workers()
            client.register_plugin(Storages(), name=self._plugin)

    def over_dask(self, work: Callable[[T], R], items: Iterable[T]) -> Results[T, R]:
        """Yield each item with `work(item)` as soon as it is there, in any order; the contract of `as_they_come`."""
        with closing(_Flight(self._client, partial(self._submit, work), self._told)) as flight:
            batch: list[T] = []
            for item in items:
                if self._here(item):
                    yield item, work(item)
                    continue
                batch.append(item)
                if len(batch) < flight.size:
                    continue
                flight.add(batch)
                batch = []
                yield from flight.collect(patiently=False)
                while flight.under_way >= AHEAD * self.threads:
                    yield from flight.collect(patiently=True)
            if batch:
                flight.add(batch)
            yield from flight.rest()
            # One by one, when nothing else is on any worker: whoever's worker dies now has ended it.
            for item in flight.suspects:
                flight.add([item])
                yield from flight.rest()

    @property
    def threads(self) -> int:
        """Return how many items are worked on at once, at least 1; at most a few seconds old."""
        if time.monotonic() - self._counted_at > COUNTED_SECONDS:
            with self._told():
                counts = self._client.nthreads()
            self._threads, self.workers = sum(counts.values()), len(counts)
            self._counted_at = time.monotonic()
        return max(1, self._threads)

    def close(self) -> None:
        """Take the storages from the workers."""
        # A scheduler that is gone has told of that before.
        with suppress(OSError, RuntimeError, ValueError, TimeoutError):
            if self._client.status == "running":
                self._client.unregister_worker_plugin(self._plugin)

    def _submit(self, work: Callable[[T], R], batch: list[T]) -> Future[Any]:
        with self._told():
            key, data = f"cog-gateway-{uuid4()}", sealed((work, batch))
            return self._client.submit(work_on, self._plugin, data, key=key, pure=False)

    def _require_workers(self) -> None:
        if not self.threads or not self.workers:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            self._counted_at = float("-inf")
        found, wanted = self._client.get_versions(packages=["cog-gateway"]), versions()
        # A scheduler only hands on what it is sent: it needs no gateway.
        require_versions("the scheduler", facts_of(found["scheduler"]), {k: wanted[k] for k in VERSIONS[1:]})
        for address, facts in found["workers"].items():
            require_versions(f"the worker {address}", facts_of(facts), wanted)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what the library says of a cluster that is gone into ClusterError."""
        try:
            yield
        except (distributed.CancelledError, distributed.comm.CommClosedError, TimeoutError) as error:
            raise ClusterError(f"the cluster was lost or has no workers: {self._again}") from error


class _Flight:
    """Batches on their way; `size` is that of the next one, `suspects` are items of batches that ended workers."""

    def __init__(
        self,
        client: Client,
        submit: Callable[[list[Any]], Future[Any]],
        told: Callable[[], AbstractContextManager[None]],
    ) -> None:
        self._client, self._submit, self._told = client, submit, told
        self._batches: dict[Any, list[Any]] = {}
        self._futures: dict[Any, Future[Any]] = {}
        self._done = as_completed(loop=client.loop)
        self.suspects: list[Any] = []
        self.size = FIRST_ITEMS

    @property
    def under_way(self) -> int:
        """Return how many batches are not done."""
        return len(self._batches)

    def add(self, batch: list[Any]) -> None:
        """Hand a batch over."""
        future = self._submit(batch)
        self._batches[future.key], self._futures[future.key] = batch, future
        self._done.add(future)

    def collect(self, *, patiently: bool) -> Iterator[tuple[Any, Any]]:
        """Yield the results that are there; `patiently` waits for some.

        Raises ClusterError when they are lost, and what the work has raised.
        """
        for future in self._done.next_batch(block=patiently):
            batch = self._batches.pop(future.key)
            del self._futures[future.key]
            failed = future.exception() if future.status == "error" else None
            if isinstance(failed, KilledWorker) and len(batch) == 1:
                yield batch[0], DIED
            elif isinstance(failed, KilledWorker):
                self.suspects += batch
            elif failed is not None:
                raise failed
            else:
                yield from zip(batch, self._results(future, len(batch)), strict=True)

    def rest(self) -> Iterator[tuple[Any, Any]]:
        """Yield the results of all that is under way. Raises what `collect` raises."""
        while self._batches:
            yield from self.collect(patiently=True)

    def _results(self, future: Future, items: int) -> list[Any]:
        """Return the results of a batch, which its worker need not keep any longer, and note how long it took."""
        with self._told():
            seconds, results = future.result()
        future.release()
        per_item = max(seconds / items, BATCH_SECONDS / MOST_ITEMS)
        # A step at a time: a batch of small files says little of the next one.
        self.size = max(1, min(2 * self.size, int(BATCH_SECONDS / per_item)))
        return cast("list[Any]", results)

    def close(self) -> None:
        """Let go of what is not done."""
        with suppress(OSError, RuntimeError, TimeoutError):
            if self._futures and self._client.status == "running":
                self._client.cancel(list(self._futures.values()), force=True)


@contextmanager
def client_at(address: str) -> Iterator[Client]:
    """Yield a client of the scheduler at an address, with the certificates of Dask's own configuration.

    Raises ClusterError.
    """
    _silence()
    try:
        client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TimeoutError, ValueError, TypeError) as error:
        raise ClusterError(f"the scheduler {address} cannot be reached: {type(error).__name__}") from error
    with closing(client):
        yield client


@contextmanager
def client_here(processes: int, threads: int, config: str | None) -> Iterator[Client]:
    """Yield a client of a cluster of this machine alone, which ends with it; `config` names the settings file.

    Its parts speak TLS with a certificate of this run: any user of this machine could else run things in it.
    """
    environment = {} if config is None else {"GATEWAY_CONFIG": str(Path(config).absolute())}
    _silence()
    with closed_undisturbed() as parts:
        scratch = parts.enter_context(TemporaryDirectory(prefix="cog-gateway-dask-"))
        parts.enter_context(dask.config.set(CONFIG))
        # Ctrl-C is for this process to handle: what is started hears none, which the start of the tracker would undo.
        resource_tracker.ensure_running()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            cluster = LocalCluster(
                n_workers=processes, threads_per_worker=threads, memory_limit=0, dashboard_address=None,
                scheduler_kwargs=SCHEDULER, security=Security.temporary(), silence_logs=logging.CRITICAL,
                env=environment, local_directory=scratch,
            )  # fmt: skip
            parts.enter_context(closing(cluster))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield parts.enter_context(closing(Client(cluster, set_as_default=False)))


def _silence() -> None:
    """Let commands tell in their own words what went wrong; workers elsewhere keep their logs."""
    warnings.filterwarnings("ignore", category=VersionMismatchWarning)
    for name in ("distributed", "distributed.client", "tornado.application"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
