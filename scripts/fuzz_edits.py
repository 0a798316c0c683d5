#!/usr/bin/env python3
"""Single edits of the writers' files (`tests/data/writers/`), judged at each depth and read whole by GDAL.

    python scripts/fuzz_edits.py [--edits 5000] [--seed 1] [--jobs 2] [--list]

An edit changes one field of one tag, or one byte. Prints, for each depth, how many are accepted although GDAL cannot
read them or reads other pixels, and by which place; and how many are refused at depth full although GDAL reads the
same pixels and rio-cogeo calls the order a COG's, by rule. `docs/cog-peers.md` argues each kind.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gateway.cog import DEPTHS
from scripts.fuzzing.edits import Outcome, judged
from scripts.fuzzing.kinds import KINDS, kind_of
from scripts.writers.table import verdict

WRITERS = Path(__file__).resolve().parents[1] / "tests" / "data" / "writers"
CHUNK = 100


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--list", action="store_true", help="name each edit that is counted")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcomes = run(Path(name), given.edits, given.seed, given.jobs)
    print("\n".join(lines_of(outcomes, given.list)))


def run(folder: Path, edits: int, seed: int, jobs: int) -> list[Outcome]:
    """Return what became of each edit of the files that are true COGs."""
    for path in WRITERS.glob("*.tif"):
        if verdict(path)[0] is None:
            shutil.copy(path, folder)
    chunks = [range(start, min(start + CHUNK, edits)) for start in range(0, edits, CHUNK)]
    with ProcessPoolExecutor(jobs) as pool:
        return [outcome for done in pool.map(partial(judged, folder, seed), chunks) for outcome in done]


def lines_of(outcomes: Sequence[Outcome], named: bool) -> Iterator[str]:
    """Yield the counts, and the kinds below each."""
    yield f"{len(outcomes)} edits; GDAL reads the same of {sum(each.pixels == 'same' for each in outcomes)}"
    for number, depth in enumerate(DEPTHS):
        for pixels in ("unreadable", "other"):
            found = [each for each in outcomes if not each.rules[number] and each.pixels == pixels]
            yield f"depth {depth}: accepted, {pixels}: {len(found)}"
            yield from _counted(Counter(each.place for each in found))
            yield from (f"    {each}" for each in found if named)
    fine = [each for each in outcomes if each.rules[-1] and each.pixels == "same" and each.ordered]
    yield f"refused at depth full, same pixels, in order: {len(fine)}"
    kinds = Counter(kind.name if (kind := kind_of("gdal", each.rules[-1], "")) else "unknown" for each in fine)
    reasons = {kind.name: kind.why for kind in KINDS}
    yield from (f"| {kind} | {count} | {reasons.get(kind, '?')} |" for kind, count in kinds.most_common())
    yield from _counted(Counter(f"{each.rules[-1]}: {each.place}" for each in fine) if named else Counter())


def _counted(kinds: Counter[str]) -> Iterator[str]:
    yield from (f"  {count:5} {kind}" for kind, count in kinds.most_common())


if __name__ == "__main__":
    main()
