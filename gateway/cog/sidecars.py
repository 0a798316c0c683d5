"""Files beside a COG that other readers would mix in; they are told of, never read into the data."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gateway.cog.rules import finding
from gateway.errors import GatewayError
from gateway.files import FileSource, open_beneath
from gateway.model import ByteSource, Finding

GEOREFERENCING = re.compile(rb"<\s*(SRS|GeoTransform|GCPList)\b")
MAX_AUX_BYTES = 1 << 20


def check_sidecars(source: ByteSource, siblings: frozenset[str]) -> Iterator[Finding]:
    """Yield a warning for each sidecar of this very file among the names in its folder.

    An .aux.xml counts only when it holds georeferencing, because GDAL lets it override the file's own.
    """
    if not siblings:
        return
    # The descriptor's path leads to the file's own name; for other sources the path ends with it.
    path = Path(source.gdal_path if source.remote else os.path.realpath(source.gdal_path))
    for suffix, rule in ((".ovr", "sidecar-overviews"), (".msk", "sidecar-mask")):
        if path.name + suffix in siblings:
            yield finding(rule, f"A {suffix} file stands beside it.")
    aux = f"{path.name}.aux.xml"
    if aux in siblings and GEOREFERENCING.search(_content(path.parent, aux)):
        yield finding("sidecar-georeferencing", "An .aux.xml file with georeferencing stands beside it.")


def _content(folder: Path, name: str) -> bytes:
    """Return the beginning of a file, or nothing where it cannot be read."""
    try:
        with open_beneath(folder, (name,), FileSource) as file:
            return file.read_at(0, MAX_AUX_BYTES)
    except (OSError, GatewayError):
        return b""
