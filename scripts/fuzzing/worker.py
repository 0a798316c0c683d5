"""One process that judges mutants, its memory and the time of each judgement limited.

    python -m scripts.fuzzing.worker FOLDER RUN START STOP STEP JUDGES

FOLDER holds the seeds. Each judgement is told twice on stdout, as one line of JSON: when it begins and when it ended.
A process that ends in between was killed by the judgement that began last.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path

from scripts.fuzzing.judges import JUDGES
from scripts.fuzzing.mutants import mutant, read_seeds

# More memory than the check may take, and as much again for what is no memory: maps of libraries and stacks.
ROOM_BYTES = {"ours": 500_000_000, "others": 2_000_000_000}
# SIGALRM ends the process, in whatever library it hangs.
HANG_SECONDS = 20
STATUS, CLEAR_REFS = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def status_bytes(field: str) -> int:
    """Return a size of this process: VmRSS, VmHWM or VmSize."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field + ":"))
    return int(line.split()[1]) * 1024


def tell(**facts: object) -> None:
    """Print one line."""
    print(json.dumps(facts), flush=True)


def main() -> None:
    """Judge every STEPth mutant from START to STOP."""
    folder, kind = Path(sys.argv[1]), sys.argv[6]
    number, start, stop, step = map(int, sys.argv[2:6])
    seeds = read_seeds(folder)
    path = folder / f"{kind}.mutant"
    # Libraries load tables at their first use; that is no growth.
    for seed in seeds:
        path.write_bytes(seed.data)
        for judge in JUDGES[kind].values():
            judge(path)
    room = status_bytes("VmSize") + ROOM_BYTES[kind]
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    for index in range(start, stop, step):
        path.write_bytes(mutant(seeds, number, index).data)
        for name, judge in JUDGES[kind].items():
            tell(index=index, judge=name)
            CLEAR_REFS.write_text("5")
            before, began = status_bytes("VmRSS"), time.process_time()
            signal.alarm(HANG_SECONDS)
            verdict = judge(path)
            signal.alarm(0)
            took = time.process_time() - began
            growth = max(status_bytes("VmHWM") - before, 0)
            tell(index=index, judge=name, **asdict(verdict), cpu_seconds=took, growth_bytes=growth)


if __name__ == "__main__":
    main()
