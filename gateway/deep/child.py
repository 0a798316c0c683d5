"""The program that judges one file deeper than usual: what to look at comes by stdin, the verdict goes to stdout.

What is sent back is JSON, because it has been made beside a stranger's file.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from gateway.deep.judgements import UNREADABLE_SECONDS, Wanted
from gateway.rechecking import Look, Seen, Unseen, look
from gateway.storage.local import LocalStorage
from gateway.studio.confinement import Confinement, confine, die_with, named

# Who waits for an answer goes before what nobody waits for.
NICE = 15


def seen(wanted: Wanted) -> Mapping[str, Any]:
    """Return the verdict over what is there now as JSON has it, or why there is none."""
    found = look(Look(wanted.dataset, wanted.storage, wanted.dataset.report.depth, wanted.allow_missing_overviews))
    if isinstance(found, Unseen):
        return {"failed": found.message, "for_seconds": UNREADABLE_SECONDS}
    return verdict_json(found)


def verdict_json(found: Seen) -> Mapping[str, Any]:
    """Return a verdict as `judgements.verdict_of` reads it."""
    raster = found.inspection.raster
    return {
        "version": found.stat.version,
        "size_bytes": found.stat.size_bytes,
        "report": found.inspection.report.as_json(""),
        "raster": asdict(raster) if raster else None,
        "sha256": found.sha256,
    }


def main() -> None:
    """Judge what the parent names; the process has given up all but reading the root's folder by then."""
    # What libraries print must not come between.
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    wanted: Wanted = pickle.load(sys.stdin.buffer)  # noqa: S301 - written by the parent that has started this process
    die_with(wanted.parent, signal.SIGKILL)
    named("cog-deep")
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICE)
    # An object in a store is read by way of a temporary copy: its process keeps to itself by being one alone.
    if isinstance(wanted.storage, LocalStorage):
        confine(Confinement(readable=(str(wanted.storage.path),), memory_mb=wanted.memory_mb))
    with answer:
        json.dump(seen(wanted), answer)


if __name__ == "__main__":
    main()
