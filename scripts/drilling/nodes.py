"""Several nodes behind a balancer under load, while one of their parts is away."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.clustering.cluster import Cluster, Plan
from scripts.drilling import nodefaults
from scripts.drilling.clients import SERVED, Answer, Load
from scripts.drilling.server import Outcome, until_true, write_cog

FILES = 6
# Load goes on for so long after the fault, and before it.
AROUND_SECONDS = 2.0
SETTLED_SECONDS = 5.0
BUSY, GATEWAY_AWAY, NO_ANSWER = 503, 502, 0


@dataclass(frozen=True, slots=True)
class Fault:
    """One way in which a cluster is struck for so many seconds; `may` are the statuses that it may cost meanwhile."""

    strike: Callable[[Cluster, float, Outcome], None]
    may: frozenset[int | str] = frozenset()
    cluster: type[Cluster] = Cluster
    bucket: bool = False
    recovery_seconds: float = 2.0


FAULTS = {
    "rolling": Fault(nodefaults.rolling),
    # A transfer that has begun is cut with its node.
    "killed": Fault(nodefaults.killed, frozenset({NO_ANSWER, GATEWAY_AWAY, "cut"})),
    "restarted": Fault(nodefaults.restarted, frozenset({BUSY})),
    "stopped": Fault(nodefaults.stopped, frozenset({BUSY})),
    "cut": Fault(nodefaults.cut, frozenset({BUSY}), nodefaults.Proxied),
    "promoted": Fault(nodefaults.promoted, frozenset({BUSY}), nodefaults.Doubled),
    "valkey": Fault(nodefaults.valkey),
    "store": Fault(nodefaults.store, frozenset({BUSY}), bucket=True),
    "revoked": Fault(nodefaults.revoked),
}


def nodes(
    folder: Path, seconds: float = 30, *, faults: Sequence[str] = tuple(FAULTS), plan: Plan | None = None
) -> Outcome:
    """Let each fault last for `seconds` under load of 8 clients, in a cluster of its own.

    Promised: no answer without its row, no row lost or doubled, no answer after a right was taken away, no failure
    but those that the fault may cost, and answers soon after its end. Each has a folder of its own beside `folder`,
    because paths of sockets are short.
    """
    outcome = Outcome()
    for name in faults:
        fault, own = FAULTS[name], plan or Plan()
        if fault.bucket:
            own = Plan(own.nodes, own.processes, "stream", own.settings)
        with tempfile.TemporaryDirectory(prefix="cgdr-") as short:
            Path(short).chmod(0o711)
            with fault.cluster(Path(short), own) as cluster:
                _drill(name, fault, cluster, seconds, outcome)
    return outcome


def _drill(name: str, fault: Fault, cluster: Cluster, seconds: float, outcome: Outcome) -> None:
    ids, data = _filled(cluster, bucket=fault.bucket)
    mine = Outcome()
    with Load(cluster, ids, data) as load:
        until_true(load.served)
        time.sleep(AROUND_SECONDS)
        began = time.monotonic()
        fault.strike(cluster, seconds, mine)
        ended = time.monotonic()
        with suppress(TimeoutError):
            until_true(lambda: _first_after(load.answers, ended) is not None)
        cluster.wait_until_ready()
        time.sleep(AROUND_SECONDS)
    _judge(fault, cluster, load.answers, (began, ended), mine)
    outcome.figures |= {f"{name}: {label}": value for label, value in mine.figures.items()}
    outcome.broken += [f"{name}: {sentence}" for sentence in mine.broken]


def _filled(cluster: Cluster, *, bucket: bool) -> tuple[list[str], bytes]:
    """Return the ids of a few datasets with the same bytes, and these; a balancer sends each to one node."""
    file = write_cog(cluster.rasters / "0.tif")
    for number in range(1, FILES):
        shutil.copy(file, cluster.rasters / f"{number}.tif")
    files = sorted(cluster.rasters.glob("*.tif"))
    return cluster.ingest_all(
        *(cluster.store.put(each) if bucket else str(each) for each in files)
    ), file.read_bytes()


def _first_after(answers: list[Answer], moment: float) -> float | None:
    """Return how many seconds after a moment the first answer with bytes ended that was asked for after it."""
    later = (answer.ended - moment for answer in answers if answer.status in SERVED and answer.asked > moment)
    return min(later, default=None)


def _failure(answer: Answer) -> int | str:
    return "cut" if answer.status in SERVED else answer.status


def _judge(
    fault: Fault, cluster: Cluster, answers: list[Answer], span: tuple[float, float], outcome: Outcome
) -> None:
    began, ended = span
    served = [answer for answer in answers if answer.status in SERVED]
    finished = {answer.request_id for answer in served if answer.whole}
    # Nobody waits for the row that tells how a transfer ended.
    with suppress(TimeoutError):
        until_true(lambda: finished <= cluster.rows_by_request("download.finished").keys(), SETTLED_SECONDS)
    rows, ends = cluster.rows_by_request(), cluster.rows_by_request("download.finished")
    failed = Counter(_failure(answer) for answer in answers if answer.status not in SERVED or not answer.whole)
    during = sum(began <= answer.ended <= ended for answer in served)
    first = _first_after(answers, ended)
    doubled = sum(count > 1 for count in rows.values()) + sum(count > 1 for count in ends.values())
    unrecorded = sum(rows[answer.request_id] == 0 for answer in served)
    outcome.figures |= {
        "answers with bytes, in all / during it": f"{len(served)} / {during}",
        "answers without a row": unrecorded,
        "rows doubled": doubled,
        "answers without an end on record": len(finished - ends.keys()),
        "failed, by status (0: no answer)": dict(sorted(failed.items(), key=str)),
        "s to the first answer after its end": first and round(first, 2),
        "slowest answer in s": round(max(answer.ended - answer.asked for answer in answers), 2),
        "tokens in the logs": cluster.leaked(),
    }
    outcome.promise(unrecorded == 0, "no answer without its row")
    outcome.promise(doubled == 0, "no row is doubled")
    outcome.promise(bool(served), "there were answers")
    outcome.promise(failed.keys() <= fault.may, f"nothing fails but with {sorted(map(str, fault.may))}")
    outcome.promise(first is not None and first <= fault.recovery_seconds, "answers come soon after its end")
    outcome.promise(not cluster.leaked(), "no token is in a log")
