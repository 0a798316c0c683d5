"""Painters that are killed, that hang and that crash, while others download and look at maps."""

from __future__ import annotations

import math
import os
import random
import re
import shutil
import signal
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Event

from scripts.drilling.clients import SERVED, Load, unrecorded
from scripts.drilling.server import Outcome, Server, write_cog
from scripts.drilling.threads import Threads

PAINT_SECONDS = 10.0
PATCH = "import gateway.studio.forks as forks; forks.PROGRAM = 'scripts.drilling.hostile_painter'"
ZOOMS = (9, 15)


@dataclass(frozen=True)
class Seen:
    """One tile as its client saw it: the name of the raster, the status (0 for none), and how long it took."""

    raster: str
    status: int
    seconds: float


class Maps(Threads):
    """`clients` threads that ask for tiles until the `with` block ends; each fifth hangs or crashes."""

    def __init__(self, server: Server, datasets: dict[str, str], clients: int = 16) -> None:
        self._server, self._datasets = server, datasets
        self.seen: list[Seen] = []
        super().__init__(*(partial(self._run, number) for number in range(clients)))

    def _run(self, number: int, done: Event) -> None:
        chance = random.Random(number)  # noqa: S311 - no secret
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=4 * PAINT_SECONDS)
        count = number
        while not done.is_set():
            count += 1
            raster = ("hang", "crash")[count // 5 % 2] if count % 5 == 0 else f"good{count % 3}"
            self.seen.append(self._ask(connection, raster, chance))
        connection.close()

    def _ask(self, connection: HTTPConnection, raster: str, chance: random.Random) -> Seen:
        z = chance.randint(*ZOOMS)
        x, y = _tile(15.02 + chance.random() * 0.08, 47.75 + chance.random() * 0.08, z)
        # A style of its own keeps the tile from being kept for the next client.
        path = f"/api/datasets/{self._datasets[raster]}/tiles/{z}/{x}/{y}.png?rescale={chance.random()},60000"
        began, status = time.monotonic(), 0
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
        except (OSError, HTTPException):
            connection.close()
        return Seen(raster, status, time.monotonic() - began)


def _tile(lon: float, lat: float, z: int) -> tuple[int, int]:
    """Return the tile of a place in Web Mercator."""
    across = (lon + 180) / 360
    down = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2
    return int(across * 2**z), int(down * 2**z)


def painters(folder: Path, seconds: float = 60, *, every: float = 1.0) -> Outcome:
    """Kill a painter `every` so often for `seconds`, with maps of which each fifth tile hangs or crashes its painter.

    Promised: no download is cut and none lacks its audit row; every other tile comes within PAINT_SECONDS.
    """
    (folder / "rasters").mkdir()
    file = write_cog(folder / "rasters" / "file.tif")
    for name in ("good0", "good1", "good2", "hang", "crash"):
        shutil.copy(file, folder / "rasters" / f"{name}.tif")
    outcome = Outcome()
    with Server(folder, "--processes", "2", patch=PATCH, paint_seconds=f"{PAINT_SECONDS:g}") as server:
        datasets = {path.stem: server.ingest(str(path)) for path in sorted((folder / "rasters").glob("*.tif"))}
        with Load(server, datasets["file"], file.read_bytes()) as load, Maps(server, datasets) as maps:
            kills = _kill(server, seconds, every)
        counted = _metrics(server)
        served, lost, duplicated = unrecorded([a for a in load.answers if a.whole], server)
    cut = [answer for answer in load.answers if answer.status == 0 or (answer.status in SERVED and not answer.whole)]
    good = [seen for seen in maps.seen if seen.raster.startswith("good")]
    bad = [seen for seen in maps.seen if not seen.raster.startswith("good")]
    missed = [seen for seen in good if seen.status != SERVED[0] or seen.seconds > PAINT_SECONDS]
    outcome.figures |= {
        "painters killed": kills, "downloads": served, "downloads cut": len(cut), "audit rows lost": lost,
        "tiles": len(good), "tiles not answered in time": len(missed),
        "slowest tile in s": round(max((seen.seconds for seen in good), default=0.0), 2),
        "median tile in ms": round(1000 * statistics.median(seen.seconds for seen in good), 1),
        "tiles that hang or crash": len(bad), "of these 503": sum(s.status == 503 for s in bad),
        "of these 422": sum(s.status == 422 for s in bad),
        **counted,
    }  # fmt: skip
    if missed:
        outcome.figures["statuses of the missed"] = sorted({seen.status for seen in missed})
    outcome.promise(not cut, "no download is cut")
    outcome.promise(lost == duplicated == 0, "every completed download has exactly one audit row")
    outcome.promise(not missed, "every other tile is answered within PAINT_SECONDS")
    outcome.promise(kills > 0 and served > 0 and bool(good), "there were kills, downloads and tiles")
    return outcome


def _kill(server: Server, seconds: float, every: float) -> int:
    kills, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(every)
        found = _painters(server)
        if found:
            with suppress(ProcessLookupError):
                os.kill(found[kills % len(found)], signal.SIGKILL)
                kills += 1
    return kills


def _painters(server: Server) -> list[int]:
    """Return the painters of all workers."""
    return [painter for pid in server.children("cog-loaded") for each in _forked(pid) for painter in _forked(each)]


def _forked(pid: int) -> list[int]:
    with suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def _metrics(server: Server) -> dict[str, object]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/metrics")
    text = connection.getresponse().read().decode()
    connection.close()
    names = {"painter_deaths": "painters that died", "painter_deadlines": "that took too long",
             "versions_set_aside": "versions set aside"}  # fmt: skip
    return {
        told: int(float(re.search(rf"^cog_gateway_{name}_total (\S+)", text, re.M)[1]))  # type: ignore[index]
        for name, told in names.items()
    }
