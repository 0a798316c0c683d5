"""The process that writes the audit for all workers of a machine."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

from gateway import __version__
from gateway.audit import Recorder
from gateway.metrics import Metrics
from gateway.services import timed
from gateway.settings import Settings
from gateway.state import made_records
from gateway.supervisor import CHILD_STOP

# How old the processor time of the recorder may be.
LOOK_SECONDS = 2.0
BACKLOG = 256


def recorder_socket(folder: Path) -> Path:
    """Return where the recorder of the processes that share `folder` listens."""
    return folder / "recorder"


def listen(folder: Path) -> socket.socket:
    """Return the listening socket of all recorders that will ever be: a connection waits in it for the next one."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(recorder_socket(folder)))
    listener.listen(BACKLOG)
    return listener


def record_for_workers(settings: Settings, folder: Path, listener: socket.socket) -> None:
    """Write the audit for who connects, counting in `folder`, until told to stop and all have closed.

    Raises RecordsUnavailable when the database cannot be opened.
    """
    told, teller = os.pipe()
    os.set_blocking(teller, False)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(CHILD_STOP, lambda *_: os.write(teller, b"."))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (CHILD_STOP, signal.SIGHUP))
    metrics, records = Metrics(__version__, folder), made_records(settings)
    try:
        recorder = Recorder(listener, timed(records.append_audit, metrics))
        recorder.run(told, metrics.look_at_cpu, LOOK_SECONDS)
    finally:
        records.close()
        metrics.close()
