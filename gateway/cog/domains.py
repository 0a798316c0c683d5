"""Tags of other domains than GDAL's default one: kept where GDAL's own copy drops them.

A copy by GDAL keeps either the tags of bands or those of other domains (its creation option COPY_SRC_MDD), never both
(https://gdal.org/drivers/raster/gtiff.html#metadata).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.parsers.expat import ExpatError, ParserCreate

import numpy as np

from gateway.cog.ghost import LEADER_BYTES
from gateway.cog.layout import Layout, read_layout
from gateway.cog.tags import NUMPY_CODES, Tag
from gateway.files import FileSource

# What they tell is of the source's own layout, or names files.
NOT_COPIED = {"IMAGE_STRUCTURE", "TILING_SCHEME", "SUBDATASETS", "DERIVED_SUBDATASETS", "RPC", "COLOR_PROFILE"}
# Markup is ASCII; other bytes may be of any encoding.
TO_ASCII = bytes(range(128)) + b"?" * 128
ITEM = "Item"
END = b"</GDALMetadata>"
MOVE_BYTES = 4 << 20


@dataclass(frozen=True, slots=True)
class Item:
    """One item of GDAL_METADATA (42112) as it stands there, and its attributes."""

    raw: bytes
    attributes: dict[str, str]

    @property
    def of_domain(self) -> bool:
        """Return whether it belongs to a domain that a COG may take over."""
        return self.attributes.get("domain", "") not in {"", *NOT_COPIED}

    @property
    def of_band(self) -> bool:
        """Return whether it is a tag of one band, in the default domain."""
        return "sample" in self.attributes and not self.attributes.keys() & {"domain", "role"}


def items_of(layout: Layout) -> tuple[Item, ...]:
    """Return the items of the main image, in their order; none where the text is no XML to GDAL either."""
    values = layout.main.values.get(Tag.GDAL_METADATA)
    raw = b"" if values is None else values.tobytes().partition(b"\0")[0]
    try:
        return tuple(_items(raw))
    except ExpatError:
        return ()


def _items(raw: bytes) -> Iterator[Item]:
    """Yield the elements below the root; raises ExpatError."""
    parser = ParserCreate()
    opened: list[tuple[int, dict[str, str]]] = []
    found: list[Item] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        if not opened and name != "GDALMetadata":
            raise ExpatError("another root")
        opened.append((parser.CurrentByteIndex, attributes))

    def end(name: str) -> None:
        at, attributes = opened.pop()
        # An element without an end tag holds nothing; the parser stands behind it by now.
        if name == ITEM and len(opened) == 1 and raw.startswith(b"</Item", parser.CurrentByteIndex):
            found.append(Item(raw[at : raw.index(b">", parser.CurrentByteIndex) + 1], attributes))

    def refuse(*_: object) -> None:
        raise ExpatError("an entity declaration")

    parser.StartElementHandler, parser.EndElementHandler, parser.EntityDeclHandler = start, end, refuse
    parser.Parse(raw.translate(TO_ASCII), True)
    yield from found


def add_items(path: Path, items: tuple[Item, ...]) -> None:
    """Put more items into the GDAL_METADATA of a COG which GDAL has just written, and that has some already.

    The text grows, so it moves to the end of the header and the tiles make room for it; nothing else moves. BigTIFF
    is safe, and a classic TIFF is: GDAL makes none of near 4 GB when it is asked for what is safer.
    """
    with FileSource(os.open(path, os.O_RDWR | os.O_CLOEXEC)) as made:
        layout = read_layout(made)
        entry = layout.main.tags[Tag.GDAL_METADATA]
        old = made.read_at(entry.offset, entry.size_bytes).partition(END)[0]
        text = old + b"".join(b"  " + item.raw + b"\n" for item in items) + END + b"\n\0"
        at = int(layout.tiles.starts[0]) - LEADER_BYTES
        room = -(-len(text) // 16) * 16
        head = bytearray(made.read_at(0, at))
        _move_offsets(head, layout, room)
        _point_to(head, layout, at, len(text))
        _move_tail(made, at, room)
        os.pwrite(made.fd, bytes(head) + text.ljust(room, b"\0"), 0)


def _move_offsets(head: bytearray, layout: Layout, room: int) -> None:
    """Add `room` to every tile's offset (TileOffsets 324)."""
    for ifd in layout.ifds:
        entry = ifd.tags[Tag.TILE_OFFSETS]
        code = np.dtype(NUMPY_CODES[entry.type]).newbyteorder(layout.form.order)
        moved = np.where(ifd.offsets != 0, ifd.offsets + ifd.offsets.dtype.type(room), ifd.offsets)
        head[entry.offset : entry.offset + entry.size_bytes] = moved.astype(code).tobytes()


def _point_to(head: bytearray, layout: Layout, at: int, count: int) -> None:
    """Let the entry of GDAL_METADATA name the text at `at` (TIFF 6.0 section 2; BigTIFF)."""
    directory, form = layout.main.directory, layout.form
    number = [entry.tag for entry in directory.entries].index(Tag.GDAL_METADATA)
    start = directory.offset + (8 + 20 * number if form.big else 2 + 12 * number)
    struct.pack_into(form.order + ("QQ" if form.big else "II"), head, start + 4, count, at)


def _move_tail(made: FileSource, at: int, room: int) -> None:
    """Move all bytes from `at` on by `room`, the last ones first."""
    end = made.size_bytes
    while end > at:
        piece = made.read_at(max(end - MOVE_BYTES, at), min(MOVE_BYTES, end - at))
        end -= len(piece)
        os.pwrite(made.fd, piece, end + room)
