"""What a part of a raster is: whole pixels on the file's own grid. Plain values, free of any outside library."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.errors import GatewayError


@dataclass(frozen=True, slots=True)
class Part:
    """Pixels of a file from `column` and `row` on, of `bands` counted from 1.

    `edges` are those of polygons in columns and rows of the file, as `ground.coverage.text_of` writes them: pixels of
    which these cover nothing hold no data.
    """

    column: int
    row: int
    width: int
    height: int
    bands: tuple[int, ...]
    edges: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedPart:
    """A part and what it takes in memory: its values, and a byte for each pixel where it has a mask."""

    part: Part
    decoded_bytes: int


@dataclass(frozen=True, slots=True)
class WrittenPart:
    """A file that was written: its length, and its SHA-256 in hex."""

    size_bytes: int
    sha256: str


class PartTooLarge(GatewayError):
    """More of a dataset than is given at once; the members `limit_bytes` and `asked_bytes` are of decoded values."""

    status = 413
    title = "Content Too Large"
    slug = "part-too-large"

    def __init__(self, asked_bytes: int, limit_bytes: int, advice: str = "Ask for less of it.") -> None:
        asked, limit = (size / (1 << 20) for size in (asked_bytes, limit_bytes))
        super().__init__(
            f"The part has {asked:.1f} MiB of decoded values; the limit is {limit:.0f} MiB. {advice}",
            members={"asked_bytes": asked_bytes, "limit_bytes": limit_bytes},
        )
