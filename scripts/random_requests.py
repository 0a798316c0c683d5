#!/usr/bin/env python3
"""Random requests over odd rasters against a real server with two workers: what it answers, and whom it disturbs.

    PYTHONPATH=. python scripts/random_requests.py [--minutes 2] [--rate 4] [--seed 1] [--rasters FOLDER]

Asks for tiles, parts, points, previews, statistics and documents of sixty rasters with random parameters,
`--rate` a second, while a file is downloaded and /livez looked at. Promised: no 500, no traceback in the log, no
download cut. The same seed asks the same; `--rasters` keeps them for the next run. Exit 1 for a broken promise.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from drills import report

from scripts.requesting.rasters import make
from scripts.requesting.run import asked


def main() -> None:
    """Ask, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=2)
    parser.add_argument("--rate", type=float, default=4, help="requests in a second")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rasters", type=Path, help="folder of rasters, made where it is not there")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        (folder / "rasters").mkdir()
        kept = options.rasters or folder / "made"
        if not kept.exists():
            kept.mkdir(parents=True)
            make(kept)
        for path in kept.glob("*.tif"):
            (folder / "rasters" / path.name).write_bytes(path.read_bytes())
        sys.exit(report("random requests", asked(folder, options.minutes, options.rate, options.seed)))


if __name__ == "__main__":
    main()
