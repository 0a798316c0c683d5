"""What every test stands on: the pytest-tornado plugin on pytest 9, and a loop that leaves nothing behind."""

import asyncio
import sys
import types

import pytest
from tornado.ioloop import IOLoop

# pytest-tornado 0.8.1 imports pkg_resources for parse_version alone, and setuptools >= 82 has none.
if "pkg_resources" not in sys.modules:
    stub = types.ModuleType("pkg_resources")
    stub.parse_version = lambda text: tuple(int(part) for part in text.split(".")[:2])
    sys.modules["pkg_resources"] = stub

pytest_plugins = ["pytest_tornado.plugin", "tests.patience", "tests.s3"]


@pytest.fixture
def io_loop():
    """A loop of the test's own; the plugin's fixture calls methods that Tornado deprecates."""
    loop = IOLoop(make_current=False)
    asyncio.set_event_loop(loop.asyncio_loop)
    yield loop
    asyncio.set_event_loop(None)
    loop.close(all_fds=True)
