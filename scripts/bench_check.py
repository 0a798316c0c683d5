#!/usr/bin/env python3
"""The COG check beside rio-cogeo and GDAL's own script, over the same files, in one run on one machine.

    python scripts/bench_check.py [--files 1000] [--side 20480] [--blocks-side 35072] [--rounds 5] [--tables all]

Each tool runs in one process with its imports done before; rounds are interleaved and medians are printed as
Markdown. Reads and bytes of ours are those that the byte source was asked for; those of the others are counted by
strace where it is installed. GDAL's script needs Debian's python3-gdal. The row "its reads alone" is no check:
a read at the leader of each block, which is the least that a look at every block can take. The last two tables set
two processes beside one, and depth full beside the checksums of all bands that `gdalinfo -checksum` takes.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench_check_files import class_blocks, large_file, plain_blocks, small_files
from bench_check_pairs import print_pairs
from bench_check_tools import Cost, Took, Tool, gdal_tools, header_bytes, ours, reads_alone, rio_cogeo

BASE = "rio-cogeo"
COLUMNS = (
    "files/s",
    f"÷ {BASE}",
    "CPU ms per file",
    f"÷ {BASE}",
    "reads per file",
    "bytes per file",
    "÷ header bytes",
)


def main() -> None:
    """Make the files, run all rounds and print one table for each set of files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000, help="number of small files")
    parser.add_argument("--side", type=int, default=20_480, help="pixels across the large file; 20480 make 1 GiB")
    parser.add_argument("--blocks-side", type=int, default=35_072, help="35072 make 100,000 blocks")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tables", choices=["all", "checks", "pairs"], default="all")
    parser.add_argument("--folder", type=Path, help="where the files are made; a temporary folder else")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as scratch, gdal_tools() as gdal:
        folder = Path(scratch)
        tools = [*ours(), reads_alone(), rio_cogeo(), *gdal]
        sets = {
            f"{options.files} small files": small_files(folder, options.files),
            "one large file": [large_file(folder / "large.tif", options.side)],
            "one file of many blocks, classes, DEFLATE": [class_blocks(folder / "classes.tif", options.blocks_side)],
            "one file of many blocks, uncompressed": [plain_blocks(folder / "plain.tif", options.blocks_side)],
        }
        if options.tables != "pairs":
            for name, paths in sets.items():
                report(name, paths, tools, options.rounds)
        if options.tables != "checks":
            del sets["one large file"]
            print_pairs(sets, options.rounds)


def report(name: str, paths: Sequence[Path], tools: Sequence[Tool], rounds: int) -> None:
    """Print the table of one set of files, after one uncounted round that fills the page cache."""
    runs: dict[str, list[Took]] = {tool.name: [] for tool in tools}
    for round_number in range(rounds + 1):
        for tool in tools:
            took = tool.time(paths)
            if round_number:
                runs[tool.name].append(took)
    header = sum(map(header_bytes, paths))
    middle = {
        tool: Took(statistics.median(t.seconds for t in took), statistics.median(t.cpu_seconds for t in took))
        for tool, took in runs.items()
    }
    size = sum(path.stat().st_size for path in paths)
    print(
        f"| {name}, {size / 1e6:,.0f} MB, headers of {header / len(paths):,.0f} bytes | " + " | ".join(COLUMNS) + " |"
    )
    print("|---" * (1 + len(COLUMNS)) + "|")
    for tool in tools:
        row = cells(len(paths), middle[tool.name], middle[BASE], tool.cost(paths), header)
        print(f"| {tool.name} | " + " | ".join(row) + " |")
    print(flush=True)


def cells(files: int, took: Took, base: Took, cost: Cost | None, header: int) -> list[str]:
    """Return the figures of one row; dashes for what could not be counted."""
    rate, cpu = files / took.seconds, 1e3 * took.cpu_seconds / files
    row = [f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}", f"{base.seconds / took.seconds:.2f}"]
    row += [f"{cpu:,.0f}" if cpu >= 100 else f"{cpu:.3g}", f"{took.cpu_seconds / base.cpu_seconds:.2f}"]
    if cost is None:
        return [*row, "-", "-", "-"]
    return [*row, f"{cost.reads / files:,.0f}", f"{cost.size_bytes / files:,.0f}", f"{cost.size_bytes / header:,.2f}"]


if __name__ == "__main__":
    main()
