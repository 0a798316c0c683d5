"""Studios of every kind over one folder of rasters, and one way to ask them."""

import asyncio
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway.files import open_file
from gateway.studio import Source, forks
from gateway.studio.local import LocalStudio
from gateway.studio.process import Plan, ProcessStudio, shared_blocks_mb
from gateway.studio.tally import Rules
from gateway.studio.worker import Limits


def source(path: Path, id: str = "") -> Source:
    """Return the version of a local file that is there now."""
    with open_file(path) as opened:
        return Source(id or path.stem, opened.version, "data", path.name, False)


@dataclass
class Bench:
    """A studio over a folder; `on_loop` calls something where the answers arrive."""

    studio: Any
    folder: Path
    on_loop: Any = None

    def begin(self, make, path=None, id="", **changes):
        """Return the future of a task, over a file where there is one."""
        if path is None:
            return self.studio.submit(make)
        with open_file(path) as opened:
            return self.studio.submit(make(source(path, id)), (opened,))

    def do(self, make, path=None, id=""):
        """Return what a task comes to."""
        return self.begin(make, path, id).result(120)


@contextmanager
def local(folder, threads=2, queue_limit=64):
    studio = LocalStudio({}, Limits(threads=threads), queue_limit)
    try:
        yield Bench(studio, folder)
    finally:
        studio.close()


# By program.
LOADED: dict[str, forks.Forks] = {}


def loaded() -> forks.Forks:
    """Return the way to a process from which the painters of all studios are forked, as those of a server's workers."""
    if forks.PROGRAM not in LOADED:
        LOADED[forks.PROGRAM] = forks.Forks(blocks_mb=shared_blocks_mb(Plan(Rules(2)).gdal_cache_mb, 2))
        LOADED[forks.PROGRAM]._start()
    return LOADED[forks.PROGRAM]


@pytest.fixture(scope="session", autouse=True)
def ended():
    """Let what was loaded end with the tests."""
    yield
    for each in LOADED.values():
        each.close()


@contextmanager
def processes(folder, *, threads=2, queue_limit=64, painters=1, memory_mb=512, far=None, alone=False):
    """Yield a bench whose painters answer on a loop in another thread, in as much time as they need.

    `alone` they are forked from a process of their own.
    """
    forking = None if alone else forks.Forks(loaded()._asking)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    plan = Plan(Rules(painters, 3600.0, memory_mb), threads, queue_limit=queue_limit, far=far)
    studio = ProcessStudio(plan, forking)

    def on_loop(work):
        async def run():
            return work()

        return asyncio.run_coroutine_threadsafe(run(), loop).result(120)

    on_loop(lambda: studio.attach(loop))
    try:
        bench = Bench(studio, folder)
        bench.on_loop = on_loop
        yield bench
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        studio.close()
        loop.close()


KINDS = {"local": local, "processes": processes}


@pytest.fixture(scope="module", params=KINDS)
def bench_of(request):
    """Return a context manager of a bench over a folder; its options are those of every studio."""
    return KINDS[request.param]


@pytest.fixture(scope="module")
def bench(bench_of, tmp_path_factory):
    """A studio of each kind, for all tests of a file that leave it as it was."""
    with bench_of(tmp_path_factory.mktemp("bench")) as found:
        yield found
