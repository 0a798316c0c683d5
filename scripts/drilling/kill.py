"""Workers that are killed, and a stop under load."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

from scripts.drilling.clients import SERVED, Load, unrecorded
from scripts.drilling.server import Outcome, Server, alive, until_true, write_cog

SLACK_BYTES = 24 << 20


def kill(folder: Path, seconds: float = 30, *, every: float = 1.0) -> Outcome:
    """Kill a worker `every` so often for `seconds`, then stop the server; all under load.

    Promised: each completed answer has exactly one row; after SIGTERM every answer that has begun ends whole,
    the exit code is 0, and no process stays.
    """
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "drill.tif")
    with file.open("ab") as slack:
        slack.write(os.urandom(SLACK_BYTES))
    outcome = Outcome()
    with Server(folder, "--processes", "2") as server:
        dataset = server.ingest("rasters/drill.tif")
        with Load(server, dataset, file.read_bytes()) as load:
            kills = _kill_workers(server, seconds, every)
            until_true(lambda: len(_children(server)) == 2)
            back = time.monotonic()
            until_true(lambda: load.served(back))
            _stop(server, load, outcome)
        served, lost, duplicated = unrecorded([a for a in load.answers if a.whole], server)
        outcome.figures |= {"kills": kills, "completed answers": served, "lost": lost, "duplicated": duplicated}
        outcome.figures["tokens in the log"] = server.leaked()
    outcome.promise(lost == duplicated == 0, "every completed answer has exactly one audit row")
    outcome.promise(served > 0 and kills > 0, "there were answers and kills")
    outcome.promise(not server.leaked(), "no token is in the log")
    return outcome


def _children(server: Server) -> list[int]:
    return server.children("cog-worker")


def _kill_workers(server: Server, seconds: float, every: float) -> int:
    kills, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(every)
        workers = _children(server)
        if workers:
            with suppress(ProcessLookupError):
                os.kill(workers[kills % len(workers)], signal.SIGKILL)
                kills += 1
    return kills


def _stop(server: Server, load: Load, outcome: Outcome) -> None:
    workers, told = _children(server), time.monotonic()
    code = server.stop()
    outcome.figures |= {"exit code": code, "drained in s": round(time.monotonic() - told, 2)}
    time.sleep(0.5)
    after = [answer for answer in load.answers if answer.ended >= told]
    cut = [answer for answer in after if answer.status in SERVED and not answer.whole]
    outcome.figures |= {"ended whole after SIGTERM": sum(a.status in SERVED and a.whole for a in after)}
    outcome.figures |= {"cut after SIGTERM": len(cut)}
    outcome.promise(code == 0, "the exit code is 0")
    outcome.promise(not cut, "every answer that has begun ends whole")
    outcome.promise(not any(alive(pid) for pid in workers), "no process stays")
