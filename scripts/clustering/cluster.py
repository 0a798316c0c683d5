"""Several nodes on loopback: PostgreSQL, Valkey, an S3 server, gateways, and nginx before them."""

from __future__ import annotations

import json
import os
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from gateway.settings import Settings
from scripts.clustering.balancer import Balancer
from scripts.clustering.gateway import ROOT, Gateway
from scripts.clustering.postgres import Postgres
from scripts.clustering.program import HOST, Program, accepts, free_port
from scripts.clustering.store import Store
from scripts.clustering.valkey import Valkey

DATABASE = "gateway"
# As in the guide: who serves may add rows to the audit, and who owns the tables is another.
ROLES = ("CREATE ROLE gateway_owner LOGIN", "CREATE ROLE gateway LOGIN",
         f"CREATE DATABASE {DATABASE} OWNER gateway_owner TEMPLATE template0")  # fmt: skip
# The S3 server's program stays there, as that of scripts/local_s3.py.
PROGRAMS = Path(tempfile.gettempdir()) / "cog-gateway-s3" / "server"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a cluster is made of; `settings` are those of its nodes, named as in the documentation."""

    nodes: int = 2
    processes: int = 1
    # How files of the bucket are handed out; None: there is no S3 server.
    delivery: str | None = "redirect"
    settings: Mapping[str, str] = field(default_factory=dict)


class Node(Program):
    """One gateway at a port of its own, with what it keeps for itself in a folder of its own."""

    def __init__(self, number: int, folder: Path, environment: dict[str, str], processes: int) -> None:
        self.port = free_port()
        own = {**environment, "GATEWAY_STATE_DIR": str(folder / f"state-{number}")}
        flags = ("serve", "--host", HOST, "--port", self.port, "--processes", processes)
        super().__init__(f"node {number}", [sys.executable, "-m", "gateway", *flags], folder, own)


class Cluster(Gateway):
    """All parts, started in an empty folder with a short path; ended at the end of the `with` block.

    Raises NotStarted, and has ended then what had started.
    """

    def __init__(self, folder: Path, plan: Plan | None = None) -> None:
        super().__init__(folder, {})
        self.plan = plan or Plan()
        self.rasters = folder / "rasters"
        self.nodes: list[Node] = []
        self.database = DATABASE

    def __enter__(self) -> Cluster:
        with ExitStack() as stack:
            self._start(stack)
            self._parts = stack.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._parts.close()

    def _start(self, stack: ExitStack) -> None:
        self.rasters.mkdir()
        self.start_database(stack)
        self.valkey = Valkey(_made(self.folder / "valkey"))
        stack.callback(self.valkey.stop)
        self.valkey.start()
        if self.plan.delivery is not None:
            self.store = Store(_made(self.folder / "s3"), PROGRAMS)
            stack.callback(self.store.end)
        self.valkey.wait_until(self.valkey.answers)
        self.environment = self._environment()
        self.command("migrate")
        serving = {name: value for name, value in self.environment.items() if "OWNER" not in name}
        for number in range(1, self.plan.nodes + 1):
            self.nodes.append(Node(number, self.folder, serving, self.plan.processes))
            stack.callback(self.nodes[-1].stop)
            self.nodes[-1].start()
        self.balancer = Balancer(_made(self.folder / "nginx"), [node.port for node in self.nodes])
        stack.callback(self.balancer.stop)
        self.balancer.start()
        self.port = self.balancer.port
        self.balancer.wait_until(lambda: accepts(self.port))
        self.wait_until_ready()

    def start_database(self, stack: ExitStack) -> None:
        """Return when PostgreSQL has an empty database and the roles; `stack` ends it."""
        self.postgres = Postgres(_made(self.folder / "postgres"), "postgres")
        self.postgres.make()
        stack.callback(lambda: self.postgres.runs and self.postgres.stop())
        self.postgres.start()
        self.postgres.execute(*ROLES)

    def database_url(self, user: str) -> str:
        """Return the URL of the database for a role."""
        return self.postgres.tcp_url(self.database, user=user)

    def _environment(self) -> dict[str, str]:
        roots = {"data": {"uri": f"file:{self.rasters}"}}
        if self.plan.delivery is not None:
            roots["bucket"] = self.store.root(self.plan.delivery)
        settings = {
            "roots": json.dumps(roots), "secret_keys": secrets.token_urlsafe(48), "trusted_proxies": HOST,
            "state_dir": str(self.folder / "state"), "database_url": self.database_url("gateway"),
            "database_owner_url": self.database_url("gateway_owner"), "valkey_url": self.valkey.url,
            **self.plan.settings,
        }  # fmt: skip
        known = {
            f"GATEWAY_{name.upper()}": value for name, value in settings.items() if name in Settings.model_fields
        }
        return {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **known}

    def log_lines(self) -> list[str]:
        """Return what the nodes have logged, and nginx."""
        logs = [*(node.log for node in self.nodes), *(self.folder / "nginx").glob("*.log")]
        return [line for log in logs for line in log.read_text(errors="replace").splitlines()]

    def rows_by_request(self, action: str = "download.cog") -> Counter[str]:
        """Return how many rows of an action each request id has, asked of PostgreSQL itself."""
        rows = self.postgres.execute(f"SELECT request_id FROM audit WHERE action = '{action}'", name=self.database)  # noqa: S608
        return Counter(str(request_id) for (request_id,) in rows)

    def wait_until_ready(self) -> None:
        """Return when every node says that it can serve."""
        for node in self.nodes:
            node.wait_until(lambda node=node: self.status("/readyz", node.port) == 200)  # type: ignore[misc]

    @property
    def url(self) -> str:
        """Return where clients find it."""
        return f"http://{HOST}:{self.port}"


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
