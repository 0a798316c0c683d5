"""Signals at every moment of a start and under load, a fork that fails, and settings that cannot be read."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from scripts.drilling.clients import SERVED, Load
from scripts.drilling.server import PATIENCE_SECONDS, Outcome, Server, until_true, write_cog

STARTS_AT_ONCE = 4
# What a start takes at most, from the moment when the process is ours to the last worker that accepts.
START_SECONDS = 2.0
NO_FORK = """
import errno, os, pathlib
fork, lock = os.fork, pathlib.Path({path!r})
def fail_sometimes():
    if lock.exists():
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return fork()
os.fork = fail_sometimes
"""


def signals(folder: Path, seconds: float = 10, *, moments: int = 50) -> Outcome:
    """Send SIGHUP, SIGTERM and SIGINT to the whole group at so many moments of a start, and under load.

    Promised: a stop ends with the exit code 0 and cuts no answer, SIGHUP changes nothing, and neither a fork that
    fails nor settings that cannot be read end the server.
    """
    outcome = Outcome()
    for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
        with ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
            runs = [
                pool.submit(
                    _during_start, folder / f"{number.name}-{moment}", number, START_SECONDS * moment / moments
                )
                for moment in range(moments)
            ]
        codes = Counter(run.result() for run in runs)
        outcome.figures[f"{number.name} to the group at {moments} moments of the start: exit codes"] = dict(codes)
        outcome.promise(set(codes) == {0}, f"{number.name} during the start: the exit code is 0")
    for number in (signal.SIGTERM, signal.SIGINT):
        _under_load(folder / f"load-{number.name}", number, seconds, outcome)
    _troubles(folder / "troubles", outcome)
    return outcome


def _during_start(folder: Path, number: signal.Signals, delay: float) -> int:
    """Return the exit code of a server that gets the signal so many seconds after it began to keep signals."""
    (folder / "rasters").mkdir(parents=True)
    server = Server(folder, "--processes", "2")
    try:
        until_true(lambda: _keeps(server.process.pid, number))
        time.sleep(delay)
        os.killpg(server.process.pid, number)
        if number == signal.SIGHUP:
            until_true(lambda: sum("accepting on" in line for line in server.lines) >= 2)
            server.process.send_signal(signal.SIGTERM)
        return server.process.wait(PATIENCE_SECONDS)
    finally:
        if server.process.poll() is None:
            server.process.kill()
        server.__exit__()


def _keeps(pid: int, number: signal.Signals) -> bool:
    """Return whether the process blocks the signal (proc(5), SigBlk)."""
    (line,) = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("SigBlk")]
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


def _under_load(folder: Path, number: signal.Signals, seconds: float, outcome: Outcome) -> None:
    (folder / "rasters").mkdir(parents=True)
    file = write_cog(folder / "rasters" / "drill.tif")
    with Server(folder, "--processes", "2") as server:
        with Load(server, server.ingest("rasters/drill.tif"), file.read_bytes()) as load:
            until_true(load.served)
            end, hangups = time.monotonic() + seconds / 2, 0
            while time.monotonic() < end:
                os.killpg(server.process.pid, signal.SIGHUP)
                hangups += 1
                time.sleep(0.1)
            told = time.monotonic()
            os.killpg(server.process.pid, number)
            code = server.process.wait(PATIENCE_SECONDS)
            time.sleep(0.2)
        cut = [a for a in load.answers if a.status in SERVED and not a.whole]
        refused = sum(a.status not in SERVED for a in load.answers if a.ended < told)
        name = f"{number.name} to the group under load"
        outcome.figures[f"{name}: SIGHUPs before, exit code, cut, refused before"] = (
            hangups,
            code,
            len(cut),
            refused,
        )
        outcome.promise(code == 0 and not cut, f"{name}: the exit code is 0 and no answer is cut")
        outcome.promise(refused == 0, "SIGHUP under load refuses nobody")


def _troubles(folder: Path, outcome: Outcome) -> None:
    """Let a fork fail while a worker is to be replaced, and the settings file be unreadable at SIGHUP."""
    (folder / "rasters").mkdir(parents=True)
    lock, config = folder / "no-fork", folder / "gateway.toml"
    config.write_text("stall_seconds = 50\n")
    with Server(folder, "--processes", "2", patch=NO_FORK.format(path=str(lock)), config=str(config)) as server:
        until_true(lambda: len(server.children("cog-worker")) == 2)
        lock.touch()
        os.kill(server.children("cog-worker")[0], signal.SIGKILL)
        until_true(lambda: any("cannot be started" in line for line in server.lines))
        time.sleep(1)
        outcome.promise(server.status("/livez") == 200, "the other worker serves while forks fail")
        lock.unlink()
        back = until_true(lambda: len(server.children("cog-worker")) == 2)
        config.rename(folder / "away.toml")
        config.mkdir()
        server.process.send_signal(signal.SIGHUP)
        until_true(lambda: sum("the keys stay as they are" in line for line in server.lines) >= 2)
        outcome.promise(server.status("/livez") == 200, "settings that cannot be read end nothing")
        code = server.stop()
    outcome.figures["after forks that failed: s until a new worker, exit code"] = (round(back, 2), code)
    outcome.promise(code == 0, "the exit code is 0")
