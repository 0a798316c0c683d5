"""A parent that keeps N workers alive, hands signals on, and leaves no orphan."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

log = logging.getLogger("gateway")
WATCHED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
BACKOFF_SECONDS = (0.05, 5.0)
# A worker that lived this long is started again at once; one that dies sooner waits longer each time.
SETTLED_SECONDS = 10.0
# Workers get this much more than their drain before they are killed.
GRACE_SECONDS = 5.0
PR_SET_PDEATHSIG = 1


@dataclass(slots=True)
class Slot:
    """One place for a worker: its process id (0 while it waits to be started) and how it fared."""

    pid: int = 0
    started: float = 0.0
    start_at: float = 0.0
    backoff_seconds: float = 0.0


class Supervisor:
    """Forks the workers, starts again those that die, and ends with them.

    Signals are blocked and taken one by one with sigtimedwait(2): no handler runs at an arbitrary place.
    """

    def __init__(self, processes: int, drain_seconds: float) -> None:
        self._slots = [Slot() for _ in range(processes)]
        self._drain_seconds = drain_seconds
        self._first = True

    def run(self, work: Callable[[bool], None], on_hangup: Callable[[], object]) -> int:
        """Run until SIGTERM or SIGINT and all workers have ended; returns 0.

        `work` is called in each worker after the fork; its argument is True in the very first one. At SIGHUP
        `on_hangup` is called here, and then the workers get the signal too.
        """
        before = signal.pthread_sigmask(signal.SIG_BLOCK, WATCHED)
        try:
            while True:
                self._start_due(work)
                taken = signal.sigtimedwait(WATCHED, self._pause())
                self._reap()
                if taken is not None and taken.si_signo in (signal.SIGTERM, signal.SIGINT):
                    return self._end()
                if taken is not None and taken.si_signo == signal.SIGHUP:
                    on_hangup()
                    self._signal(signal.SIGHUP)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _start_due(self, work: Callable[[bool], None]) -> None:
        for slot in self._slots:
            if slot.pid == 0 and slot.start_at <= time.monotonic():
                slot.started = time.monotonic()
                slot.pid = self._fork(work)
                self._first = False

    def _fork(self, work: Callable[[bool], None]) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            _die_with_parent(parent)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, WATCHED)
            work(self._first)
            code = 0
        finally:
            sys.stderr.flush()
            # Not sys.exit: the parent's clean-up must not run in the child as well.
            os._exit(code)

    def _pause(self) -> float:
        """Return how long nothing is due, in seconds."""
        due = [slot.start_at for slot in self._slots if slot.pid == 0]
        return max(0.0, min(due) - time.monotonic()) if due else 3600.0

    def _reap(self) -> None:
        """Take note of every worker that has ended."""
        while (ended := _ended_child()) is not None:
            pid, status = ended
            for slot in self._slots:
                if slot.pid == pid:
                    _plan_restart(slot)
                    log.warning("worker %d ended (%s), again in %.2f s", pid, _reason(status), slot.backoff_seconds)

    def _end(self) -> int:
        """Hand the signal on, wait for the workers, kill those that do not end; a second signal hurries."""
        self._signal(signal.SIGTERM)
        until = time.monotonic() + self._drain_seconds + GRACE_SECONDS
        while any(slot.pid for slot in self._slots):
            left = until - time.monotonic()
            if left <= 0:
                self._signal(signal.SIGKILL)
                left = GRACE_SECONDS
            taken = signal.sigtimedwait(WATCHED, left)
            if taken is not None and taken.si_signo in (signal.SIGTERM, signal.SIGINT):
                self._signal(signal.SIGTERM)
            while (ended := _ended_child()) is not None:
                for slot in self._slots:
                    slot.pid = 0 if slot.pid == ended[0] else slot.pid
        return 0

    def _signal(self, number: signal.Signals) -> None:
        for slot in self._slots:
            if slot.pid:
                os.kill(slot.pid, number)


def _die_with_parent(parent: int) -> None:
    """Ask the kernel for SIGTERM when the parent ends (prctl(2), PR_SET_PDEATHSIG; Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    # It may have ended before the call.
    if os.getppid() != parent:
        os._exit(1)


def _ended_child() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, status) if pid else None


def _plan_restart(slot: Slot) -> None:
    now = time.monotonic()
    least, most = BACKOFF_SECONDS
    settled = now - slot.started >= SETTLED_SECONDS
    slot.backoff_seconds = 0.0 if settled else min(most, max(least, 2 * slot.backoff_seconds))
    slot.pid, slot.start_at = 0, now + slot.backoff_seconds


def _reason(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {-code}" if code < 0 else f"exit code {code}"
