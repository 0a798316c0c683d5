"""A gateway over scenes of several days that make one layer, for pictures: pieces of the sample of elevation."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import rasterio
from rasterio.io import MemoryFile
from rasterio.shutil import copy
from rasterio.windows import Window

ACROSS, OVERLAP = 4, 0.1
READY_SECONDS = 60.0
PATTERN = r"_(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)"


def cut(sample: Path, folder: Path) -> None:
    """Write ACROSS times ACROSS pieces of a raster that overlap, each column of another day, as COGs."""
    with rasterio.open(sample) as raster:
        side = raster.width / ACROSS, raster.height / ACROSS
        wide, high = (int(length * (1 + OVERLAP)) for length in side)
        for column in range(ACROSS):
            for row in range(ACROSS):
                window = Window(int(column * side[0]), int(row * side[1]), wide, high)
                window = window.intersection(Window(0, 0, raster.width, raster.height))
                shape = {"width": window.width, "height": window.height}
                profile = raster.profile | shape | {"transform": raster.window_transform(window), "driver": "GTiff"}
                with MemoryFile() as memory:
                    with memory.open(
                        **{name: profile[name] for name in profile if not name.startswith("block")}
                    ) as made:
                        made.write(raster.read(window=window))
                    name = f"elevation-{row}{column}_2026-05-{4 + 5 * column:02}.tif"
                    copy(memory.name, folder / name, driver="COG", compress="DEFLATE", blocksize=256)


@contextlib.contextmanager
def scenes(root: Path) -> Iterator[str]:
    """Yield the URL of a gateway of this checkout with the collection `scenes`, ended afterwards."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "scenes"
        folder.mkdir()
        cut(root / "data" / "elevation.tif", folder)
        config = Path(place) / "gateway.toml"
        config.write_text(f'[roots.scenes]\nuri = "file:{folder}"\n')
        own = {"GATEWAY_CONFIG": str(config), "GATEWAY_STATE_DIR": str(Path(place) / "var")}
        command = [sys.executable, "-m", "gateway"]
        taken = ["ingest", str(folder), "--visibility", "public", "--datetime-pattern", PATTERN]
        subprocess.run([*command, *taken], cwd=root, env=os.environ | own, check=True, capture_output=True)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with subprocess.Popen([*command, "serve", "--port", str(port)], cwd=root, env=os.environ | own,
                              stderr=subprocess.DEVNULL) as process:  # fmt: skip
            try:
                yield _ready(f"http://127.0.0.1:{port}/")
            finally:
                process.send_signal(signal.SIGTERM)


def _ready(url: str) -> str:
    """Return the URL once it answers."""
    until = time.monotonic() + READY_SECONDS
    while True:
        try:
            with urlopen(f"{url}livez"):  # noqa: S310 - started a moment ago
                return url
        except URLError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
