"""Studios of every kind over one folder of rasters, and one way to ask them."""

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gateway.files import open_file
from gateway.studio import Source
from gateway.studio.local import LocalStudio
from gateway.studio.worker import Limits


def source(path: Path, id: str = "") -> Source:
    """Return the version of a local file that is there now."""
    with open_file(path) as opened:
        return Source(id or path.stem, opened.version, "data", path.name, False)


@dataclass
class Bench:
    """A studio, and the files that were given to it."""

    studio: Any
    folder: Path
    opened: list = field(default_factory=list)

    def begin(self, make, path=None, id="", **changes):
        """Return the future of a task, over a file where there is one."""
        if path is None:
            return self.studio.submit(make)
        with open_file(path) as opened:
            return self.studio.submit(make(source(path, id)), (opened,))

    def do(self, make, path=None, id=""):
        """Return what a task comes to."""
        return self.begin(make, path, id).result(60)


@contextmanager
def local(folder, threads=2, queue_limit=64, **_):
    studio = LocalStudio({}, Limits(threads=threads), queue_limit)
    try:
        yield Bench(studio, folder)
    finally:
        studio.close()


KINDS = {"local": local}


@pytest.fixture(params=KINDS)
def bench_of(request):
    """Return a context manager of a bench over a folder; its options are those of every studio."""
    return KINDS[request.param]


@pytest.fixture
def bench(bench_of, tmp_path):
    with bench_of(tmp_path) as found:
        yield found
