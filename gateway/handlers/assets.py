"""The files of the viewer: a fixed list, each read and compressed once, when it is first asked for."""

from __future__ import annotations

import gzip
import hashlib
import threading
from dataclasses import dataclass
from pathlib import Path

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".ico": "image/x-icon",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".md": "text/plain; charset=utf-8",
    "": "text/plain; charset=utf-8",
}
# Smaller bodies gain nothing.
COMPRESSED_FROM_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its bytes, the same in gzip where that is shorter, and the strong entity tags of both."""

    media_type: str
    body: bytes
    etag: str
    zipped: bytes | None
    zipped_etag: str


class Assets:
    """The files below one folder, as they were at the first look; other names lead nowhere, so no path is built."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._gate = threading.Lock()
        self._paths: dict[str, Path] | None = None
        self._read: dict[str, Asset] = {}

    def find(self, name: str) -> Asset | None:
        """Return the file of that name below the folder, `/` between its parts, or None."""
        with self._gate:
            if self._paths is None:
                self._paths = listed(self._folder)
            path = self._paths.get(name)
            if path is None:
                return None
            if name not in self._read:
                self._read[name] = asset_of(path.read_bytes(), MEDIA_TYPES[path.suffix])
            return self._read[name]


def listed(folder: Path) -> dict[str, Path]:
    """Return the files below a folder that have a known type, by their names relative to it."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in MEDIA_TYPES)
    return {path.relative_to(folder).as_posix(): path for path in files}


def asset_of(body: bytes, media_type: str) -> Asset:
    """Return a file with its compressed form and its entity tags (RFC 9110 section 8.8.3)."""
    digest = hashlib.blake2b(body, digest_size=12).hexdigest()
    zipped = gzip.compress(body, 9, mtime=0) if len(body) >= COMPRESSED_FROM_BYTES else body
    shorter = zipped if len(zipped) < len(body) else None
    return Asset(media_type, body, f'"{digest}"', shorter, f'"{digest}-gzip"')
