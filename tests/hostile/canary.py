"""Things that no judgement may touch: an address on loopback, and a folder whose every opening is seen."""

import ctypes
import os
import socket
import struct
from pathlib import Path

import numpy as np
import rasterio
from rasterio.transform import from_origin

IN_ACCESS, IN_OPEN = 0x1, 0x20
EVENT = struct.Struct("iIII")
SECRET_PIXEL = 173


class Watch:
    """What was opened or read in folders, by any process, since the last look (inotify(7))."""

    def __init__(self):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        assert self._fd >= 0
        self._folders = {}

    def add(self, folder):
        number = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), IN_ACCESS | IN_OPEN)
        assert number >= 0
        self._folders[number] = Path(folder)

    def touched(self):
        """Return the names that were touched, as paths; the next call begins anew."""
        seen = set()
        while True:
            try:
                raw = os.read(self._fd, 1 << 16)
            except BlockingIOError:
                return seen
            while raw:
                number, _, _, length = EVENT.unpack_from(raw)
                name, raw = raw[EVENT.size : EVENT.size + length], raw[EVENT.size + length :]
                if name:
                    seen.add(self._folders[number] / os.fsdecode(name.rstrip(b"\0")))

    def close(self):
        os.close(self._fd)


class Canary:
    """An address, and a folder with a raster, a document and a pipe without a writer."""

    def __init__(self, folder, socket_=None):
        self.folder = Path(folder)
        self._socket = socket_
        port = socket_.getsockname()[1] if socket_ else 9
        self.url = f"http://127.0.0.1:{port}/canary"

    @property
    def raster(self):
        return str(self.folder / "secret.tif")

    @property
    def pipe(self):
        return str(self.folder / "pipe.tif")

    def close(self):
        self._socket.close()

    def calls(self):
        """Return how often somebody connected since the last look; nobody is ever answered."""
        count = 0
        while True:
            try:
                self._socket.accept()[0].close()
            except BlockingIOError:
                return count
            count += 1


def hatch(folder):
    """Return a canary in a folder: a listening socket, and the files."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1024)
    listener.setblocking(False)
    canary = Canary(folder, listener)
    profile = {"driver": "GTiff", "width": 64, "height": 48, "count": 1, "dtype": "uint8"}
    with rasterio.open(canary.raster, "w", **profile, transform=from_origin(0, 1, 0.1, 0.1)) as raster:
        raster.write(np.full((1, 48, 64), SECRET_PIXEL, "uint8"))
    (canary.folder / "secret.txt").write_text("the secret")
    os.mkfifo(canary.pipe)
    return canary
