"""An audit that cannot be written, in four ways, under load."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]

from scripts.drilling.clients import SERVED, Load, unrecorded
from scripts.drilling.server import Outcome, Server, until_true, write_cog
from scripts.drilling.threads import Threads

RECOVERY_SECONDS = 2.0
# How much longer a fault may last until clients and readiness have felt it.
FELT_SECONDS = 20.0
DISK_MIB = 24


@contextmanager
def locked(server: Server) -> Iterator[str]:
    """Hold the write lock from this process, which is not the server's."""
    connection = sqlite3.connect(server.database, timeout=30, isolation_level=None)
    try:
        connection.execute("begin exclusive")
        yield "BEGIN EXCLUSIVE by another process"
        connection.execute("rollback")
    finally:
        connection.close()


@contextmanager
def disk_full(server: Server) -> Iterator[str]:
    """Fill the small disk of the state, or limit the size of the server's files where it has none of its own."""
    if server.state.is_mount():
        filler = server.state / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(b"\0" * 4096)
        try:
            yield "ext4 in a loop device, no room left"
        finally:
            filler.unlink()
        return
    writers = server.writers()
    before = [resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY)) for pid in writers]
    try:
        yield "RLIMIT_FSIZE 0"
    finally:
        for pid, limit in zip(writers, before, strict=True):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limit)


@contextmanager
def read_only(server: Server) -> Iterator[str]:
    """Make database and log immutable: that stops writes of root and through open descriptors alike."""
    files = [str(server.database), f"{server.database}-wal"]
    subprocess.run(["chattr", "+i", *files], check=True)
    try:
        yield "chattr +i"
    finally:
        subprocess.run(["chattr", "-i", *files], check=True)


@contextmanager
def no_table(server: Server) -> Iterator[str]:
    """Drop the table of the audit, and put it back with its rows, indexes and triggers."""
    connection = sqlite3.connect(server.database, timeout=30, isolation_level=None)
    try:
        connection.execute("begin immediate")
        made = [
            sql
            for (sql,) in connection.execute(
                "SELECT sql FROM sqlite_master WHERE tbl_name = 'audit' AND sql IS NOT NULL "
                "ORDER BY type <> 'table', type <> 'index'"
            )
        ]
        connection.execute("CREATE TABLE audit_kept AS SELECT * FROM audit")
        connection.execute("DROP TABLE audit")
        connection.execute("commit")
        yield "DROP TABLE audit"
        connection.execute("begin immediate")
        connection.execute(made[0])
        connection.execute("INSERT INTO audit SELECT * FROM audit_kept")
        for sql in made[1:]:
            connection.execute(sql)
        connection.execute("DROP TABLE audit_kept")
        connection.execute("commit")
    finally:
        connection.close()


FAULTS: dict[str, Callable[[Server], AbstractContextManager[str]]] = {
    "locked": locked, "disk full": disk_full, "read-only": read_only, "no table": no_table,
}  # fmt: skip


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """Yield a folder on a disk of its own where that can be mounted, else an ordinary one."""
    folder.mkdir()
    image = folder.with_name("disk.img")
    with image.open("wb") as file:
        file.truncate(DISK_MIB << 20)
    steps = (["mkfs.ext4", "-q", "-m", "0", str(image)], ["mount", "-o", "loop", str(image), str(folder)])
    mounted = os.geteuid() == 0 and shutil.which("mkfs.ext4") is not None and all(_worked(step) for step in steps)
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def _worked(line: list[str]) -> bool:
    return subprocess.run(line, check=False, capture_output=True).returncode == 0


class Readiness(Threads):
    """What /readyz says, asked again and again until the `with` block ends: pairs of monotonic time and status."""

    def __init__(self, server: Server) -> None:
        super().__init__(self._ask)
        self._server = server
        self.seen: list[tuple[float, int]] = []

    def _ask(self, done: Event) -> None:
        while not done.wait(0.1):
            asked = time.monotonic()
            self.seen.append((asked, self._server.status("/readyz")))

    def first(self, status: int, after: float) -> float | None:
        """Return how many seconds later the first question with this answer was asked."""
        return next((round(at - after, 2) for at, got in self.seen if at >= after and got == status), None)


def faults(
    folder: Path,
    seconds: float = 10,
    *,
    names: Sequence[str] = tuple(FAULTS),
    recovery_seconds: float = RECOVERY_SECONDS,
    own_disk: bool = True,
    processes: int = 2,
    **settings: str,
) -> Outcome:
    """Let each fault last for `seconds` under load of 8 clients.

    Promised: no byte without its row, 503 and nothing else beside what is served, a first 200 at most
    `recovery_seconds` after the fault has ended, and a readiness that follows. `own_disk` puts the state on a
    small disk that can be filled.
    """
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "drill.tif")
    outcome = Outcome()
    with ExitStack() as stack:
        if own_disk:
            stack.enter_context(small_disk(folder / "state"))
        server = stack.enter_context(Server(folder, "--processes", str(processes), **settings))
        dataset = server.ingest("rasters/drill.tif")
        for name in names:
            if name == "read-only" and (os.geteuid() != 0 or shutil.which("chattr") is None):
                outcome.figures[name] = "left out: needs root and chattr"
                continue
            with Load(server, dataset, file.read_bytes()) as load, Readiness(server) as readiness:
                fault = _one(server, load, readiness, name, seconds)
            _judge(fault, server, recovery_seconds, outcome)
        outcome.figures["tokens in the log"] = server.leaked()
        outcome.promise(not server.leaked(), "no token is in the log")
    return outcome


@dataclass(frozen=True)
class Fault:
    """One fault that is over: what happened when (monotonic), and what clients and readiness saw of it."""

    name: str
    how: str
    began: float
    ended: float
    load: Load
    readiness: Readiness

    def during(self) -> Counter[int]:
        """Return the answers while it lasted, by status."""
        return Counter(a.status for a in self.load.answers if self.began <= a.ended <= self.ended)

    def first_served(self) -> float | None:
        """Return after how many seconds bytes came again."""
        after = (a.ended - self.ended for a in self.load.answers if a.status in SERVED and a.ended > self.ended)
        return min(after, default=None)


def _one(server: Server, load: Load, readiness: Readiness, name: str, seconds: float) -> Fault:
    until_true(load.served)
    with FAULTS[name](server) as how:
        began = time.monotonic()
        time.sleep(seconds)
        # On a busy machine that takes longer.
        with suppress(TimeoutError):
            until_true(lambda: _felt(load, began) and readiness.first(503, began) is not None, FELT_SECONDS)
    fault = Fault(name, how, began, time.monotonic(), load, readiness)
    with suppress(TimeoutError):
        until_true(lambda: None not in (fault.first_served(), readiness.first(200, fault.ended)))
    return fault


def _felt(load: Load, since: float) -> bool:
    return any(a.status == 503 and a.asked >= since for a in load.answers)


def _judge(fault: Fault, server: Server, recovery_seconds: float, outcome: Outcome) -> None:
    name, during, first = fault.name, fault.during(), fault.first_served()
    served, unwritten, _ = unrecorded(fault.load.answers, server)
    refusing, ready = fault.readiness.first(503, fault.began), fault.readiness.first(200, fault.ended)
    outcome.figures |= {
        f"{name}: how": fault.how,
        f"{name}: answers during it, by status": dict(sorted(during.items())),
        f"{name}: served in all / without a row": f"{served} / {unwritten}",
        f"{name}: s to the first 200 after it": first and round(first, 3),
        f"{name}: s until readyz said 503 / 200 again": f"{refusing} / {ready}",
    }
    outcome.promise(unwritten == 0, f"{name}: no byte leaves without a row")
    outcome.promise(first is not None and first <= recovery_seconds, f"{name}: serves soon after its end")
    outcome.promise(set(during) <= {200, 206, 503}, f"{name}: 503 and nothing else")
    outcome.promise(during[503] > 0, f"{name}: the fault was felt")
    outcome.promise(
        refusing is not None and refusing <= fault.ended - fault.began, f"{name}: readyz says 503 meanwhile"
    )
    outcome.promise(ready is not None and ready <= recovery_seconds, f"{name}: readyz says 200 soon again")
