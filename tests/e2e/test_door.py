"""The process that holds clients' connections loads nothing that decodes, whatever it is asked for."""

import json
import os
import re
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from tests.e2e.conftest import ROOT
from tests.e2e.test_serve import beside
from tests.patience import until
from tests.tiles.rasters import MERCATOR, landscape, mercator_tile, write

DECODERS = ("rasterio", "cv2", "imagecodecs", "rio_tiler", "pyproj", "morecantile", "isal", "shapely")
LIBRARIES = re.compile(r"gdal|proj|opencv|cv2|imagecodecs|rasterio|turbojpeg|webp|isal", re.IGNORECASE)
# Where a test process writes the names of the modules that the server has loaded.
SPY = """
import os, signal, sys
def told(*_):
    with open(os.environ["SPY"] + str(os.getpid()), "w") as file:
        file.write("\\n".join(sys.modules))
signal.signal(signal.SIGUSR2, told)
"""


def mapped(pid):
    """Return the libraries that a process has mapped."""
    lines = Path(f"/proc/{pid}/maps").read_text().splitlines()
    return {Path(line.split()[-1]).name for line in lines if ".so" in line}


def modules(server, folder):
    server.process.send_signal(signal.SIGUSR2)
    path = folder / f"spied-{server.process.pid}"
    until(lambda: path.exists() and path.read_text())
    return set(path.read_text().split("\n"))


def children(pid, name):
    """Return the children of a process that are called so."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            called, _, fields = path.read_text().rpartition(")")
            if called.endswith(f"({name}") and int(fields.split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def forkservers(pid):
    """Return the processes from which painters of a server are forked."""
    return [child for parent in children(pid, "cog-loaded") for child in children(parent, "cog-forkserver")]


def painters(pid):
    """Return the processes that draw for a server."""
    return [child for parent in forkservers(pid) for child in children(parent, "cog-painter")]


def test_the_door_loads_no_decoder(start, folder):
    pixels = landscape(3, 1024, 1024)
    write(
        folder / "rasters" / "grid.tif",
        pixels,
        mercator_tile(8, 137, 88, 10),
        MERCATOR,
        blocksize=256,
        compress="JPEG",
    )
    (folder / "spy").mkdir()
    (folder / "spy" / "sitecustomize.py").write_text(SPY)
    server = start(open_downloads="true", PYTHONPATH=f"{folder / 'spy'}:{ROOT}", SPY=str(folder / "spied-"))
    beside(server, "ingest", "rasters", "--visibility", "public")
    listed = json.loads(server.ask("/api/datasets")[2])["datasets"]
    by_width = {each["width"]: each["id"] for each in listed}
    for dataset in by_width.values():
        assert server.ask(f"/api/datasets/{dataset}/download/cog", headers={"Range": "bytes=0-16383"})[0] == 206
        assert server.ask(f"/api/datasets/{dataset}/download/cog")[0] == 200
        for path in ("info", "statistics", "preview.png", "tilejson.json", "WMTSCapabilities.xml", "tiles/0/0/0.png"):
            assert server.ask(f"/api/datasets/{dataset}/{path}")[0] == 200, path
    for path in (
        "/api/tileMatrixSets",
        "/api/tileMatrixSets/WebMercatorQuad",
        "/api/colorMaps",
        "/api/colorMaps/viridis?f=png",
    ):
        assert server.ask(path)[0] == 200, path
    tile = f"/api/datasets/{by_width[1024]}/tiles/10/{137 * 4}/{88 * 4}.jpg"
    first = server.ask(tile)
    # A changed file is judged, too.
    (folder / "rasters" / "grid.tif").touch()
    again = server.ask(tile)
    assert (first[0], again[0], first[2]) == (200, 200, again[2])
    pid = server.process.pid
    assert not {name.partition(".")[0] for name in modules(server, folder)} & set(DECODERS)
    assert not {name for name in mapped(pid) if LIBRARIES.search(name)}
    assert any("gdal" in name for child in painters(pid) for name in mapped(child))


def test_stored_blocks_are_sent_while_no_painter_lives(start, folder):
    pixels = landscape(3, 1024, 1024)
    write(
        folder / "rasters" / "grid.tif",
        pixels,
        mercator_tile(8, 137, 88, 10),
        MERCATOR,
        blocksize=256,
        compress="JPEG",
    )
    server = start(tile_cache_mb="0")
    beside(server, "ingest", "rasters/grid.tif", "--visibility", "public")
    (dataset,) = json.loads(server.ask("/api/datasets")[2])["datasets"]
    places = [(x, y) for x in range(548, 552) for y in range(352, 356)]
    drawn = {
        place: server.ask(f"/api/datasets/{dataset['id']}/tiles/10/{place[0]}/{place[1]}.jpg")[2] for place in places
    }
    until(lambda: passed(server) or not server.ask(f"/api/datasets/{dataset['id']}/tiles/10/548/352.jpg"))
    stopped = painters(server.process.pid)
    assert stopped
    for painter in stopped:
        os.kill(painter, signal.SIGSTOP)
    try:
        for (x, y), body in drawn.items():
            assert server.ask(f"/api/datasets/{dataset['id']}/tiles/10/{x}/{y}.jpg")[2] == body
    finally:
        # One that was busy when it was stopped has been killed as overdue.
        for painter in stopped:
            with suppress(ProcessLookupError):
                os.kill(painter, signal.SIGKILL)


def passed(server):
    text = server.ask("/metrics")[2].decode()
    found = re.search(r'cog_gateway_tile_cache_total\{result="passthrough"\} (\S+)', text)
    return float(found[1]) if found else 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_tiles_come_again_after_what_forks_painters_was_killed_and_painters_end_with_their_server(
    start, folder, processes
):
    write(folder / "rasters" / "grid.tif", landscape(3, 512, 512), mercator_tile(8, 137, 88, 10), MERCATOR)
    server = start("--processes", processes)
    beside(server, "ingest", "rasters/grid.tif", "--visibility", "public")
    (dataset,) = json.loads(server.ask("/api/datasets")[2])["datasets"]
    tile = f"/api/datasets/{dataset['id']}/tiles/10/548/352.png?rescale=0,"
    assert server.ask(f"{tile}1")[0] == 200
    (first,) = forkservers(server.process.pid)
    drew = painters(server.process.pid)
    os.kill(first, signal.SIGKILL)
    until(lambda: server.ask(f"{tile}2")[0] == 200)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in drew))
    until(lambda: len(painters(server.process.pid)) >= int(processes))
    last = painters(server.process.pid) + forkservers(server.process.pid)
    server.stop()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in last))
