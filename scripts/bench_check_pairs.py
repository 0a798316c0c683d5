"""Two processes beside one, and depth full beside GDAL's checksums: two tables of the benchmark of the check."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import rasterio
from bench_check_tools import our_check, timed

ROOT = Path(__file__).resolve().parents[1]
CHECK = (sys.executable, "-m", "gateway", "check", "--json")
JOBS = 2
Seconds = Callable[[], float]


def print_pairs(sets: Mapping[str, Sequence[Path]], rounds: int) -> None:
    """Print the tables; each row has the medians of two ways over the same files, in interleaved rounds."""
    print(f"| the command, start-up included | --jobs 1, s | --jobs {JOBS}, s | times as fast |\n|---|---|---|---|")
    for (name, paths), depth in product(sets.items(), ("blocks", "full")):
        one, two = medians((partial(_command, depth, paths, 1), partial(_command, depth, paths, JOBS)), rounds)
        print(f"| depth {depth}, {name} | {one:.2f} | {two:.2f} | {one / two:.2f} |", flush=True)
    print("\n| one process | depth full, CPU s | checksums, CPU s | speed ÷ that of checksums |\n|---|---|---|---|")
    for name, paths in sets.items():
        ours, theirs = medians((partial(_full, paths), partial(_checksums, paths)), rounds)
        print(f"| {name} | {ours:.2f} | {theirs:.2f} | {theirs / ours:.2f} |", flush=True)
    print()


def medians(ways: Sequence[Seconds], rounds: int) -> Iterator[float]:
    """Yield the median seconds of each way."""
    took = [[way() for way in ways] for _ in range(rounds)]
    return map(statistics.median, zip(*took, strict=True))


def _command(depth: str, paths: Sequence[Path], jobs: int) -> float:
    """Return the seconds that the command takes, from its start to its end."""
    command = [*CHECK, "--depth", depth, "--jobs", str(jobs), *map(str, paths)]
    began = time.perf_counter()
    subprocess.run(
        command, check=True, stdout=subprocess.DEVNULL, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return time.perf_counter() - began


def _full(paths: Sequence[Path]) -> float:
    return timed(partial(our_check, depth="full", facts=False), paths).cpu_seconds


def _checksums(paths: Sequence[Path]) -> float:
    return timed(_checksum, paths).cpu_seconds


def _checksum(path: Path) -> None:
    """Take the checksums that `gdalinfo -checksum` prints: of each band of each level. Masks have none there."""
    with rasterio.open(path) as raster:
        overviews = len(raster.overviews(1))
    levels: list[dict[str, Any]] = [{}, *({"overview_level": number} for number in range(overviews))]
    for level in levels:
        with rasterio.open(path, **level) as raster:
            for band in raster.indexes:
                raster.checksum(band)
