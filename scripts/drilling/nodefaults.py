"""What can happen to a cluster: each strikes for so many seconds and notes what it saw of the part itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from http import HTTPStatus
from itertools import cycle

from gateway.model import AuditRow, Grant, Level
from gateway.records import open_records
from gateway.settings import Settings
from scripts.clustering.cluster import Cluster
from scripts.drilling.server import PATIENCE_SECONDS, Outcome, until_true, write_cog
from scripts.drilling.threads import Threads
from tests.proxy import Proxy

EVERY_SECONDS = 2.0
BACK_SECONDS = 5.0
AWAY_SECONDS = 10.0
CUT_SECONDS = 0.2
HELD_SECONDS = 0.25


class Proxied(Cluster):
    """A cluster whose nodes reach PostgreSQL through a proxy that can be cut."""

    def start_database(self, stack: ExitStack) -> None:
        """Start it, and the proxy."""
        super().start_database(stack)
        self.proxy = stack.enter_context(Proxy(self.postgres.port))

    def database_url(self, user: str) -> str:
        """Return the URL by the proxy's port."""
        return self.postgres.tcp_url(self.database, self.proxy.port, user)


class Doubled(Cluster):
    """A cluster whose PostgreSQL has a synchronous standby; the URL names both."""

    def start_database(self, stack: ExitStack) -> None:
        """Start it and its standby; from then on no commit is told that is not on both."""
        super().start_database(stack)
        folder = self.folder / "standby"
        folder.mkdir()
        self.standby = self.postgres.standby(folder)
        stack.callback(lambda: self.standby.runs and self.standby.stop())
        self.postgres.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
        state = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"
        until_true(lambda: bool(self.postgres.execute(state)))

    def database_url(self, user: str) -> str:
        """Return the URL of whichever of both takes writes."""
        hosts = ",".join(f"127.0.0.1:{server.port}" for server in (self.postgres, self.standby))
        return f"postgresql://{user}@{hosts}/{self.database}?target_session_attrs=read-write"


def killed(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Kill a node every 2 s, one after the other, with all of its processes; each is started again at once."""
    backs: list[float] = []
    end = time.monotonic() + seconds
    for node in cycle(cluster.nodes):
        if time.monotonic() >= end:
            break
        began = time.monotonic()
        node.kill()
        node.start()
        backs.append(node.wait_until(lambda node=node: cluster.status("/readyz", node.port) == HTTPStatus.OK))
        time.sleep(max(0.0, began + EVERY_SECONDS - time.monotonic()))
    outcome.figures |= {"kills": len(backs), "longest until a node was ready again in s": round(max(backs), 2)}
    outcome.promise(max(backs) < BACK_SECONDS, f"a node that ended is back within {BACK_SECONDS} s")


def rolling(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Stop and start one node after the other in order, as an upgrade does, each when the one before is ready."""
    restarts, codes, end = 0, set(), time.monotonic() + seconds
    for node in cycle(cluster.nodes):
        if time.monotonic() >= end and restarts >= len(cluster.nodes):
            break
        codes.add(node.stop())
        node.start()
        node.wait_until(lambda node=node: cluster.status("/readyz", node.port) == HTTPStatus.OK)
        restarts += 1
    outcome.figures |= {"restarts": restarts, "exit codes": sorted(codes)}
    outcome.promise(codes == {0}, "each node drains and ends with 0")


def restarted(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Restart PostgreSQL in order and as by a crash, in turns."""
    took: dict[str, list[float]] = {"fast": [], "immediate": []}
    end = time.monotonic() + seconds
    for mode in cycle(took):
        began = time.monotonic()
        if began >= end:
            break
        cluster.postgres.stop(mode)
        cluster.postgres.start()
        took[mode].append(time.monotonic() - began)
        time.sleep(EVERY_SECONDS)
    for mode, each in took.items():
        outcome.figures[f"{mode} restarts, longest in s"] = f"{len(each)}, {max(each, default=0):.2f}"


def stopped(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Stop PostgreSQL for 10 s, as often as there is time."""
    away = min(seconds, AWAY_SECONDS)
    stops, seen = 0, set()
    end = time.monotonic() + seconds
    while True:
        cluster.postgres.stop("fast")
        time.sleep(away / 2)
        seen |= {cluster.status("/readyz", node.port) for node in cluster.nodes}
        time.sleep(away / 2)
        cluster.postgres.start()
        stops += 1
        if time.monotonic() + away > end:
            break
        time.sleep(EVERY_SECONDS)
    outcome.figures |= {"stops": stops, "readyz meanwhile": sorted(seen)}
    outcome.promise(seen == {HTTPStatus.SERVICE_UNAVAILABLE}, "readyz says 503 meanwhile")


def cut(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Cut all connections to PostgreSQL, and lose answers to commits with theirs, in turns."""
    assert isinstance(cluster, Proxied)  # noqa: S101
    cuts, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        cluster.proxy.drop()
        cuts += 1
        time.sleep(CUT_SECONDS)
        cluster.proxy.lose()
        time.sleep(CUT_SECONDS)
    outcome.figures |= {"times that all connections were cut": cuts, "answers to commits lost": cluster.proxy.lost}
    outcome.promise(cluster.proxy.lost > 0, "answers to commits were lost")


def promoted(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Kill PostgreSQL half way and promote its standby at once."""
    assert isinstance(cluster, Doubled)  # noqa: S101
    time.sleep(seconds / 2)
    began = time.monotonic()
    cluster.postgres.stop("immediate")
    cluster.standby.promote()
    outcome.figures["s from the end of the primary to the promotion's"] = round(time.monotonic() - began, 2)
    cluster.postgres, cluster.standby = cluster.standby, cluster.postgres
    time.sleep(seconds / 2)


def valkey(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Stop Valkey, and start it again."""
    cluster.valkey.stop()
    time.sleep(seconds)
    cluster.valkey.start()
    cluster.valkey.wait_until(cluster.valkey.answers)
    outcome.figures["nodes share limits"] = "valkey_url" in Settings.model_fields


def store(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Stop the S3 server, and start it again; a file of the disk is asked for meanwhile."""
    path = f"/api/datasets/{cluster.ingest(str(write_cog(cluster.rasters / 'disk.tif')))}/download/cog"
    bearer, seen, end = cluster.bearer(), set(), time.monotonic() + seconds
    cluster.store.stop()
    while time.monotonic() < end:
        seen.add(cluster.ask(path, headers=bearer)[0])
        time.sleep(0.1)
    cluster.store.start()
    outcome.figures["files of the disk meanwhile"] = sorted(seen)
    outcome.promise(seen == {HTTPStatus.OK}, "what lies on disks is served meanwhile")


def _inside(asked: Sequence[tuple[float, float, int]], away: Sequence[tuple[float, float]]) -> list[int]:
    """Return the statuses of what was asked and answered while the right was away."""
    return [
        status for began, ended, status in tuple(asked) if any(gone < began and ended < back for gone, back in away)
    ]


def _granted(asked: Sequence[tuple[float, float, int]]) -> int:
    return sum(status == HTTPStatus.PARTIAL_CONTENT for *_, status in tuple(asked))


def revoked(cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    """Give a grant and take it away, again and again, while its user asks nodes and balancer without pause."""
    write_cog(cluster.rasters / "private.tif")
    dataset = cluster.ingest(str(cluster.rasters / "private.tif"), "private")
    path, headers = f"/api/datasets/{dataset}/download/cog", {**cluster.bearer("ben"), "Range": "bytes=0-99"}
    asked: list[tuple[float, float, int]] = []

    def ask(port: int, done: threading.Event) -> None:
        while not done.is_set():
            moment = time.monotonic()
            status = cluster.ask(path, headers=headers, port=port)[0]
            asked.append((moment, time.monotonic(), status))

    ports = [cluster.port, *(node.port for node in cluster.nodes)] * 2
    end, away = time.monotonic() + seconds, []
    records = open_records(cluster.database_url("gateway"))
    with closing(records), Threads(*(lambda done, port=port: ask(port, done) for port in ports)):
        # On a busy machine longer: until it has been asked for both with the right and without.
        while time.monotonic() < end or (
            time.monotonic() < end + PATIENCE_SECONDS and not (_inside(asked, away) and _granted(asked))
        ):
            records.add_grant(Grant(dataset, Level.DOWNLOAD, user="ben"), AuditRow("drill.act"))
            time.sleep(HELD_SECONDS)
            records.remove_grant(dataset, AuditRow("drill.act"), user="ben")
            gone = time.monotonic()
            time.sleep(HELD_SECONDS)
            away.append((gone, time.monotonic()))
    inside, granted = _inside(asked, away), _granted(asked)
    late = sum(status == HTTPStatus.PARTIAL_CONTENT for status in inside)
    outcome.figures |= {
        "times that the right was taken away": len(away), "asked after that, before it was given again": len(inside),
        "answers after revocation": late, "answers while it was there": granted,
    }  # fmt: skip
    outcome.promise(late == 0, "no answer after a right was taken away")
    outcome.promise(bool(inside) and bool(granted), "the right was asked for, with it and without")
