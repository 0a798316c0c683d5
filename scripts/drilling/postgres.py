"""PostgreSQL that is cut off, silent, restarted, crashed, or replaced by its standby, under load."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.clustering.postgres import Postgres
from scripts.clustering.program import HOST
from scripts.drilling.clients import SERVED, Load, unrecorded
from scripts.drilling.faults import RECOVERY_SECONDS
from scripts.drilling.server import Outcome, Server, until_true, write_cog
from tests.proxy import Proxy

NAME = "gateway"
# An answer waits for a right and then for a row, each for AUDIT_WAIT_SECONDS.
WAIT_SECONDS = 2 * 2.5
# Under load before a fault, and after the first answer that follows it.
AROUND_SECONDS = 1.0
# Between two of the faults that come again and again.
PAUSE_SECONDS = 0.15
GRANTED = "SELECT request_id FROM audit WHERE action = '{}'"
FOLLOWS = "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"


@dataclass(frozen=True)
class Database:
    """A server with an empty database, what stands before it, and a standby where there is one."""

    primary: Postgres
    proxy: Proxy
    standby: Postgres | None = None

    @property
    def url(self) -> str:
        """Return the URL by which the gateway finds it: through the proxy, then at the standby."""
        hosts = [f"{HOST}:{self.proxy.port}", *([f"{HOST}:{self.standby.port}"] if self.standby else [])]
        return f"postgresql://{self.primary.superuser}@{','.join(hosts)}/{NAME}"

    @property
    def serving(self) -> Postgres:
        """Return the server that takes writes, or did."""
        return self.standby if self.standby and not self.primary.runs else self.primary


class Served(Server):
    """A gateway with its records in a database."""

    def __init__(self, folder: Path, records: Database, processes: int) -> None:
        self._records = records
        super().__init__(folder, "--processes", str(processes), database_url=records.url)

    def rows_by_request(self, action: str = "download.cog") -> Counter[str]:
        """Return how many rows of an action each request id has, asked of the server that has them."""
        rows = self._records.serving.execute(GRANTED.format(action), name=NAME)
        return Counter(str(request_id) for (request_id,) in rows)


def cut(database: Database, seconds: float) -> None:
    """End all connections again and again, some in the middle of a commit."""
    for _ in range(round(seconds / PAUSE_SECONDS)):
        database.proxy.drop()
        time.sleep(PAUSE_SECONDS)


def swallowed(database: Database, seconds: float) -> None:
    """Let answers to commits be lost, again and again, each with its connection."""
    for _ in range(round(seconds / PAUSE_SECONDS)):
        database.proxy.lose()
        time.sleep(PAUSE_SECONDS)


def unreachable(database: Database, seconds: float) -> None:
    """Refuse connections, and end those that there are."""
    database.proxy.down()
    time.sleep(seconds)
    database.proxy.up()


def silent(database: Database, seconds: float) -> None:
    """Pass nothing on and close nothing, as a network that has come apart."""
    database.proxy.mute = True
    time.sleep(seconds)
    database.proxy.mute = False


def restarted(database: Database, _: float) -> None:
    """Stop in order, and start."""
    database.primary.stop("fast")
    database.primary.start()


def crashed(database: Database, _: float) -> None:
    """Stop as a machine does that loses its power, and start."""
    database.primary.stop("immediate")
    database.primary.start()


def replaced(database: Database, _: float) -> None:
    """Kill the primary for good and promote its synchronous standby."""
    assert database.standby is not None  # noqa: S101
    database.primary.stop("immediate")
    database.standby.promote()


# Each with its seconds, none for those that take as long as they take.
FAULTS: dict[str, tuple[Callable[[Database, float], None], float]] = {
    "connections cut": (cut, 3), "answers to commits lost": (swallowed, 3), "unreachable": (unreachable, 3),
    "silent": (silent, 5), "restart, fast": (restarted, 0), "restart, crash": (crashed, 0),
    "standby promoted": (replaced, 0),
}  # fmt: skip
OF_STANDBY = "standby promoted"
# Of these no client sees anything.
UNSEEN = ("connections cut", "answers to commits lost")


def postgres(
    folder: Path,
    seconds: float | None = None,
    *,
    names: Sequence[str] = tuple(FAULTS),
    recovery_seconds: float = RECOVERY_SECONDS,
    processes: int = 1,
) -> Outcome:
    """Let each fault befall the database of one server under load of 8 clients.

    Promised: every answer with bytes has its row, once; 503 and nothing else beside what is served, and nobody waits
    for that for much longer than twice AUDIT_WAIT_SECONDS; bytes again at most `recovery_seconds` after the fault has
    ended, without a restart of the gateway.
    """
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "drill.tif")
    outcome = Outcome()
    for with_standby in (False, True):
        chosen = [name for name in names if (name == OF_STANDBY) is with_standby]
        if not chosen:
            continue
        with database_of(with_standby) as database, Served(folder, database, processes) as server:
            dataset = server.ingest("rasters/drill.tif")
            for name in chosen:
                with Load(server, dataset, file.read_bytes()) as load:
                    span = _befallen(database, load, name, seconds)
                _judge(name, span, load, server, recovery_seconds, outcome)
            outcome.promise(not server.leaked(), "no token is in the log")
    return outcome


@contextmanager
def database_of(with_standby: bool) -> Iterator[Database]:
    """Yield a server with an empty database, behind a proxy; `with_standby` with a synchronous standby beside it."""
    with ExitStack() as stack:

        def short_folder() -> Path:
            return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="cgpd-", dir="/tmp")))

        def stopped(server: Postgres) -> None:
            if server.runs:
                server.stop()

        primary = Postgres(short_folder())
        primary.make()
        stack.callback(stopped, primary)
        primary.start()
        primary.execute(f"CREATE DATABASE {NAME}")
        standby = None
        if with_standby:
            standby = primary.standby(short_folder())
            stack.callback(stopped, standby)
            primary.execute("ALTER SYSTEM SET synchronous_standby_names = 'standby'", "SELECT pg_reload_conf()")
            until_true(lambda: bool(primary.execute(FOLLOWS)))
        yield Database(primary, stack.enter_context(Proxy(primary.port)), standby)


def _befallen(database: Database, load: Load, name: str, seconds: float | None) -> tuple[float, float]:
    """Return when a fault began and ended (monotonic), after bytes have come again or not."""
    until_true(load.served)
    time.sleep(AROUND_SECONDS)
    work, usual = FAULTS[name]
    began = time.monotonic()
    work(database, usual if seconds is None else seconds)
    ended = time.monotonic()
    with suppress(TimeoutError):
        until_true(lambda: _first_served(load, ended) is not None)
    time.sleep(AROUND_SECONDS)
    return began, ended


def _first_served(load: Load, ended: float) -> float | None:
    later = (answer.ended - ended for answer in load.answers if answer.status in SERVED and answer.ended > ended)
    return min(later, default=None)


def _judge(
    name: str, span: tuple[float, float], load: Load, server: Served, recovery_seconds: float, outcome: Outcome
) -> None:
    (began, ended), first = span, _first_served(load, span[1])
    told, lost, doubled = unrecorded(load.answers, server)
    statuses = Counter(answer.status for answer in load.answers)
    slowest = max(answer.ended - answer.asked for answer in load.answers)
    outcome.figures |= {
        f"{name}: s it took": round(ended - began, 2),
        f"{name}: answers told / refused": f"{told} / {statuses[503]}",
        f"{name}: told and not stored / stored twice": f"{lost} / {doubled}",
        f"{name}: s to the first answer after it": first and round(first, 3),
        f"{name}: s of the slowest answer": round(slowest, 2),
    }
    outcome.promise(slowest <= WAIT_SECONDS + recovery_seconds / 2, f"{name}: nobody waits for long")
    outcome.promise(told > 0 and lost == 0, f"{name}: every answer with bytes has its row")
    outcome.promise(doubled == 0, f"{name}: no row is stored twice")
    outcome.promise(set(statuses) <= {200, 206, 503}, f"{name}: 503 and nothing else")
    outcome.promise(first is not None and first <= recovery_seconds, f"{name}: serves soon after its end")
    if name in UNSEEN:
        outcome.promise(statuses[503] == 0, f"{name}: no client is refused")
