"""A recorder that is killed, and workers that are killed again and again."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from threading import Event

from scripts.drilling.clients import SERVED, Load, unrecorded
from scripts.drilling.server import Outcome, Server, until_true, write_cog
from scripts.drilling.threads import Threads

BACK_SECONDS = 5.0
LOOK_SECONDS = 0.02


def recorder(folder: Path, seconds: float = 30, *, every: float = 1.0) -> Outcome:
    """Kill the recorder `every` so often for `seconds` under load, then stop the server.

    Promised: each answer has exactly one row, each grant that was answered exactly one end, no row is doubled.
    """
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "drill.tif")
    outcome, kills = Outcome(), 0
    with Server(folder, "--processes", "2") as server:
        dataset = server.ingest("rasters/drill.tif")
        with Load(server, dataset, file.read_bytes()) as load:
            until_true(load.served)
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                time.sleep(every)
                for pid in server.children("cog-recorder"):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                        kills += 1
        code = server.stop()
        served, lost, doubled = unrecorded(load.answers, server)
        endless, twice = _ends(server, [a.request_id for a in load.answers if a.status in SERVED and a.whole])
    outcome.figures |= {
        "kills": kills, "answers by status": dict(sorted(Counter(a.status for a in load.answers).items())),
        "answers with bytes": served, "of these without a row": lost, "with two": doubled,
        "answers without an end on record / with two": f"{endless} / {twice}",
        "longest answer in s": round(max(a.ended - a.asked for a in load.answers), 2), "exit code": code,
    }  # fmt: skip
    outcome.promise(lost == doubled == 0, "every answer has exactly one audit row")
    outcome.promise(endless == twice == 0, "every answer has exactly one end on record")
    outcome.promise(served > 0 and kills > 0, "there were answers and kills")
    outcome.promise(code == 0, "the exit code is 0")
    return outcome


def _ends(server: Server, ids: list[str]) -> tuple[int, int]:
    """Return how many of the requests have no end on record, and how many have several."""
    ends = server.rows_by_request("download.finished")
    return sum(ends[name] == 0 for name in ids), sum(ends[name] > 1 for name in ids)


def workers(folder: Path, seconds: float = 20, *, back_seconds: float = BACK_SECONDS) -> Outcome:
    """Kill workers again and again: one after the other as soon as it runs, then both at once every second.

    Promised: somebody accepts connections again within `back_seconds`.
    """
    (folder / "rasters").mkdir()
    outcome = Outcome()
    with Server(folder, "--processes", "2") as server:
        for name, kill in (("one after the other, twice a second", _one), ("both at once, each second", _both)):
            until_true(lambda: server.status("/livez") == 200)
            kills, gaps = _under_fire(server, seconds, kill)
            outcome.figures |= {
                f"{name}: kills": kills,
                f"{name}: longest time without a worker in s": round(max(gaps, default=0.0), 2),
                f"{name}: share of time without one": f"{sum(gaps) / seconds:.1%}",
            }
            outcome.promise(
                max(gaps, default=0.0) < back_seconds, f"{name}: a worker is back within {back_seconds:g} s"
            )
        until_true(lambda: len(server.children("cog-worker")) == 2)
        code = server.stop()
    outcome.figures["exit code"] = code
    outcome.promise(code == 0, "the exit code is 0")
    return outcome


def _one(server: Server, turn: int) -> int:
    time.sleep(0.5)
    found = server.children("cog-worker")
    return _killed(found[turn % len(found) :][:1]) if found else 0


def _both(server: Server, _: int) -> int:
    time.sleep(1.0)
    return _killed(server.children("cog-worker"))


def _killed(pids: list[int]) -> int:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(pids)


def _under_fire(server: Server, seconds: float, kill: Callable[[Server, int], int]) -> tuple[int, list[float]]:
    """Return how many were killed, and how long each time was in which nobody accepted, in seconds."""
    gaps: list[float] = []

    def look(done: Event) -> None:
        since: float | None = None
        while not done.is_set():
            if server.status("/livez") == 200:
                if since is not None:
                    gaps.append(time.monotonic() - since)
                since = None
            elif since is None:
                since = time.monotonic()
            time.sleep(LOOK_SECONDS)

    with Threads(look):
        kills, end = 0, time.monotonic() + seconds
        for turn in count():
            if time.monotonic() >= end:
                break
            kills += kill(server, turn)
        until_true(lambda: server.status("/livez") == 200)
        time.sleep(2 * LOOK_SECONDS)
    return kills, gaps
