"""The tests that speak to a server by HTTP alone, against one node or against two: `pytest tests/handlers --nodes N`.

With `--nodes 1` they run as always: one node, records in SQLite. With `--nodes 2` their requests go to nginx, which
gives them to two nodes with records in PostgreSQL, limits in Valkey, and all else of their own; what is in buckets is in
the S3 servers of the tests. Both choose the same tests, so their counts are to be the same. What is true of one node
alone, or answered by nginx itself, says so and why: `@pytest.mark.one_node(reason)`.
"""

import inspect
import re
import socket
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from tornado.netutil import bind_sockets

from scripts.clustering.balancer import Balancer
from scripts.clustering.program import HOST, accepts, free_port
from scripts.clustering.valkey import Valkey

ONE_NODE = "one_node"
# Who takes these looks into the one server that is there, or at what it logs.
INSIDE = {"monkeypatch", "http_server", "app", "caplog", "capsys", "io_loop", "database", "other"}
LOOKS_INSIDE = re.compile(
    r"\bworld\.services\.(?!records\.|settings\.)|\bapp\.|\bclock\b|trusted_proxies|unused_port"
)


def pytest_addoption(parser) -> None:
    parser.addoption(
        "--nodes",
        type=int,
        choices=(1, 2),
        help="only what speaks HTTP alone, against so many nodes (tests/nodes.py)",
    )


def pytest_configure(config) -> None:
    config.addinivalue_line("markers", f"{ONE_NODE}(reason): asked of one node only, for a reason that is given")


def speaks_http_alone(item) -> bool:
    """Return whether a test knows the server by its answers, its records, and datasets that are given to it."""
    if (marker := item.get_closest_marker(ONE_NODE)) is not None:
        (reason,) = marker.args
        assert reason
        return False
    names = set(inspect.signature(item.function).parameters)
    return "fetch" in names and not names & INSIDE and not LOOKS_INSIDE.search(inspect.getsource(item.function))


def _parameters(item) -> list[object]:
    return list(item.callspec.params.values()) if hasattr(item, "callspec") else []


def pytest_collection_modifyitems(config, items) -> None:
    if config.getoption("--nodes") is None:
        return
    of_the_other = "postgresql" if config.getoption("--nodes") == 1 else "sqlite"
    kept = [item for item in items if speaks_http_alone(item) and of_the_other not in _parameters(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


@dataclass(frozen=True)
class Balanced:
    """nginx before two ports at which the nodes of each test listen, and their Valkey."""

    port: int
    nodes: tuple[int, int]
    valkey: Valkey

    def socket(self, node: int) -> socket.socket:
        """Return a socket of a node that listens."""
        return bind_sockets(self.nodes[node], HOST)[0]

    def forget(self) -> None:
        """Make Valkey forget what earlier tests have counted."""
        with closing(socket.create_connection((HOST, self.valkey.port), 5)) as connection:
            connection.sendall(b"FLUSHALL\r\n")
            assert connection.recv(16).startswith(b"+OK")


@pytest.fixture(scope="session")
def balanced():
    """The balancer of one process of the tests."""
    with tempfile.TemporaryDirectory(prefix="cgnb-") as folder:
        ports = (free_port(), free_port())
        parts = balancer, valkey = Balancer(Path(folder), ports), Valkey(Path(folder))
        for part in parts:
            part.start()
        balancer.wait_until(lambda: accepts(balancer.port))
        valkey.wait_until(valkey.answers)
        yield Balanced(balancer.port, ports, valkey)
        for part in parts:
            part.stop()


@pytest.fixture
def nodes(request) -> int:
    """How many nodes a test asks."""
    return request.config.getoption("--nodes") or 1
