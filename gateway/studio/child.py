"""One painter as its parent sees it: a process, a socket, and the jobs that it has."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gateway.studio.forks import Forks
from gateway.studio.tasks import Lane, Task
from gateway.studio.wire import (
    MOST_DESCRIPTORS,
    Answer,
    Answers,
    Arrived,
    Garbled,
    Kind,
    Setup,
    pair,
    task_bytes,
)

REAP_SECONDS = 0.05
# A painter begins within a second, and later on a busy machine; one that takes longer hangs.
START_SECONDS = 30.0


@dataclass(eq=False, slots=True, weakref_slot=True)
class Job:
    """A task on its way: who waits for it, its open files, and how it fared so far.

    `alone` tells that nothing else is to be under way beside it: painters have died over it.
    """

    task: Task[Any]
    fds: Sequence[int]
    future: Future[Any]
    deaths: int = 0
    guilt: int = 0
    alone: bool = False
    begun: bool = False
    slow: bool = False
    timer: asyncio.TimerHandle | None = field(default=None, repr=False)

    def close(self) -> None:
        """Close the files and stop the clock."""
        self.stop_clock()
        for fd in self.fds:
            os.close(fd)
        self.fds = ()

    def stop_clock(self) -> None:
        """Stop the clock."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class Owner(Protocol):
    """Who has painters, and is told what becomes of their jobs."""

    def started(self, child: Child, missing: Sequence[str]) -> None:
        """Take note that a painter is ready; `missing` is what of its confinement this system does not have."""

    def answered(self, child: Child, job: Job, answer: Answer) -> None:
        """Take an answer; the job is the painter's no more."""

    def ended(self, child: Child) -> None:
        """Take note that a painter is gone, with the jobs that it still had."""


class Child:
    """A painter's process. Its methods are called on the loop that it is attached to."""

    _loop: asyncio.AbstractEventLoop
    _owner: Owner

    def __init__(self, setup: Setup, forks: Forks) -> None:
        """Let a painter begin; raises OSError where this process has no descriptor left for one."""
        self.ready = False
        self.retiring = False
        self.resident_mb = 0
        self.garbled = ""
        self.late = False
        self.jobs: dict[int, Job] = {}
        self._threads = setup.threads
        self._numbers = 0
        self._unsent: deque[tuple[memoryview, list[int]]] = deque()
        self._sock, theirs = pair()
        with theirs, ExitStack() as unless_asked:
            unless_asked.callback(self._sock.close)
            self._process = forks.fork(theirs)
            unless_asked.pop_all()
        self._answers = Answers(self._sock)
        # Where it could not begin, the end of the connection is met by who reads.
        with suppress(ConnectionError):
            self._sock.sendall(task_bytes(0, setup, 0))
        self._sock.setblocking(False)

    @property
    def pid(self) -> int:
        """Return the number of the process, 0 as long as it has not begun."""
        return self._process.pid

    def attach(self, loop: asyncio.AbstractEventLoop, owner: Owner) -> None:
        """Let a loop take what the painter answers."""
        self._loop, self._owner = loop, owner
        loop.add_reader(self._sock.fileno(), self._readable)
        loop.call_later(START_SECONDS, self._not_begun)

    @property
    def free_lanes(self) -> frozenset[Lane]:
        """Return the lanes of which the painter could begin a job now; none beside a job that is to be alone."""
        if not self.ready or self.retiring or any(job.alone for job in self.jobs.values()):
            return frozenset()
        busy = [job.task.lane for job in self.jobs.values()]
        return frozenset(lane for lane, threads in self._threads.items() if busy.count(lane) < threads)

    def give(self, job: Job) -> None:
        """Let the painter begin a job."""
        self._numbers += 1
        self.jobs[self._numbers] = job
        fds = list(job.fds)
        self._unsent.append((memoryview(task_bytes(self._numbers, job.task, len(fds))), fds[:MOST_DESCRIPTORS]))
        for at in range(MOST_DESCRIPTORS, len(fds), MOST_DESCRIPTORS):
            self._unsent.append((memoryview(b"+"), fds[at : at + MOST_DESCRIPTORS]))
        self._flush()

    def retire(self) -> None:
        """Take no more jobs, and end after those that are under way."""
        self.retiring = True
        if not self.jobs:
            self.end()

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self.end()

    def end(self) -> None:
        """Close the socket, which ends the painter once it has nothing to do."""
        self.retiring = True
        if self._sock.fileno() < 0:
            return
        if hasattr(self, "_loop") and not self._loop.is_closed():
            self._loop.remove_reader(self._sock.fileno())
            self._loop.remove_writer(self._sock.fileno())
            self._reap()
        self._sock.close()

    def wait(self, seconds: float) -> None:
        """Wait until the process has ended; it is killed when that takes longer."""
        if not self._process.wait(seconds):
            self._process.kill()
            self._process.wait(seconds)
        self._process.close()

    @property
    def gone(self) -> bool:
        """Return whether the process has ended."""
        return self._process.poll() is not None

    @property
    def killed(self) -> bool:
        """Return whether the process was ended by SIGKILL, and not by us for what it answered."""
        return not self.garbled and self._process.poll() == -signal.SIGKILL

    def unserved_seconds(self) -> float:
        """Return how long its threads have waited for a processor so far (schedstats of the kernel; Linux only)."""
        found = 0
        with suppress(OSError):
            for thread in Path(f"/proc/{self.pid}/task").iterdir():
                found += int((thread / "schedstat").read_text().split()[1])
        return found / 1e9

    def why(self) -> str:
        """Return how the process ended, in words."""
        if self.garbled:
            return f"an answer that no painter gives: {self.garbled}"
        if self.late:
            return "it does not begin"
        code = self._process.poll()
        if not self._process.pid:
            return "it could not begin"
        if code is None:
            return "nobody tells how"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def _not_begun(self) -> None:
        if not self.ready and self._sock.fileno() >= 0:
            self.late = True
            self.kill()
            self._owner.ended(self)

    def _reap(self) -> None:
        """Hear no more of the process once it has ended."""
        if self._process.poll() is not None:
            self._process.close()
        elif not self._loop.is_closed():
            self._loop.call_later(REAP_SECONDS, self._reap)

    def _readable(self) -> None:
        try:
            for arrived in self._answers.arrived():
                self._take(arrived)
        except Garbled as error:
            self.garbled = str(error)[:200]
            self.kill()
            self._owner.ended(self)
            return
        if self._answers.closed and self._sock.fileno() >= 0:
            self._process.wait(REAP_SECONDS)
            self.kill()
            self._owner.ended(self)

    def _take(self, arrived: Arrived) -> None:
        """Hand what has arrived on; raises Garbled for what was not asked for."""
        self.resident_mb = arrived.resident_mb
        if arrived.kind is Kind.READY:
            if self.ready:
                raise Garbled("it has started before")
            missing = arrived.read("").value
            self.ready = True
            self._owner.started(self, missing)
            return
        if arrived.number not in self.jobs:
            raise Garbled("nobody has asked for it")
        answer = arrived.read(self.jobs[arrived.number].task.work)
        self._owner.answered(self, self.jobs.pop(arrived.number), answer)
        if self.retiring and not self.jobs:
            self.end()

    def _flush(self) -> None:
        try:
            while self._unsent:
                part, fds = self._unsent[0]
                sent = socket.send_fds(self._sock, [part], fds) if fds else self._sock.send(part)
                self._unsent.popleft()
                if sent < len(part):
                    self._unsent.appendleft((part[sent:], []))
        except BlockingIOError:
            self._loop.add_writer(self._sock.fileno(), self._writable)
        except ConnectionError:
            # The reader meets the end of the connection as well, and tells.
            self._unsent.clear()

    def _writable(self) -> None:
        self._loop.remove_writer(self._sock.fileno())
        self._flush()
