"""What every test stands on: the pytest-tornado plugin on pytest 9, and a loop that leaves nothing behind."""

import asyncio
import os
import signal
import sys
import types
from functools import partial
from pathlib import Path

import pytest
from tornado.ioloop import IOLoop

# pytest-tornado 0.8.1 imports pkg_resources for parse_version alone, and setuptools >= 82 has none.
if "pkg_resources" not in sys.modules:
    stub = types.ModuleType("pkg_resources")
    stub.parse_version = lambda text: tuple(int(part) for part in text.split(".")[:2])
    sys.modules["pkg_resources"] = stub

# What takes longest begins first, so that no process is left with it at the end.
LONGEST = (
    "e2e/test_drills.py", "e2e/test_two_nodes.py", "e2e/test_serve.py", "browser/test_late.py", "studio/test_faults.py", "e2e/test_api.py",
    "tiles/test_whole_extents.py", "browser/test_map.py", "e2e/test_killed_convert.py", "handlers/test_s3_downloads.py",
    "operating/test_install.py", "browser/test_access.py", "hostile/test_files.py", "e2e/test_bench_check.py",
    "browser/test_direct.py", "clients/test_use.py", "cli/test_demo.py", "test_start.py", "test_package.py",
    "e2e/test_door.py", "tiles/test_engine.py", "handlers/test_answers.py",
)  # fmt: skip
TESTS = Path(__file__).parent

pytest_plugins = [
    "pytest_tornado.plugin", "tests.patience", "tests.s3", "tests.postgres", "tests.nodes", "tests.valkey", "tests.browsing",
]  # fmt: skip


@pytest.fixture
def io_loop():
    """A loop of the test's own; the plugin's fixture calls methods that Tornado deprecates."""
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close(all_fds=True)


def pytest_configure(config) -> None:
    """Let SIGTERM end a run like Ctrl-C, so that what it has started ends with it; what tests fork takes it as always."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    os.register_at_fork(after_in_child=partial(signal.signal, signal.SIGTERM, signal.SIG_DFL))


def pytest_collection_modifyitems(items) -> None:
    """Put the tests of the longest files first."""
    rank = {TESTS / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: rank.get(item.path, len(rank)))


@pytest.fixture
def database_url(nodes, request) -> str | None:
    """Where the records are; what is about them takes `database`, each kind of database in turn."""
    if nodes == 1:
        return None
    postgres = request.getfixturevalue("postgres")
    return postgres.server.tcp_url(postgres.emptied())
