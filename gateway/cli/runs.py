"""Where a command works on many items: in processes of this machine, or over a cluster of Dask."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn, TypeVar

import click
from click.core import ParameterSource

from gateway.cli.workers import Results, as_they_come, in_order

T = TypeVar("T")
R = TypeVar("R")

# 128 + SIGTERM, as shells count it.
EXIT_TERMINATED = 143
ENDS = (signal.SIGINT, signal.SIGTERM)
# A process of a cluster of this machine waits for a bucket with one of so many, and computes with one of one.
BUCKET_THREADS = 4


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a command works: in `jobs` processes, a cluster with `dask`, or in the cluster of `scheduler`."""

    jobs: int
    dask: bool = False
    scheduler: str | None = None

    @property
    def is_cluster(self) -> bool:
        """Return whether a cluster does the work."""
        return self.dask or self.scheduler is not None


@dataclass(frozen=True, slots=True)
class Run:
    """What works on items, `jobs` of them at once; `workers` returns how many processes there are now."""

    jobs: int
    is_cluster: bool
    over: Callable[[Callable[[Any], Any], Iterable[Any]], Results[Any, Any]]
    workers: Callable[[], int]

    def __call__(self, work: Callable[[T], R], items: Iterable[T]) -> Results[T, R]:
        """Return each item with `work(item)`, by the contract of `workers.as_they_come`."""
        return self.over(work, items)


def takes_workplace(jobs_help: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator of commands that adds --jobs, --dask and --scheduler, passed on as `workplace`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def called(*arguments: Any, jobs: int, dask: bool, scheduler: str | None, **others: Any) -> Any:
            workplace = _workplace(jobs, dask, scheduler)
            if workplace.is_cluster and others.get("is_sorted"):
                raise click.UsageError("a cluster keeps no order: --sorted is for --jobs")
            return command(*arguments, workplace=workplace, **others)

        for option in reversed((
            click.option("--jobs", type=click.IntRange(1, 64), default=1, show_default=True, help=jobs_help),
            click.option("--dask", is_flag=True, help="Work in a Dask cluster of this machine, a process per core."),
            click.option("--scheduler", metavar="ADDRESS", help="Work in the Dask cluster of a scheduler, as "
                         "tls://HOST:8786. A scheduler runs whatever is sent to it: see docs/operating/batches.md."),
        )):  # fmt: skip
            called = option(called)
        return called

    return decorate


def _workplace(jobs: int, dask: bool, scheduler: str | None) -> Workplace:
    given = click.get_current_context().get_parameter_source("jobs") is not ParameterSource.DEFAULT
    if dask and scheduler is not None:
        raise click.UsageError("--dask and --scheduler exclude each other")
    if scheduler is not None and given:
        raise click.UsageError("--jobs is for this machine: a cluster has the processes that it has")
    # So many as may run at once, which is not always all that the machine has.
    return Workplace(len(os.sched_getaffinity(0)) if dask and not given else jobs, dask, scheduler)


@contextmanager
def run_at(
    workplace: Workplace,
    *,
    again: str,
    in_buckets: bool,
    here: Callable[[Any], bool] = lambda _: False,
    is_sorted: bool = False,
) -> Iterator[Run]:
    """Yield what works there; a SIGTERM ends the block by SystemExit with 143, so that what is done is kept.

    Results are in the order of the items with `is_sorted`, but never from a cluster.
    `again` says how a run that was cut off goes on, `in_buckets` that its time is spent in waiting for a store, and
    `here` which items need no worker. Raises ClusterError.
    """
    with ExitStack() as stack:
        stack.enter_context(ended_by_sigterm())
        if not workplace.is_cluster:
            over = in_order if is_sorted else as_they_come
            jobs = workplace.jobs
            yield Run(jobs, False, lambda work, items: over(work, items, jobs), lambda: jobs)
            return
        cluster = _imported()
        if workplace.scheduler is not None:
            client = stack.enter_context(cluster.client_at(workplace.scheduler))
        else:
            config = click.get_current_context().find_root().obj
            threads = BUCKET_THREADS if in_buckets else 1
            client = stack.enter_context(cluster.client_here(workplace.jobs, threads, config))
        made = stack.enter_context(closing(cluster.Cluster(client, again, here)))
        yield Run(made.threads, True, made.over_dask, lambda: made.workers)


def _imported() -> Any:
    """Return the module that knows Dask, which an extra brings."""
    try:
        from gateway.cli import cluster  # noqa: PLC0415 - an extra, and it takes half a second to import
    except ModuleNotFoundError as error:
        raise click.UsageError(
            f"a cluster needs {error.name}: pip install 'cog-gateway[cluster]' brings it, here and on its workers"
        ) from None
    return cluster


@contextmanager
def closed_undisturbed() -> Iterator[ExitStack]:
    """Yield what closes the parts of a cluster, and ignores a second Ctrl-C or SIGTERM meanwhile.

    A closing that is cut off leaves workers, for which Dask waits ten seconds when the process ends.
    """
    before: dict[signal.Signals, Any] = {}
    try:
        with ExitStack() as parts:
            try:
                yield parts
            finally:
                if threading.current_thread() is threading.main_thread():
                    before = {number: signal.signal(number, signal.SIG_IGN) for number in ENDS}
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Run the block so that a SIGTERM ends it by SystemExit with 143."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> NoReturn:
        raise SystemExit(EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
