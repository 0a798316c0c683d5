"""A parent that keeps its children alive, hands signals on, and leaves no orphan.

Nothing that can fail runs here: settings, keys, sockets and databases are matters of the children.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType

from gateway.errors import GatewayError
from gateway.systemd import READY, STOPPING, notify, reloading

log = logging.getLogger("gateway")
STOPS = (signal.SIGTERM, signal.SIGINT)
# What the parent sends a child that is to stop, and again to hurry it. Signals to the whole group, such as that of
# Ctrl-C, reach the children too, and would count twice: they take those of the parent alone.
CHILD_STOP = signal.SIGUSR1
# What a child sends its parent when it accepts connections, and when it has read its keys anew.
CHILD_READY = signal.SIGUSR1
WATCHED = (*STOPS, signal.SIGHUP, signal.SIGCHLD, CHILD_READY)
# A child that fails by itself again and again waits longer each time, but is back within 5 s, its start included.
BACKOFF_SECONDS = (0.05, 1.0)
SETTLED_SECONDS = 10.0
CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGILL, signal.SIGFPE)
# Children get this much more than the drain before they are killed.
GRACE_SECONDS = 5.0
PR_SET_PDEATHSIG, PR_SET_NAME = 1, 15


@dataclass(slots=True)
class Child:
    """One process to be kept alive: what it does, its process id (0 while it does not run), and how it fared.

    `work` is called with how often it was started, 1 at first. A child that is `last` stops after the others have
    ended, because they need it until then.
    """

    name: str
    work: Callable[[int], None]
    last: bool = False
    starts: int = 0
    pid: int = 0
    started: float = 0.0
    start_at: float = 0.0
    backoff_seconds: float = 0.0


class Supervisor:
    """Forks the children, starts again those that end, and ends with them.

    Signals are blocked and taken one by one with sigtimedwait(2): no handler runs at an arbitrary place.
    """

    def __init__(self, children: Sequence[Child], drain_seconds: float) -> None:
        self._children = children
        self._drain_seconds = drain_seconds
        self._stopping = False

    def run(self) -> int:
        """Run until SIGTERM or SIGINT and all children have ended; returns 0. SIGHUP is handed on."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        try:
            while not self._stopping:
                # First a look at what has come in before: a stop during the start needs no children.
                self._take(self._pause())
                self._start_due()
            self._end()
            return 0
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _take(self, seconds: float) -> None:
        """Take one signal, if one comes within that time, and note which children have ended."""
        taken = signal.sigtimedwait(WATCHED, seconds)
        self._reap()
        if taken is None:
            return
        if taken.si_signo in STOPS:
            notify(STOPPING)
            self._stopping = True
            self._signal(CHILD_STOP, last=False)
        elif taken.si_signo == signal.SIGHUP:
            notify(reloading())
            self._signal(signal.SIGHUP, last=False)
        elif taken.si_signo == CHILD_READY and not self._stopping:
            notify(READY)

    def _start_due(self) -> None:
        for child in self._children:
            if child.pid == 0 and child.start_at <= time.monotonic() and (child.last or not self._stopping):
                self._start(child)

    def _start(self, child: Child) -> None:
        parent, child.started, child.starts = os.getpid(), time.monotonic(), child.starts + 1
        try:
            child.pid = os.fork()
        except OSError as error:
            _plan_restart(child, failed=True)
            told = error.strerror or "unknown"
            log.error("a %s cannot be started (%s), again in %.2f s", child.name, told.lower(), child.backoff_seconds)
            return
        if child.pid:
            return
        code = 1
        try:
            with _Explained(child.name):
                _become_child(child.name, parent)
                child.work(child.starts)
            code = 0
        finally:
            # Not sys.exit: the parent's clean-up must not run in the child as well, whoever reads the log or not.
            try:
                sys.stderr.flush()
            finally:
                os._exit(code)

    def _pause(self) -> float:
        """Return how long nothing is due, in seconds."""
        due = [child.start_at for child in self._children if child.pid == 0 and (child.last or not self._stopping)]
        return max(0.0, min(due) - time.monotonic()) if due else 3600.0

    def _reap(self) -> None:
        """Take note of every child that has ended."""
        while (ended := _ended_child()) is not None:
            pid, status = ended
            for child in self._children:
                if child.pid == pid:
                    self._note_end(child, status)

    def _note_end(self, child: Child, status: int) -> None:
        pid, child.pid = child.pid, 0
        code = os.waitstatus_to_exitcode(status)
        _plan_restart(child, failed=code > 0 or -code in CRASHES)
        if child.last or not self._stopping:
            why = f"signal {-code}" if code < 0 else f"exit code {code}"
            log.warning("%s %d ended (%s), again in %.2f s", child.name, pid, why, child.backoff_seconds)

    def _end(self) -> None:
        """Wait for the children, kill those that do not end in time; a second signal hurries them."""
        until = time.monotonic() + self._drain_seconds + GRACE_SECONDS
        while self._running(last=False):
            left = until - time.monotonic()
            if left <= 0:
                self._signal(signal.SIGKILL, last=False)
            self._take(min(self._pause(), max(left, 0.1)))
            # What the others need until they have ended.
            self._start_due()
        self._signal(CHILD_STOP, last=True)
        until = time.monotonic() + GRACE_SECONDS
        while self._running(last=True):
            if time.monotonic() >= until:
                self._signal(signal.SIGKILL, last=True)
            signal.sigtimedwait(WATCHED, 0.1)
            while (ended := _ended_child()) is not None:
                for child in self._children:
                    child.pid = 0 if child.pid == ended[0] else child.pid

    def _running(self, *, last: bool) -> bool:
        return any(child.pid for child in self._children if child.last == last)

    def _signal(self, number: signal.Signals, *, last: bool) -> None:
        for child in self._children:
            if child.pid and child.last == last:
                with suppress(ProcessLookupError):
                    os.kill(child.pid, number)


class _Explained:
    """Logs once, in words, why the work of a child has failed."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, GatewayError):
            log.error("the %s cannot go on: %s", self._name, error.detail or error.title)
        elif error is not None:
            log.error("the %s ends by an error that nobody expected", self._name, exc_info=error)


def _become_child(name: str, parent: int) -> None:
    """Take stops from the parent alone, and ask the kernel for one when it ends (prctl(2); Linux only).

    Those that it takes, and SIGHUP, are still blocked.
    """
    for number in STOPS:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPS, signal.SIGCHLD))
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(PR_SET_PDEATHSIG, CHILD_STOP)
        prctl(PR_SET_NAME, f"cog-{name}".encode())
    # It may have ended before the call.
    if os.getppid() != parent:
        os._exit(1)


def _ended_child() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _plan_restart(child: Child, *, failed: bool) -> None:
    """Set when the child is started again: at once, later each time when it failed by itself soon after its start."""
    now = time.monotonic()
    least, most = BACKOFF_SECONDS
    again = failed and now - child.started < SETTLED_SECONDS
    child.backoff_seconds = min(most, max(least, 2 * child.backoff_seconds)) if again else 0.0
    child.start_at = now + child.backoff_seconds
