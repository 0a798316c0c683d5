"""The program that judges one file deeper than usual: what to look at comes by stdin, the verdict goes to stdout.

What is sent back is MessagePack of one type, because it has been made beside a stranger's file.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys

from gateway.deep.answers import Answer, Found, packed
from gateway.deep.judgements import UNREADABLE_SECONDS, Wanted
from gateway.rechecking import Look, Seen, Unseen, look
from gateway.storage.local import LocalStorage
from gateway.studio.confinement import Confinement, confine, die_with, named

# Who waits for an answer goes before what nobody waits for.
NICE = 15


def seen(wanted: Wanted) -> Answer:
    """Return the verdict over what is there now, or why there is none."""
    found = look(Look(wanted.dataset, wanted.storage, wanted.dataset.report.depth, wanted.allow_missing_overviews))
    if isinstance(found, Unseen):
        return Answer(failed=found.message, for_seconds=UNREADABLE_SECONDS)
    return Answer(verdict=_found(found))


def _found(seen: Seen) -> Found:
    stat = seen.stat
    return Found(stat.version, stat.size_bytes, seen.inspection, seen.sha256, stat.modified_at)


def confinement_of(wanted: Wanted, storage: LocalStorage) -> Confinement:
    """Return what a process over a local file may still do: read that file, and see what lies beside it."""
    path = str(storage.path.joinpath(wanted.dataset.key))
    return Confinement(readable=(path,), listable=(str(storage.path),), memory_mb=wanted.memory_mb)


def main() -> None:
    """Judge what the parent names; the process has given up all but reading that file by then."""
    # What libraries print must not come between.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    wanted: Wanted = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the parent that has started this process
    die_with(wanted.parent, signal.SIGKILL)
    named("cog-deep")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    # An object in a store is read by way of a temporary copy: its process keeps to itself by being one alone.
    if isinstance(wanted.storage, LocalStorage):
        confine(confinement_of(wanted, wanted.storage))
    with answer:
        answer.write(packed(seen(wanted)))


if __name__ == "__main__":
    main()
