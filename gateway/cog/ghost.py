"""The ghost area in which GDAL tells how it laid out a COG.

https://gdal.org/drivers/raster/cog.html#header-ghost-area
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

# A tile's size before it, and its last bytes after it.
LEADER_BYTES = TRAILER_BYTES = 4
FIRST_LINE = re.compile(rb"GDAL_STRUCTURAL_METADATA_SIZE=(.{6}) bytes\n", re.DOTALL)
FIRST_LINE_START = b"GDAL_STRUCTURAL_METADATA_SIZE="
FIRST_LINE_BYTES = 43
# What a claim may say; a value that is not known cannot be judged.
KNOWN_CLAIMS = {
    "LAYOUT": {"IFDS_BEFORE_DATA"},
    "BLOCK_ORDER": {"ROW_MAJOR"},
    "BLOCK_LEADER": {"SIZE_AS_UINT4"},
    "BLOCK_TRAILER": {"LAST_4_BYTES_REPEATED"},
    "KNOWN_INCOMPATIBLE_EDITION": {"NO", "YES"},
    "MASK_INTERLEAVED_WITH_IMAGERY": {"YES", "NO"},
    "INTERLEAVE": {"PIXEL", "BAND", "TILE"},
}


@dataclass(frozen=True, slots=True)
class Ghost:
    """What stands between the file header and the first IFD.

    `start` and `end` are its byte extent as its own size says; `claims` are its lines by their names. `size`
    is None when the number cannot be read, and then there are no claims. `garbled` says that bytes or lines
    in it are none that GDAL writes.
    """

    start: int
    end: int
    size: int | None
    garbled: bool = False
    claims: Mapping[str, str] = field(default_factory=dict)

    @property
    def leaders(self) -> bool:
        """Return whether each tile is said to follow its own size, a little-endian uint32."""
        return self.claims.get("BLOCK_LEADER") == "SIZE_AS_UINT4"

    @property
    def trailers(self) -> bool:
        """Return whether the last four bytes of each tile are said to be repeated after it."""
        return self.claims.get("BLOCK_TRAILER") == "LAST_4_BYTES_REPEATED"

    @property
    def row_major(self) -> bool:
        """Return whether tiles are said to be stored in the order of their numbers."""
        return self.claims.get("BLOCK_ORDER") == "ROW_MAJOR"

    @property
    def masks_interleaved(self) -> bool:
        """Return whether each mask tile is said to follow its image tile."""
        return self.claims.get("MASK_INTERLEAVED_WITH_IMAGERY") == "YES"

    @property
    def interleave(self) -> str | None:
        """Return the claimed order of planar-separate tiles, BAND or TILE, or None."""
        return self.claims.get("INTERLEAVE")


def parse_ghost(start: int, raw: bytes) -> Ghost | None:
    """Return the ghost area that begins `raw`, the bytes from `start` to the first IFD or more; else None."""
    if not raw.startswith(FIRST_LINE_START):
        return None
    match = FIRST_LINE.match(raw)
    if match is None or not re.fullmatch(rb"[0-9]{6}", match[1]):
        return Ghost(start, start, None, garbled=True)
    size = int(match[1])
    text = raw[FIRST_LINE_BYTES : FIRST_LINE_BYTES + size]
    lines = [line.strip(" ") for line in text.decode("latin-1").split("\n")]
    pairs = [line.partition("=") for line in lines if line]
    claims = {key: value for key, _, value in pairs}
    garbled = (
        re.fullmatch(rb"[\n\x20-\x7e]*", text) is None
        or len(claims) < len(pairs)
        or any(not equals or value not in KNOWN_CLAIMS.get(key, {value}) for key, equals, value in pairs)
    )
    return Ghost(start, start + FIRST_LINE_BYTES + size, size, garbled, claims)
