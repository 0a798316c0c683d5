#!/usr/bin/env python3
"""Full-size drills against a real server on loopback: what is promised under fire, counted.

    python scripts/drills.py [NAME ...] [--seconds N]

Each drill starts a server of its own in a temporary folder, is bounded in time, and prints its figures; the exit
code is 1 when a promise was broken. Without a name all of them run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.drilling.faults import faults
from scripts.drilling.kill import kill
from scripts.drilling.nodes import FAULTS, nodes
from scripts.drilling.painters import painters
from scripts.drilling.postgres import postgres
from scripts.drilling.recorder import recorder, workers
from scripts.drilling.server import Outcome
from scripts.drilling.signals import signals
from scripts.drilling.slow import slowloris, stall
from scripts.drilling.splice import splice
from scripts.drilling.unread import unread, unread_tls

DRILLS: dict[str, Callable[..., Outcome]] = {
    "kill": kill, "recorder": recorder, "workers": workers, "signals": signals,
    "faults": faults, "splice": splice, "stall": stall, "slowloris": slowloris,
    "unread": unread, "unread-tls": unread_tls, "painters": painters, "nodes": nodes,
    "postgres": postgres,
}  # fmt: skip


def main() -> None:
    """Run the named drills and print a table for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drills", nargs="*", choices=[*DRILLS, []], help="default: all")
    parser.add_argument("--seconds", type=float, help="length of a drill, or of each fault")
    parser.add_argument("--fault", action="append", choices=FAULTS, help="of the drill `nodes`; default: all")
    options = parser.parse_args()
    broken = False
    for name in options.drills or DRILLS:
        with tempfile.TemporaryDirectory() as folder:
            arguments = () if options.seconds is None else (options.seconds,)
            chosen = {"faults": options.fault} if name == "nodes" and options.fault else {}
            broken |= report(name, DRILLS[name](Path(folder), *arguments, **chosen))
    sys.exit(broken)


def report(name: str, outcome: Outcome) -> bool:
    """Print the figures of a drill; returns whether a promise was broken."""
    print(f"\n{name}")
    for label, value in outcome.figures.items():
        print(f"  {label:<44} {value}")
    for sentence in outcome.broken:
        print(f"  BROKEN: {sentence}")
    print("  all promises kept" if not outcome.broken else "", flush=True)
    return bool(outcome.broken)


if __name__ == "__main__":
    main()
