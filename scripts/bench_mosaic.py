#!/usr/bin/env python3
"""Tiles of many scenes as one layer, beside TiTiler's mosaic backend and a GDAL VRT through TiTiler, in one run.

    python scripts/bench_mosaic.py --titiler VENV/bin/python [--folder FOLDER] [--across 20] [--rounds 3]

`--titiler` names the Python of an environment with `titiler.application` and `uvicorn[standard]`. All sides serve the
same scenes (`bench_mosaic_scenes.py`) with two processes and are asked for the same tiles over 16 connections, in
interleaved rounds; medians are printed with ratios. The MosaicJSON of each zoom has quadkeys of that very zoom, which
is the least that TiTiler has to look at; the VRT needs gdalwarp and gdalbuildvrt, and is left out without them. Ours
has no cache of encoded tiles, and with `--overview` one COG over all scenes for far zooms. CPU is user and system
time of all processes of a side. The load is wrk's, one thread.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench_mosaic_scenes import NATIVE_ZOOM, make_scenes, tiles_over, whole_zoom
from bench_servers import KEY, ROOT, free_port, running, tree
from bench_tiles_rasters import Place, as_viewports
from bench_tiles_sides import MATRIX, TITILER_SETTINGS, Side, ask_all, load, wait_ready

CONNECTIONS, WARM_TILES = 16, 32
COLLECTION, ALL_FILES = "scenes", "?limit_assets=1000"
TIMEOUT_SECONDS = 120
MEASURES = ("req/s", "p50 ms", "p99 ms", "CPU ms")
MOSAIC = """
import sys
from pathlib import Path
from cogeo_mosaic.mosaic import MosaicJSON
folder, target, zoom = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
files = sorted(map(str, folder.glob("*.tif")))
made = MosaicJSON.from_urls(files, minzoom=zoom, maxzoom=zoom, quiet=True)
Path(target).write_text(made.model_dump_json(exclude_none=True))
"""


@dataclass(frozen=True)
class Case:
    """Tiles of one zoom; `reach` and `p99_reach` are the least ratio of requests, and the greatest of p99.

    A round is so many times `longer`, and all files are asked for where `all_files`.
    """

    name: str
    zoom: int
    places: list[Place]
    reach: float
    p99_reach: float = 1 / 3
    longer: int = 1
    all_files: bool = False


def main() -> None:
    """Make the scenes, start all sides, run all cases, and print the table."""
    options = arguments()
    if shutil.which("wrk") is None:
        sys.exit("wrk is not installed")
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = (options.folder or Path(scratch)).resolve()
        scenes = make_scenes(folder / "scenes", options.across)
        cases = [case for case in cases_of(scenes) if not options.case or case.name in options.case]
        environment = ingested(folder, scenes[0].parent, overview=options.overview)
        if options.titiler:
            mosaics(folder, options.titiler, scenes, cases)
            vrt = vrt_of(folder, scenes)
        if options.prepare:
            return
        sides = [gateway(stack, environment)]
        if options.titiler:
            sides += titilers(stack, folder, options.titiler, vrt)
        for side in sides:
            wait_ready(side, paths_of(side, cases[0])[0])
        print(f"{len(scenes)} scenes; load average before: {os.getloadavg()[0]:.1f}")
        print(f"{options.rounds} interleaved rounds of {options.seconds} s, medians; {CONNECTIONS} connections\n")
        print("| tiles | server | " + " | ".join(MEASURES) + " | ÷ req/s | ÷ CPU | ÷ p99 | reach | met |")
        print("|---" * 11 + "|")
        for case in cases:
            print_case(case, measured(case, sides, (options.rounds, options.seconds), folder), assets(sides[0], case))


def arguments() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--titiler", metavar="PYTHON", help="without it ours is measured alone")
    parser.add_argument("--folder", type=Path, help="where the scenes and all else are kept for another run")
    parser.add_argument("--overview", action="store_true", help="with `collections overview` of the scenes")
    parser.add_argument("--prepare", action="store_true", help="only make them there")
    parser.add_argument("--across", type=int, default=20, help="scenes in a row, and rows")
    parser.add_argument("--case", action="append", help="only these cases")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=5, help="length of each run")
    return parser.parse_args()


def cases_of(scenes: list[Path]) -> list[Case]:
    """Return the cases: as fine as the scenes, two zooms out, and all of them in view."""
    whole = whole_zoom(scenes)
    return [
        Case("native", NATIVE_ZOOM, as_viewports(tiles_over(scenes, NATIVE_ZOOM, inside=True)), 5),
        Case("two zooms out", NATIVE_ZOOM - 2, as_viewports(tiles_over(scenes, NATIVE_ZOOM - 2, inside=True)), 5),
        Case("all in view", whole, tiles_over(scenes, whole, inside=False), 20, longer=12, all_files=True),
    ]


def ingested(folder: Path, scenes: Path, *, overview: bool) -> dict[str, str]:
    """Return the environment of a gateway that has the scenes as a public collection, with an overview or none."""
    environment = {
        **os.environ, "GATEWAY_STATE_DIR": str(folder / "state"), "GATEWAY_SECRET_KEYS": KEY, "PYTHONPATH": str(ROOT),
        "GATEWAY_ROOTS": json.dumps({"data": {"uri": f"file:{scenes}"}, "made": {"uri": f"file:{folder / 'made'}"}}),
        "GATEWAY_LOG_LEVEL": "WARNING", "GATEWAY_TILE_CACHE_MB": "0",
    }  # fmt: skip
    if not (folder / "state").exists():
        line = [sys.executable, "-m", "gateway", "ingest", str(scenes), "--visibility", "public"]
        line += ["--collection", COLLECTION, "--jobs", "2", "--json"]
        subprocess.run(line, env=environment, check=True, stdout=subprocess.DEVNULL)
    line = [sys.executable, "-m", "gateway", "collections", "overview", COLLECTION]
    (made := folder / "made").mkdir(exist_ok=True)
    if overview:
        subprocess.run([*line, "--copy-to", "made"], env=environment, check=True)
    elif any(made.rglob("*.tif")):
        subprocess.run([*line, "--remove"], env=environment, check=True)
    return environment


def gateway(stack: ExitStack, environment: dict[str, str]) -> Side:
    """Return two processes of the gateway."""
    port = free_port()
    line = [sys.executable, "-m", "gateway", "serve", "--port", str(port), "--processes", "2"]
    process = stack.enter_context(running(line, port, env=environment))

    def path(_: str, place: Place, extension: str, told: str) -> str:
        return f"/api/collections/{COLLECTION}/tiles/{MATRIX}/{'/'.join(map(str, place))}.{extension}{told}"

    return Side("COG Gateway", lambda: tree(process.pid), port, path)


def mosaics(folder: Path, python: str, scenes: list[Path], cases: list[Case]) -> None:
    """Make a MosaicJSON for each zoom, where it is missing."""
    for case in cases:
        if not (target := folder / f"{case.zoom}.json").exists():
            subprocess.run([python, "-c", MOSAIC, str(scenes[0].parent), str(target), str(case.zoom)], check=True)


def titilers(stack: ExitStack, folder: Path, python: str, vrt: Path | None) -> list[Side]:
    """Return two workers of TiTiler with the settings that it recommends, asked for a mosaic and for a VRT."""
    port = free_port()
    line = [python, "-m", "uvicorn", "titiler.application.main:app", "--port", str(port), "--workers", "2"]
    options = ["--log-level", "warning", "--no-access-log"]
    process = stack.enter_context(running([*line, *options], port, env={**os.environ, **TITILER_SETTINGS}))

    def side(name: str, told: Callable[[int], str]) -> Side:
        def path(_: str, place: Place, extension: str, __: str) -> str:
            kind, url = told(place[0]).split(" ")
            return f"/{kind}/tiles/{MATRIX}/{'/'.join(map(str, place))}.{extension}?url={url}"

        return Side(name, lambda: tree(process.pid), port, path)

    found = [side("TiTiler mosaic", lambda zoom: f"mosaicjson {folder / f'{zoom}.json'}")]
    return [*found, side("TiTiler VRT", lambda _: f"cog {vrt}")] if vrt else found


def vrt_of(folder: Path, scenes: list[Path]) -> Path | None:
    """Return a VRT of all scenes, each warped to Web Mercator by a VRT of its own; None without GDAL's programs."""
    if shutil.which("gdalwarp") is None or shutil.which("gdalbuildvrt") is None:
        print("gdalwarp and gdalbuildvrt are not installed: the VRT is left out")
        return None
    if (target := folder / "all.vrt").exists():
        return target
    warped = []
    for scene in scenes:
        warped.append(folder / f"{scene.stem}.vrt")
        line = ["gdalwarp", "-q", "-of", "VRT", "-t_srs", "EPSG:3857", "-dstalpha", str(scene), str(warped[-1])]
        subprocess.run(line, check=True)
    listed = folder / "warped.txt"
    listed.write_text("".join(f"{path}\n" for path in warped))
    subprocess.run(["gdalbuildvrt", "-q", "-input_file_list", str(listed), str(target)], check=True)
    return target


def paths_of(side: Side, case: Case) -> list[str]:
    """Return the paths of the tiles of a case."""
    return [side.path("", place, "png", ALL_FILES if case.all_files else "") for place in case.places]


def assets(side: Side, case: Case) -> str:
    """Return what our answers rest on: the header X-Assets of one of them, files used of those found."""
    path = paths_of(side, case)[len(case.places) // 2]
    with urllib.request.urlopen(f"http://127.0.0.1:{side.port}{path}") as answer:
        return str(answer.headers.get("X-Assets"))


def measured(case: Case, sides: list[Side], length: tuple[int, int], folder: Path) -> dict[str, dict[str, float]]:
    """Return medians over interleaved rounds; each round goes on in the list where no round was before."""
    rounds, seconds = length
    found: dict[str, list[dict[str, float]]] = {side.name: [] for side in sides}
    for side in sides:
        ask_all(side, paths_of(side, case)[-WARM_TILES:], CONNECTIONS)
    extent = CONNECTIONS, seconds * case.longer
    for turn in range(rounds):
        for side in sides:
            paths = paths_of(side, case)
            offset = turn * len(paths) // rounds
            found[side.name].append(load(side, paths, offset, extent, folder, TIMEOUT_SECONDS))
    return {name: {m: statistics.median(run[m] for run in runs) for m in MEASURES} for name, runs in found.items()}


def print_case(case: Case, middle: dict[str, dict[str, float]], rests_on: str) -> None:
    """Print the rows of a case, the ratios to each other side beside that."""
    (ours, first), *others = middle.items()
    name = f"{case.name}, zoom {case.zoom}, {len(case.places)} tiles"
    print(f"| {name} | {ours} ({rests_on}) | {cells(first)} | | | | | |")
    for other, values in others:
        fast, cheap = first["req/s"] / (values["req/s"] or 1e-9), values["CPU ms"] / first["CPU ms"]
        late = first["p99 ms"] / values["p99 ms"]
        met = "yes" if fast >= case.reach and late <= case.p99_reach else "no"
        ratios = f"{fast:.1f} | {cheap:.1f} | {late:.2f} | {case.reach:g}, {case.p99_reach:.2f} | {met}"
        print(f"| {name} | {other} | {cells(values)} | {ratios} |", flush=True)


def cells(values: dict[str, float]) -> str:
    """Return the measures of a row."""
    return " | ".join(f"{value:.3g}" if value < 1000 else f"{value:.0f}" for value in values.values())


if __name__ == "__main__":
    main()
