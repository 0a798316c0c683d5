"""A program that is started here on loopback: its log, whether it answers, and its end."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

HOST = "127.0.0.1"
# Below those that connections of this machine take for themselves (net.ipv4.ip_local_port_range): a program that is
# started again finds its port free.
PORTS = range(18_000, 32_000)
START_SECONDS = 60.0
STOP_SECONDS = 60.0
PAUSE_SECONDS = 0.02
TOLD_CHARACTERS = 300


class NotStarted(Exception):
    """A part that cannot be had or does not start; the text says which one and why, in one line."""


class Program:
    """A process in a session of its own, so that signals of a terminal do not reach it; its output is in `log`."""

    def __init__(
        self, name: str, line: Sequence[object], folder: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.line = [str(word) for word in line]
        self.folder = folder
        self.environment = environment
        self.log = folder / f"{name.replace(' ', '-')}.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Return the process id; of a program that was started only."""
        assert self._process is not None  # noqa: S101
        return self._process.pid

    @property
    def runs(self) -> bool:
        """Return whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; raises NotStarted where there is no such program."""
        with self.log.open("ab") as log:
            try:
                self._process = subprocess.Popen(
                    self.line, cwd=self.folder, env=self.environment, stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log, start_new_session=True,
                )  # fmt: skip
            except OSError as error:
                raise NotStarted(f"{self.name} does not start: {error.strerror}: {self.line[0]}") from None

    def wait_until(self, answers: Callable[[], bool], seconds: float = START_SECONDS) -> float:
        """Return after how many seconds it answers; raises NotStarted where it ends before, or never does."""
        began = time.monotonic()
        while not answers():
            if not self.runs:
                raise NotStarted(f"{self.name} does not start: {self.last_line()}")
            if time.monotonic() - began > seconds:
                raise NotStarted(f"{self.name} does not answer within {seconds:.0f} s: {self.last_line()}")
            time.sleep(PAUSE_SECONDS)
        return time.monotonic() - began

    def last_line(self) -> str:
        """Return the last line of the log, which mostly says what is wrong."""
        lines = self.log.read_text(errors="replace").split("\n") if self.log.exists() else []
        return next((line.strip()[:TOLD_CHARACTERS] for line in reversed(lines) if line.strip()), "its log is empty")

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Return the exit code after a signal; what does not end is killed. Of one that does not run 0."""
        if self._process is None:
            return 0
        if self.runs:
            self._process.send_signal(number)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._process.wait()

    def kill(self) -> None:
        """Kill it with all that it has started, as a machine that loses its power would."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    for _ in range(200):
        port = PORTS[secrets.randbelow(len(PORTS))]
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise NotStarted("there is no free port")


def accepts(port: int) -> bool:
    """Return whether somebody takes connections at a port."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
