#!/usr/bin/env python3
"""Tiles of a far zoom over ten thousand scenes, painted from their small pictures: processor time of each, printed.

    python scripts/bench_crowd.py [--folder FOLDER] [--across 100] [--rounds 20] [--postgres]

Scenes of 16 by 16 pixels, three bands of bytes, stand beside each other in two zones of UTM, nine kilometres apart; a
gateway of two processes serves them as one collection. CPU is user and system time of all its processes, the painters
among them, a tile that is not kept anywhere; the search behind it and the list of pictures are timed by themselves,
in this process. The first tile of each zoom is left out, which loads what is needed. With `--postgres` the catalogue
is copied to a server of its own, and searches and lists are timed there by the clock: two processes share that work.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine
from bench_mosaic import COLLECTION, gateway, ingested
from bench_servers import ROOT
from bench_tiles_rasters import Place
from bench_tiles_sides import Side, wait_ready
from rasterio.io import MemoryFile
from rasterio.shutil import copy

sys.path.insert(0, str(ROOT))

from gateway.catalogue.search import MOST_COUNTED, Search
from gateway.copying import copy_records
from gateway.ground.address import TileAddress
from gateway.ground.mercator import tile_box
from gateway.model import Principal
from gateway.records import Records, open_records
from scripts.clustering.postgres import Postgres

SIDE, METRES, STEP = 16, 562.5, 9000
# Tiles that hold most of them, from far to near.
TILES = ((0, 0, 0), (3, 4, 2), (4, 8, 5), (5, 17, 10))
LIMIT = 100


def main() -> None:
    """Make scenes and catalogue where they are missing, serve them, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where all is kept for another run")
    parser.add_argument("--prepare", action="store_true", help="only make it there")
    parser.add_argument("--across", type=int, default=100, help="scenes in a row, and rows")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--postgres", action="store_true", help="time the searches in PostgreSQL too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = (options.folder or Path(scratch)).resolve()
        make_scenes(folder / "scenes", options.across)
        environment = ingested(folder, folder / "scenes", overview=False)
        if options.prepare:
            return
        side = gateway(stack, environment)
        wait_ready(side, side.path("", TILES[0], "png", ""))
        stored = folder / "state" / "gateway.db"
        print(f"{options.across**2} scenes; load average before: {os.getloadavg()[0]:.1f}\n")
        print("| tile | X-Assets | CPU ms | search ms | pictures ms |\n|---|---|---|---|---|")
        for tile in TILES:
            print_tile(side, stored, tile, options.rounds)
        if options.postgres:
            print_postgres(stack, stored, options.rounds)


def print_postgres(stack: ExitStack, stored: Path, rounds: int) -> None:
    """Print what searches and lists take in PostgreSQL."""
    server = Postgres(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="crowd-", dir="/tmp"))))
    server.make()
    server.start("shared_buffers=512MB")
    stack.callback(server.stop)
    server.execute("CREATE DATABASE crowd")
    with (
        closing(open_records(stored, read_only=True)) as known,
        closing(open_records(server.url("crowd"))) as records,
    ):
        copy_records(known, records, "crowd")
        server.execute("VACUUM ANALYZE", name="crowd")
        print("\n| tile, PostgreSQL | found | search ms | pictures ms |\n|---|---|---|---|")
        for tile in TILES:
            found, listed = searches(records, tile, rounds, time.perf_counter)
            print(f"| {'/'.join(map(str, tile))} | {searched(records, tile)} | {found:.1f} | {listed:.1f} |")


def make_scenes(folder: Path, across: int) -> None:
    """Write the scenes, unless they are there."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_make_row, [folder] * across, range(across), [across] * across))


def _make_row(folder: Path, row: int, across: int) -> None:
    chance = np.random.default_rng(row)
    for column in range(across):
        eastern, place = divmod(column, across // 2)
        transform = Affine(METRES, 0, 250_000 + place * STEP, 0, -METRES, 5_600_000 - row * STEP)
        profile = {"driver": "GTiff", "count": 3, "height": SIDE, "width": SIDE, "dtype": "uint8"}
        with MemoryFile() as memory:
            with memory.open(**profile, transform=transform, crs=f"EPSG:{32632 + eastern}") as raster:
                raster.write(chance.integers(1, 255, (3, SIDE, SIDE), np.uint8))
            copy(memory.name, folder / f"{row:03}-{column:03}.tif", driver="COG", compress="DEFLATE")


def print_tile(side: Side, stored: Path, tile: Place, rounds: int) -> None:
    """Print the row of a tile."""
    path = side.path("", tile, "png", "")
    before, assets = 0.0, ""
    for number in range(rounds + 1):
        if number == 1:
            before = side.cpu_seconds()
        # Another range each time: what is kept is of another picture.
        with urllib.request.urlopen(f"http://127.0.0.1:{side.port}{path}?rescale=0,{200 + number}") as answer:
            answer.read()
            assets = str(answer.headers["X-Assets"])
    spent = (side.cpu_seconds() - before) * 1000 / rounds
    with closing(open_records(stored, read_only=True)) as records:
        found, listed = searches(records, tile, rounds, time.process_time)
    name = "/".join(map(str, tile))
    print(f"| {name} | {assets} | {spent:.0f} | {found:.1f} | {listed:.1f} |")


def searches(records: Records, tile: Place, rounds: int, clock: Callable[[], float]) -> tuple[float, float]:
    """Return how long the search behind a tile takes in milliseconds, and the list of its small pictures."""
    box = tile_box(TileAddress("WebMercatorQuad", *tile), -0.4)
    degrees = min((box[2] - box[0]) % 360 or 360, box[3] - box[1]) / 256
    search, reader = Search(collections=(COLLECTION,), under=box, limit=LIMIT), Principal()
    crowd = replace(search, limit=MOST_COUNTED)
    found = timed(lambda: records.search(search, reader), rounds, clock)
    return found, timed(lambda: records.small_pictures.of_search(crowd, reader, degrees), rounds, clock)


def searched(records: Records, tile: Place) -> int:
    """Return how many datasets are found under a tile."""
    box = tile_box(TileAddress("WebMercatorQuad", *tile), -0.4)
    matched = records.search(Search(collections=(COLLECTION,), under=box), Principal()).matched
    return MOST_COUNTED if matched is None else matched


def timed(work: Callable[[], Any], rounds: int, clock: Callable[[], float]) -> float:
    """Return the median of the time of some calls in milliseconds, the first one left out."""
    found = []
    for _ in range(rounds + 1):
        began = clock()
        work()
        found.append((clock() - began) * 1000)
    return statistics.median(found[1:])


if __name__ == "__main__":
    main()
