#!/usr/bin/env python3
"""Tiles of the gateway beside TiTiler's, in one run on one machine.

    python scripts/bench_tiles.py --titiler VENV/bin/python [--rounds 5] [--seconds 4] [--list large]

`--titiler` names the Python of an environment with `titiler.application` and `uvicorn[standard]`. Both sides serve
the same rasters with two processes, and are asked for the same tiles in the same order over 16 connections, in
interleaved rounds; medians are printed with ratios, and whether each reach is met. Ours has a tile token of a private
dataset in every URL, its bounded pool of threads, and no cache of encoded tiles. CPU is user and system time of all
processes of a side. The load is wrk's, one thread. Needs wrk.

`--list large` asks for 6,000 tiles, nearly all different, of rasters of 60 to 900 MB that no cache holds, at zooms as
maps ask for them, 12 % beyond the rasters' own.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from bench_tiles_flood import downloads, memory
from bench_tiles_lists import CASES, LARGE_CASES, LARGE_SIDE_PIXELS, SIDE_PIXELS, Case, places_of
from bench_tiles_rasters import Place, make_rasters
from bench_tiles_sides import Side, ask_all, body, gateway, load, titiler, wait_ready

CONNECTIONS, WARM_TILES, SIZED_TILES = 16, 64, 60
SIZE_REACH = 1.12


def main() -> None:
    """Make the rasters, start both sides, run all cases, and print the tables."""
    options = arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    large, side = options.list == "large", options.side
    side = side or (LARGE_SIDE_PIXELS if large else SIDE_PIXELS)
    cases = [case for case in (LARGE_CASES if large else CASES) if not options.case or case.name in options.case]
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        kept = options.rasters or folder / "rasters"
        kept.mkdir(exist_ok=True)
        files = make_rasters(kept.resolve(), side)
        places = {case.name: places_of(case, files, side, large=large) for case in cases}
        sides = [gateway(stack, folder, files, cache_mb=options.cache_mb)]
        if options.titiler:
            sides.append(titiler(stack, options.titiler, files))
        for each in sides:
            wait_ready(each, paths_of(each, cases[0], places[cases[0].name])[0])
        print(f"load average before: {os.getloadavg()[0]:.1f}\n")
        if options.rounds:
            speed(cases, sides, places, (options.rounds, options.seconds), folder)
            sizes(cases, sides, places)
        if options.downloads:
            case = next(case for case in CASES if case.name == "c.png")
            tiles = paths_of(sides[0], case, places_of(case, files, side, large=False))
            downloads(sides[0], tiles, (options.rounds or 5, options.seconds), folder)
        if options.memory_tiles:
            mixed = {each.name: mixture(each, cases, places, options.memory_tiles) for each in sides}
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
    parser.add_argument("--list", choices=("native", "large"), default="native", help="which tiles are asked for")
    parser.add_argument("--side", type=int, help=f"pixels of a side, {SIDE_PIXELS} or {LARGE_SIDE_PIXELS}")
    parser.add_argument("--cache-mb", type=int, default=0, help="our cache of encoded tiles, of each worker")
    parser.add_argument("--rasters", type=Path, help="folder where the rasters are kept for another run")
    return parser.parse_args()


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
                                             ("p99", late <= case.p99_reach)) if not met]  # fmt: skip
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
