"""A painter with works that no task of the gateway asks for: they hang, crash, grow, and try what is forbidden."""

import os
import re
import signal
import socket
import sys
import time
from pathlib import Path

from gateway.studio import painter, works

GROWN = []


def freeze(*_):
    """Hold the interpreter's lock for longer than anybody waits."""
    return re.match(r"(a+)+$", "a" * 64 + "b")


def crash(*_):
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def grow(_engine, megabytes):
    GROWN.append(bytearray(b"x") * (megabytes << 20))
    return len(GROWN)


def balloon(_engine, *_):
    return len(bytearray(1 << 40))


def wait(_engine, *told):
    time.sleep(told[-1])
    return os.getpid()


def attempt(_engine, what, *how):
    """Return "done", or the name of the error that an attempt ends in."""
    try:
        ATTEMPTS[what](*how)
    except OSError as error:
        return type(error).__name__
    return "done"


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(2)
        sock.connect(address)


ATTEMPTS = {
    "read": lambda path: Path(path).read_bytes(),
    "list": lambda path: list(Path(path).iterdir()),
    "write": lambda path: Path(path).write_text("x"),
    "connect": connect,
    "pair": lambda: socket.socketpair(),
    "kill": lambda pid: os.kill(pid, signal.SIGKILL),
    "memory": lambda pid: Path(f"/proc/{pid}/mem").read_bytes(),
    "environment": lambda pid: Path(f"/proc/{pid}/environ").read_bytes(),
}

works.WORKS.update(
    hang=lambda *_: time.sleep(3600), freeze=freeze, crash=crash, grow=grow, balloon=balloon, wait=wait,
    attempt=attempt, environment=lambda _: dict(os.environ), fail=lambda *_: {}["a key that is not there"],
    priority=lambda _: os.getpriority(os.PRIO_PROCESS, 0),
)  # fmt: skip

if __name__ == "__main__":
    painter.main(int(sys.argv[1]))
    os._exit(0)
