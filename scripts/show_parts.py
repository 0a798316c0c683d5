#!/usr/bin/env python3
"""Parts of a raster of a gigabyte: pixels, check, memory, ranges, and what is kept beside gdal_translate; printed.

    python scripts/show_parts.py [--folder FOLDER] [--side 13000]

The raster is three bands of 16 bits of noise by rows, the same each time. A server of two processes serves it; its
memory is that of all its processes (PSS), looked at ten times a second. The small part comes at once, the large one
by a job. curl asks for ranges, cog-gateway check and gdalinfo look at what came, and gdal_translate cuts the same.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from rasterio.crs import CRS
from rasterio.enums import ColorInterp
from rasterio.shutil import copy
from rasterio.transform import from_origin
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.drilling.server import Server
from scripts.requesting.run import ingested, pss_mib

PIXEL, LEFT, TOP, ROWS = 10, 500_000, 5_300_000, 500
# Sides of parts in pixels: of 64 MiB and 234 MiB of values.
SMALL, LARGE = 3344, 6400
COLUMN, ROW = 1111, 2222
SETTINGS = {"open_downloads": "true"}


def main() -> None:
    """Make the raster where it is missing, serve it, and print what came of each question."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="where the raster is kept for another run")
    parser.add_argument("--side", type=int, default=13_000, help="rows and columns of the raster")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="cog-gateway-parts-") as scratch:
        folder = (options.folder or Path(scratch)).resolve()
        source = folder / "rasters" / "gigabyte.tif"
        if not source.exists():
            source.parent.mkdir(parents=True, exist_ok=True)
            make(source, options.side)
        print(f"raster: {options.side} x {options.side} x 3 of uint16, {source.stat().st_size / 1e6:.0f} MB")
        with Server(folder, "--processes", "2", **SETTINGS) as server:
            (dataset,) = ingested(server)
            show(server, f"http://127.0.0.1:{server.port}/api", dataset, source, Path(scratch))


def make(path: Path, side: int) -> None:
    """Write the raster as a COG of ZSTD, a few hundred rows at a time."""
    plain = path.with_suffix(".plain.tif")
    profile = {
        "driver": "GTiff", "count": 3, "height": side, "width": side, "dtype": "uint16", "crs": CRS.from_epsg(32633),
        "transform": from_origin(LEFT, TOP, PIXEL, PIXEL), "nodata": 0, "photometric": "MINISBLACK",
        "BIGTIFF": "IF_SAFER",
    }  # fmt: skip
    with rasterio.open(plain, "w", **profile) as raster:
        raster.colorinterp = (ColorInterp.gray, ColorInterp.undefined, ColorInterp.undefined)
        raster.descriptions, raster.units = ("red", "nir", "swir"), ("1", "1", "1")
        raster.scales, raster.offsets = (0.0001,) * 3, (-0.1,) * 3
        raster.update_tags(SURVEY="noise", AREA_OR_POINT="Area")
        raster.update_tags(2, WAVELENGTH="0.86")
        for row in range(0, side, ROWS):
            rows = min(ROWS, side - row)
            noise = np.random.default_rng(row).integers(1, 60_000, (3, rows, side), dtype="uint16")
            raster.write(noise, window=Window(0, row, side, rows))
    options = {"COMPRESS": "ZSTD", "LEVEL": "1", "OVERVIEW_RESAMPLING": "NEAREST", "BIGTIFF": "IF_SAFER"}
    copy(plain, path, driver="COG", NUM_THREADS="ALL_CPUS", **options)
    plain.unlink()


def show(server: Server, api: str, dataset: str, source: Path, folder: Path) -> None:
    """Print what came of a part at once, of one by a job, of ranges, and of one that is too large."""
    small, large = folder / "small.tif", folder / "large.tif"
    before = pss_mib(server.process.pid)
    with peak(server.process.pid) as memory:
        seconds = curl(url(api, dataset, SMALL), "-o", str(small))["time_total"]
    told("64 MiB at once", small, seconds, before, memory, server)
    with peak(server.process.pid) as memory:
        began = time.monotonic()
        answer = curl(url(api, dataset, LARGE), "-D", str(folder / "head"))
        place = fields_of(folder / "head")["Location"]
        job = waited(api.removesuffix("/api") + place)
        seconds = time.monotonic() - began
        curl(job["result"], "-o", str(large))
    print(f"234 MiB: {answer['http_code']}, {place}, then {job['status']} after {seconds:.1f} s")
    told("234 MiB by a job", large, seconds, before, memory, server)
    for path, side in ((small, SMALL), (large, LARGE)):
        print(f"{path.name}: pixels equal {equal(source, path, side)}")
        program([sys.executable, "-m", "gateway", "check", "-v", str(path)])
    program(["gdalinfo", "-nomd", str(large)], lines=4)
    ranges(url(api, dataset, SMALL), small, folder)
    whole = curl(url(api, dataset, 13_000), "-o", str(folder / "told"))
    print(f"all of it: {whole['http_code']} {json.loads((folder / 'told').read_text())['detail']}")
    beside(source, small, folder)


def url(api: str, dataset: str, side: int) -> str:
    """Return the address of a part of so many pixels a side."""
    west, north = LEFT + COLUMN * PIXEL + 3, TOP - ROW * PIXEL - 3
    box = f"{west},{north - side * PIXEL + 6},{west + side * PIXEL - 6},{north}"
    return f"{api}/datasets/{dataset}/bbox/{box}.tif?native=true&coord_crs=EPSG:32633"


def curl(address: str, *more: str) -> dict[str, Any]:
    """Return what curl tells of an answer."""
    into = [] if "-o" in more else ["-o", "/dev/null"]
    line = ["curl", "-s", *into, "-w", "%{json}", *more, address]
    found: dict[str, Any] = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    return found


def fields_of(path: Path) -> dict[str, str]:
    """Return the fields of a head that curl has written, by their names as Tornado writes them."""
    return dict(line.split(": ", 1) for line in path.read_text().splitlines() if ": " in line)


def waited(address: str) -> dict[str, Any]:
    """Return what is told of a job when it is over."""
    while True:
        found: dict[str, Any] = json.loads(
            subprocess.run(["curl", "-s", address], check=True, capture_output=True).stdout
        )
        if found["status"] not in ("queued", "running"):
            return found
        time.sleep(0.5)


@contextmanager
def peak(pid: int) -> Iterator[dict[str, int]]:
    """Yield where the most memory stands that a server took meanwhile, in MiB."""
    found, over = {"peak": 0}, threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            found["peak"] = max(found["peak"], pss_mib(pid))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def told(what: str, path: Path, seconds: float, before: int, memory: dict[str, int], server: Server) -> None:
    """Print how long a part took, and the memory before, meanwhile and after."""
    time.sleep(1)
    after = pss_mib(server.process.pid)
    size = path.stat().st_size / 1e6
    print(f"{what}: {size:.0f} MB, {seconds:.1f} s; PSS before {before}, peak {memory['peak']}, after {after} MiB")


def equal(source: Path, path: Path, side: int) -> bool:
    """Return whether a part has the pixels of its window of the source."""
    with rasterio.open(source) as old, rasterio.open(path) as new:
        if new.shape != (side, side):
            return False
        return all(
            np.array_equal(
                new.read(window=Window(0, row, side, min(ROWS, side - row))),
                old.read(window=Window(COLUMN, ROW + row, side, min(ROWS, side - row))),
            )
            for row in range(0, side, ROWS)
        )


def program(line: list[str], lines: int = 20) -> None:
    """Print the first lines that a program says."""
    ran = subprocess.run(line, check=False, capture_output=True, text=True)
    print("\n".join((ran.stdout + ran.stderr).splitlines()[:lines]), f"(exit {ran.returncode})")


def ranges(address: str, whole: Path, folder: Path) -> None:
    """Print what ranges, HEAD and conditions come to."""
    head, body = folder / "head", folder / "body"
    curl(address, "-I", "-D", str(head))
    fields = fields_of(head)
    print({name: fields[name] for name in ("Content-Length", "Etag", "Accept-Ranges", "Content-Disposition")})
    etag, content = fields["Etag"], whole.read_bytes()
    for name, more, expected in (
        ("range", ["-r", "1000000-1999999"], content[1_000_000:2_000_000]),
        ("If-Range that holds", ["-r", "-1000", "-H", f"If-Range: {etag}"], content[-1000:]),
        ("If-Range that does not", ["-r", "-1000", "-H", 'If-Range: "old"'], content),
        ("If-None-Match", ["-H", f"If-None-Match: {etag}"], b""),
    ):
        body.write_bytes(b"")
        answer = curl(address, "-o", str(body), *more)
        print(f"{name}: {answer['http_code']}, bytes equal {body.read_bytes() == expected}")
    body.write_bytes(content[: len(content) // 2])
    answer = curl(address, "-C", "-", "-o", str(body))
    print(f"resumed at half: {answer['http_code']}, whole equal {body.read_bytes() == content}")


def beside(source: Path, part: Path, folder: Path) -> None:
    """Print which facts of the file a part and gdal_translate's copy of the window have."""
    other = folder / "gdal.tif"
    window = [str(number) for number in (COLUMN, ROW, SMALL, SMALL)]
    options = ["-q", "-of", "COG", "-co", "COMPRESS=DEFLATE", "-co", "PREDICTOR=YES", "-srcwin", *window]
    subprocess.run(["gdal_translate", *options, str(source), str(other)], check=True)
    with rasterio.open(source) as old, rasterio.open(part) as new, rasterio.open(other) as gdal:
        for name in ("dtypes", "nodata", "crs", "scales", "offsets", "units", "descriptions", "colorinterp"):
            kept, by_gdal = (getattr(each, name) == getattr(old, name) for each in (new, gdal))
            print(f"{name}: kept {kept}, by gdal_translate {by_gdal}")
        print(f"transform: equal {new.transform == gdal.transform}")
        for band in (0, 2):
            print(f"tags {band}: part {new.tags(band)}, gdal {gdal.tags(band)}")
        print(f"compression: part {new.profile['compress']}, gdal {gdal.profile['compress']}")


if __name__ == "__main__":
    main()
