#!/usr/bin/env python3
"""Tiles of the gateway beside TiTiler's, in one run on one machine.

    python scripts/bench_tiles.py --titiler VENV/bin/python [--rounds 5] [--seconds 4] [--memory-tiles 20000]

`--titiler` names the Python of an environment with `titiler.application` and `uvicorn[standard]`. Both sides serve
the same rasters with two processes, and are asked for the same tiles in the same order over 16 connections, in
interleaved rounds; medians are printed with ratios, and whether each reach is met. Ours has a tile token of a private
dataset in every URL, its bounded pool of threads, and no cache of encoded tiles. CPU is user and system time of all
processes of a side. The load is wrk's, one thread. Needs wrk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench_tiles_flood import downloads, memory
from bench_tiles_rasters import Place, aligned_tiles, as_viewports, make_rasters, shuffled, warped_tiles
from bench_tiles_sides import Side, ask_all, body, gateway, load, titiler, wait_ready

CONNECTIONS, WARM_TILES, SIZED_TILES, SIDE_PIXELS = 16, 64, 60, 10_240
P99_REACH, SIZE_REACH = 1 / 3, 1.12
HEIGHTS = "rescale=0,3000&colormap_name=terrain&"
# Ends inside of what the pixels are, so that no server may send what is stored.
CONTRAST = "rescale=10,245&"


@dataclass(frozen=True)
class Case:
    """One kind of tiles: the raster's letter, the format, the style, the order, and the ratio to reach."""

    name: str
    raster: str
    format: str
    reach: float
    style: str = ""
    viewport: bool = False


CASES = (
    Case("a.jpg", "a", "jpg", 15),
    Case("b.webp", "b", "webp", 15),
    Case("a.png", "a", "png", 10),
    Case("a.jpg rescaled", "a", "jpg", 4, CONTRAST),
    Case("b.jpg", "b", "jpg", 4),
    Case("a.webp", "a", "webp", 3.5),
    Case("c.png", "c", "png", 5),
    Case("cv.png", "c", "png", 7, viewport=True),
    Case("c.jpg", "c", "jpg", 2.5),
    Case("cv.jpg", "c", "jpg", 4.5, viewport=True),
    Case("d.png", "d", "png", 5.5, HEIGHTS),
    Case("dv.png", "d", "png", 9, HEIGHTS, viewport=True),
)


def main() -> None:
    """Make the rasters, start both sides, run all cases, and print the tables."""
    options = arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    cases = [case for case in CASES if not options.case or case.name in options.case]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        kept = options.rasters or folder / "rasters"
        kept.mkdir(exist_ok=True)
        files = make_rasters(kept.resolve(), options.side)
        places = {case.name: places_of(case, files, options.side) for case in cases}
        sides = [gateway(stack, folder, files, cache_mb=0)]
        if options.titiler:
            sides.append(titiler(stack, options.titiler, files))
        for side in sides:
            wait_ready(side, paths_of(side, cases[0], places[cases[0].name])[0])
        print(f"load average before: {os.getloadavg()[0]:.1f}\n")
        if options.rounds:
            speed(cases, sides, places, (options.rounds, options.seconds), folder)
            sizes(cases, sides, places)
        if options.downloads:
            case = next(case for case in CASES if case.name == "c.png")
            tiles = paths_of(sides[0], case, places_of(case, files, options.side))
            downloads(sides[0], tiles, (options.rounds or 5, options.seconds), folder)
        if options.memory_tiles:
            mixed = {side.name: mixture(side, cases, places, options.memory_tiles) for side in sides}
            memory(sides, mixed, CONNECTIONS)


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titiler", metavar="PYTHON", help="without it ours is measured alone")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4, help="length of each run")
    parser.add_argument("--memory-tiles", type=int, default=20_000, help="0 leaves memory out")
    parser.add_argument("--downloads", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--case", action="append", help="only these cases")
    parser.add_argument("--side", type=int, default=SIDE_PIXELS, help="pixels of a side of each raster")
    parser.add_argument("--rasters", type=Path, help="folder where the rasters are kept for another run")
    return parser.parse_args()


def places_of(case: Case, files: dict[str, Path], side: int) -> list[Place]:
    """Return the tiles of a case in the order in which they are asked for."""
    places = aligned_tiles(side) if case.raster in "ab" else warped_tiles(files[case.raster])
    return as_viewports(places) if case.viewport else shuffled(places)


def paths_of(side: Side, case: Case, places: list[Place]) -> list[str]:
    """Return the paths of the tiles of a case."""
    return [side.path(case.raster, place, case.format, case.style) for place in places]


def mixture(side: Side, cases: list[Case], places: dict[str, list[Place]], count: int) -> list[str]:
    """Return `count` paths, of all cases in turns."""
    lists = [paths_of(side, case, places[case.name]) for case in cases]
    return [(one := lists[index % len(lists)])[index // len(lists) % len(one)] for index in range(count)]


def speed(
    cases: list[Case], sides: list[Side], places: dict[str, list[Place]], extent: tuple[int, int], folder: Path
) -> None:
    """Print medians over interleaved rounds; each round goes on in the list where no round was before."""
    rounds, seconds = extent
    print(f"{rounds} interleaved rounds of {seconds} s, medians; {CONNECTIONS} connections\n")
    measures = ("req/s", "p50 ms", "p99 ms", "CPU ms")
    print("| case | server | " + " | ".join(measures) + " | ÷ req/s | ÷ CPU | ÷ p99 | reach | met |")
    print("|---" * 11 + "|")
    for case in cases:
        found: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
        paths = {side.name: paths_of(side, case, places[case.name]) for side in sides}
        for side in sides:
            ask_all(side, paths[side.name][-WARM_TILES:], CONNECTIONS)
        for turn in range(rounds):
            for side in sides:
                offset = turn * len(paths[side.name]) // rounds
                extent = CONNECTIONS, seconds
                found[side.name].append(load(side, paths[side.name], offset, extent, folder))
        middle = {
            name: {m: statistics.median(run[m] for run in runs) for m in measures} for name, runs in found.items()
        }
        print_case(case, middle)


def print_case(case: Case, middle: dict[str, dict[str, float]]) -> None:
    """Print the rows of a case, the ratios beside ours."""
    ours, theirs = next(iter(middle.values())), middle.get("TiTiler")
    for name, values in middle.items():
        cells = [f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in values.values()]
        verdict = ["", "", "", "", ""]
        if values is ours and theirs:
            fast, cheap = ours["req/s"] / theirs["req/s"], theirs["CPU ms"] / ours["CPU ms"]
            late = ours["p99 ms"] / theirs["p99 ms"]
            missed = [what for what, met in (("req/s", fast >= case.reach), ("CPU", cheap >= case.reach),
                                             ("p99", late <= P99_REACH)) if not met]  # fmt: skip
            verdict = [f"{fast:.1f}", f"{cheap:.1f}", f"{late:.2f}", f"{case.reach:g}", ", ".join(missed) or "yes"]
            verdict[-1] = f"not {verdict[-1]}" if missed else "yes"
        print(f"| {case.name} | {name} | " + " | ".join(cells + verdict) + " |", flush=True)


def sizes(cases: list[Case], sides: list[Side], places: dict[str, list[Place]]) -> None:
    """Print the mean size of the same tiles of both sides."""
    if len(sides) == 1:
        return
    print(
        f"\n| mean bytes of {SIZED_TILES} tiles | ours | TiTiler | ÷ | at most {SIZE_REACH} |\n|---|---|---|---|---|"
    )
    for case in cases:
        picked = places[case.name][:: max(1, len(places[case.name]) // SIZED_TILES)][:SIZED_TILES]
        ours, theirs = (statistics.mean(len(body(s, path)) for path in paths_of(s, case, picked)) for s in sides)
        met = "yes" if ours / theirs <= SIZE_REACH else "no"
        print(f"| {case.name} | {ours:,.0f} | {theirs:,.0f} | {ours / theirs:.2f} | {met} |", flush=True)


if __name__ == "__main__":
    main()
