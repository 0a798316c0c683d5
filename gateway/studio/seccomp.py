"""A filter of system calls (seccomp(2)): no socket, no other process, no change of what Landlock does not guard.

Landlock knows nothing of modes, owners, times and extended attributes of files, and before version 6
nothing of signals.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterator, Mapping
from itertools import chain
from types import MappingProxyType

PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 22, 2
# Instructions of classic BPF, and what a filter returns.
LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_BITS, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, EACCES, ENOSYS = 0x7FFF0000, 0x00050000 | 13, 0x00050000 | 38
# struct seccomp_data: number of the call, architecture, and the lower half of each argument.
NUMBER, ARCHITECTURE, ARGUMENTS = 0, 4, 16
CLONE_THREAD = 0x10000
# Calls of x86-64's second way, with 32 bits a pointer, have numbers from here on.
X32 = 0x40000000
# Audit number of each architecture, and which of the numbers of a call below is its own.
MACHINES = {"x86_64": (0xC000003E, 0), "aarch64": (0xC00000B7, 1)}

Numbers = Mapping[str, tuple[int | None, int | None]]
NETWORK: Numbers = MappingProxyType({"socket": (41, 198), "socketpair": (53, 199), "connect": (42, 203)})
REFUSED: Numbers = MappingProxyType(
    {
        # Other processes.
        "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
        "process_madvise": (440, 440), "pidfd_open": (434, 434), "pidfd_send_signal": (424, 424),
        "pidfd_getfd": (438, 438),
        "tkill": (200, 130), "rt_sigqueueinfo": (129, 138), "rt_tgsigqueueinfo": (297, 240),
        "fork": (57, None), "vfork": (58, None), "execve": (59, 221), "execveat": (322, 281),
        # Memory and messages that processes share by number.
        "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "msgget": (68, 186),
        "mq_open": (240, 180), "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
        # What a file is beside its content.
        "chmod": (90, None), "fchmod": (91, 52), "fchmodat": (268, 53), "fchmodat2": (452, 452),
        "chown": (92, None), "fchown": (93, 55), "lchown": (94, None), "fchownat": (260, 54),
        "setxattr": (188, 5), "lsetxattr": (189, 6), "fsetxattr": (190, 7), "setxattrat": (463, 463),
        "removexattr": (197, 14), "lremovexattr": (198, 15), "fremovexattr": (199, 16), "removexattrat": (466, 466),
        "utime": (132, None), "utimes": (235, None), "futimesat": (261, None), "utimensat": (280, 88),
        "truncate": (76, 45), "open_by_handle_at": (304, 265),
        # Ways around, and ways into the kernel that decoding never needs.
        "io_uring_setup": (425, 425), "io_uring_enter": (426, 426), "unshare": (272, 97), "setns": (308, 268),
        "mount": (165, 40), "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282),
    }
)  # fmt: skip
# Calls over a process that is named by an argument, counted from 0: this one alone may be meant. 0 means it, too, but
# for kill, where it means the whole group.
OF_PROCESS: Mapping[str, tuple[int, int, int]] = MappingProxyType(
    {
        "tgkill": (234, 131, 0), "prlimit64": (302, 261, 0), "setpriority": (141, 140, 1),
        "sched_setaffinity": (203, 122, 0), "sched_setscheduler": (144, 119, 0), "sched_setparam": (142, 118, 0),
        "sched_setattr": (314, 274, 0), "kill": (62, 129, 0),
    }
)  # fmt: skip
CLONE, CLONE3 = (56, 220), (435, 435)
Step = tuple[int, int, int, int]


def install(*, network: bool) -> bool:
    """Return whether this thread, and those that it starts, can from now on make none of these calls.

    With `network` sockets stay.
    """
    if platform.machine() not in MACHINES:
        return False
    steps = list(_program(network=network))
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in steps))
    # struct sock_fprog
    program = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code))
    return bool(ctypes.CDLL(None).prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program) == 0)


def _program(*, network: bool) -> Iterator[Step]:
    audit, at = MACHINES[platform.machine()]
    yield from ((LOAD, 0, 0, ARCHITECTURE), (JUMP_EQUAL, 1, 0, audit), (RETURN, 0, 0, EACCES), (LOAD, 0, 0, NUMBER))
    if platform.machine() == "x86_64":
        yield from ((JUMP_AT_LEAST, 0, 1, X32), (RETURN, 0, 0, EACCES))
    for numbers in chain(REFUSED.values(), () if network else NETWORK.values()):
        if (number := numbers[at]) is not None:
            yield from ((JUMP_EQUAL, 0, 1, number), (RETURN, 0, 0, EACCES))
    # glibc falls back to clone, whose flags can be looked at.
    yield from ((JUMP_EQUAL, 0, 1, CLONE3[at]), (RETURN, 0, 0, ENOSYS))
    yield from _only_if(CLONE[at], 0, ((JUMP_BITS, 1, 0, CLONE_THREAD),))
    for name, numbers_and_place in OF_PROCESS.items():
        own = (JUMP_EQUAL, 1, 0, os.getpid())
        tests = (own,) if name == "kill" else ((JUMP_EQUAL, 2, 0, 0), own)
        yield from _only_if(numbers_and_place[at], numbers_and_place[2], tests)
    yield RETURN, 0, 0, ALLOW


def _only_if(number: int, argument: int, tests: tuple[Step, ...]) -> Iterator[Step]:
    """Yield what refuses a call unless one of the tests of its argument jumps over the refusal."""
    yield JUMP_EQUAL, 0, len(tests) + 3, number
    yield LOAD, 0, 0, ARGUMENTS + 8 * argument
    yield from tests
    yield from ((RETURN, 0, 0, EACCES), (RETURN, 0, 0, ALLOW))
