#!/usr/bin/env python3
"""Byte mutants of real COGs, judged by the check in bounded memory and time, and compared with two other readers.

    python scripts/fuzz_check.py [--mutants 20000] [--seed 1] [--seconds N] [--others-every 1]

Each mutant is judged at depth header and blocks in a child process; each judgement may take 2 s of CPU and let the
memory grow by 500 MB, and a read outside of the file is a crash. rio-cogeo and tifffile judge the same bytes in
another child. The exit code is 1 when the check failed, or disagrees with another reader in a way that
`fuzzing/kinds.py` does not explain. The same seed makes the same mutants.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.fuzzing.kinds import KINDS
from scripts.fuzzing.run import Outcome, Plan, run

SHOWN_FAULTS = 50


def main() -> None:
    """Run, print, and exit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutants", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no new round after this time")
    parser.add_argument("--others-every", type=int, default=1, help="let the others judge every Nth mutant only")
    given = parser.parse_args()
    outcome = run(Plan(given.mutants, given.seed, given.others_every), given.seconds)
    print("\n".join(lines_of(outcome)))
    sys.exit(0 if outcome.good else 1)


def lines_of(outcome: Outcome) -> list[str]:
    """Return the figures and the table of disagreements, in Markdown."""
    crashed = ", ".join(f"{judge} {count}" for judge, count in sorted(outcome.crashes_of_others.items()))
    reasons = {kind.name: kind.why for kind in KINDS}
    return [
        f"mutants tried: {outcome.tried}, of which {outcome.valid} are valid; compared: {outcome.compared}",
        f"faults of the check: {len(outcome.faults)}; crashes of others: {crashed or 'none'}",
        f"slowest: {outcome.slowest_seconds * 1000:.0f} ms of CPU; "
        f"largest growth: {outcome.largest_growth_bytes / 1_000_000:.1f} MB",
        "",
        "| disagreement | with | mutants | why the check is right |",
        "|---|---|---|---|",
        *(
            f"| {kind} | {judge} | {count} | {reasons[kind]} |"
            for (judge, kind), count in sorted(outcome.kinds.items(), key=lambda item: -item[1])
        ),
        *(f"FAULT {fault}" for fault in outcome.faults[:SHOWN_FAULTS]),
    ]


if __name__ == "__main__":
    main()
