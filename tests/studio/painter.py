"""A painter with works that no task of the gateway asks for: they hang, crash, grow, and try what is forbidden."""

import ctypes
import gc
import os
import pickle
import platform
import re
import resource
import signal
import socket
import struct
import sys
import threading
import time
from pathlib import Path

import cv2
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioIOError

from gateway.errors import GatewayError
from gateway.studio import forkserver, painter, works

GROWN, NUMBERS = [], []
HEADER = struct.Struct("<QBIQI")
VALUE, READY = 1, 0


def freeze(*_):
    """Hold the interpreter's lock for longer than anybody waits."""
    return re.match(r"(a+)+$", "a" * 64 + "b")


def crash(*_):
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(60)


def crash_with(_engine, *given):
    """End the painter where the last one given is a dataset among the others, or how many of them are too many."""
    *sources, bad = given
    ids = [source.id for source in sources]
    if bad in ids or len(ids) == bad:
        crash()
    return {"used": ids, "left_out": []}


def grow(_engine, megabytes):
    GROWN.append(bytearray(b"x") * (megabytes << 20))
    return len(GROWN)


def gaps(_engine, megabytes):
    """Take memory in blocks of which every tenth is kept, as a cache of blocks of all sizes leaves it."""
    made = [bytearray(b"x") * 100_000 for _ in range(megabytes * 10)]
    GROWN.extend(made[::10])
    return len(GROWN)


def balloon(_engine, *_):
    return len(bytearray(1 << 40))


def wait(_engine, *told):
    time.sleep(told[-1])
    return os.getpid()


def keep(engine, key, value):
    memory = engine._pool._blocks._memory
    room = memory.take(8)
    room.bytes[:] = value
    memory.put(key, room)
    return os.getpid()


def kept(engine, key):
    room = engine._pool._blocks._memory.find(key)
    return [os.getpid(), None if room is None else int(room.bytes[0])]


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


class Code:
    """What runs where it is unpickled."""

    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return os.mkdir, (self._path,)


def noted(sock, tasks_from=painter.tasks_from):
    """Yield what arrives, and keep the number of what is to be forged."""
    for number, task, fds in tasks_from(sock):
        if getattr(task, "work", "") == "forge":
            NUMBERS.append(number)
        yield number, task, fds


def forge(_engine, _source, what, *how):
    """Write to who asks what no painter writes, as code that has taken a painter over could."""
    mine = next(each for each in gc.get_objects() if isinstance(each, painter.Painter))
    mine._sock.sendall(FORGED[what](NUMBERS[-1], *how))
    time.sleep(60)


def answers(number, kind, head, body=b"", head_bytes=None, body_bytes=None):
    """Return an answer whose header may lie."""
    lengths = head_bytes or len(head), body_bytes or len(body)
    return HEADER.pack(number, kind, *lengths, 1) + head + body


FORGED = {
    "code": lambda number, path: answers(number, VALUE, pickle.dumps(Code(path))),
    "code in an error": lambda number, path: answers(number, 4, pickle.dumps(Code(path))),
    "no answer at all": lambda _: os.urandom(1 << 16),
    "another number": lambda _: answers(1 << 40, VALUE, b"\xc0"),
    "another kind": lambda number: answers(number, 77, b"\xc0"),
    "a second start": lambda _: answers(0, READY, b"\x90"),
    "more than there is": lambda number: answers(number, 2, b"\xc0", body_bytes=1 << 50),
    "a head without end": lambda number: answers(number, VALUE, b"\xc0", head_bytes=(1 << 32) - 1),
    "half a value": lambda number: answers(number, VALUE, b"\x92\xc0"),
    "nested too deep": lambda number: answers(number, VALUE, b"\x91" * 1_000_000),
    "an error of another kind": lambda number: answers(number, 4, b"\x81\xa4kind\xaaSystemExit"),
    "a picture of no format": lambda number: answers(number, 3, b"\x92\xa3exe\xa3hot", b"MZ"),
}


def called(number, *how):
    """Make a call by its number on this machine; raises OSError."""
    if platform.machine() != "x86_64":
        raise PermissionError
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(number, *how) < 0:
        raise OSError(ctypes.get_errno(), "refused")


def started(thread):
    thread.start()
    thread.join()


ATTEMPTS = {
    "read": lambda path: Path(path).read_bytes(),
    "list": lambda path: list(Path(path).iterdir()),
    "write": lambda path: Path(path).write_text("x"),
    "connect": connect,
    "pair": lambda: socket.socketpair(),
    "kill": lambda pid: os.kill(pid, signal.SIGKILL),
    "memory": lambda pid: Path(f"/proc/{pid}/mem").read_bytes(),
    "limit": lambda pid: resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, 3)),
    "rank": lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 19),
    "freeze": lambda pid: signal.pidfd_send_signal(os.pidfd_open(pid), signal.SIGSTOP),
    "mode": lambda path: Path(path).chmod(0o777),
    "times": lambda path: os.utime(path),
    "attribute": lambda path: os.setxattr(path, "user.x", b"y"),
    "fork": lambda: os.fork() or os._exit(0),
    "group": lambda: os.killpg(os.getpgid(0), 0),
    "shared": lambda: called(29, 0, 4096, 0o1600),
    # The same kernel's calls of 32 bits: socket.
    "far call": lambda: called(0x40000000 + 41, 1, 1, 0),
    "unshare": lambda: called(272, 0x10000000),
    "ring": lambda: called(425, 1, 0),
    "thread": lambda: started(threading.Thread(target=int)),
    "environment": lambda pid: Path(f"/proc/{pid}/environ").read_bytes(),
}


class Strange(BaseException):
    """An error that is none of Exception's, and that says nothing when it is printed."""

    def __str__(self):
        raise ValueError("no text")


class Odd(GatewayError):
    """An error of ours that does not travel."""


STRANGE = {
    "exit": lambda: SystemExit(0), "interrupt": KeyboardInterrupt, "generator": GeneratorExit, "stop": StopIteration,
    "deep": RecursionError, "strange": Strange, "odd": lambda: Odd("no", members={"what": object()}),
    "attribute": lambda: AttributeError("'NoneType' object has no attribute 'to_authority'"),
    "opencv": lambda: cv2.error("(-215) assertion failed"), "proj": lambda: ProjError("no operation"),
    "overflow": lambda: OverflowError("int too large"), "gdal": lambda: RasterioIOError("Read failed"),
}  # fmt: skip


def strange(_engine, what):
    raise STRANGE[what]()


painter.tasks_from = noted
works.WORKS.update(
    hang=lambda *_: time.sleep(3600), freeze=freeze, crash=crash, crash_with=crash_with, grow=grow, gaps=gaps, balloon=balloon, wait=wait,
    attempt=attempt, forge=forge, environment=lambda _: dict(os.environ), fail=lambda *_: {}["a key that is not there"],
    keep=lambda engine, _, *told: keep(engine, *told), kept=lambda engine, _, *told: kept(engine, *told), strange=strange,
    priority=lambda _: os.getpriority(os.PRIO_PROCESS, 0),
)  # fmt: skip

if __name__ == "__main__":
    forkserver.main(*map(int, sys.argv[1:]))
