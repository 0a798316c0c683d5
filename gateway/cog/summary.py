"""What is taken of a raster when it is judged, for pictures of it among others: a range of values, small pictures.

Of what lies in a network two overviews at most are read, each in one request and no more than MOST_BYTES of it.
"""

from __future__ import annotations

from gateway.cog import smallpictures, stretch
from gateway.cog.layout import Layout, read_layout
from gateway.model import ByteSource, Inspection, ordered

MOST_BYTES = 2 << 20
# Beside what was read before: GDAL goes through the directories, which are kept, and looks here and there.
MOST_READS = 16
Span = tuple[int, int]


def with_summary(source: ByteSource, found: Inspection) -> Inspection:
    """Return the inspection of a true COG with its default range of values and its small pictures.

    Any other one is returned as it is, and so is one whose overviews do not decode, or are too long to be read over
    a network. Raises the OSError of the source.
    """
    if found.raster is None:
        return found
    layout = read_layout(source)
    levels = [ifd.size for ifd in layout.levels]
    if not source.remote:
        return smallpictures.with_small_pictures(source, stretch.with_stretch(source, found, levels), levels)
    spans = {level: span_of(layout, level) for level in range(len(levels))}
    near_enough = [level for level, span in spans.items() if _fits(span)]
    if not near_enough:
        return found
    finest, small = near_enough[0], smallpictures.level_of(levels)
    whole = stretch.level_of(levels, found.raster.count, finest)
    wanted = {small} if found.raster.bounds is not None else set()
    wanted = (wanted | ({whole} if ordered(found.raster.dtype) else set())).intersection(near_enough)
    near = Ahead(source, layout.header_end, [span for level in wanted if (span := spans[level])])
    found = smallpictures.with_small_pictures(near, found, levels) if small in near_enough else found
    return stretch.with_stretch(near, found, levels, finest) if whole in near_enough else found


def span_of(layout: Layout, level: int) -> Span | None:
    """Return where the blocks of a level lie, and those of its mask: first byte, and that behind the last one.

    None where none is stored.
    """
    size = layout.levels[level].size
    found = [ifd.stored(layout.size_bytes) for ifd in layout.ifds if ifd.size == size]
    starts = [int(starts.min()) for _, starts, _ in found if len(starts)]
    ends = [int(ends.max()) for _, _, ends in found if len(ends)]
    return (min(starts), max(ends)) if starts else None


def _fits(span: Span | None) -> bool:
    return span is None or span[1] - span[0] <= MOST_BYTES


class Ahead:
    """A source in a network, of which some pieces are read at once; besides them it is read a few times only.

    What is read after that is empty, which GDAL takes for the end of the file.
    """

    remote = True

    def __init__(self, source: ByteSource, header_end: int, spans: list[Span]) -> None:
        self._source = source
        self._header_end = header_end
        self._left = MOST_READS
        self._pieces = [(start, source.read_at(start, stop - start)) for start, stop in spans]

    @property
    def gdal_path(self) -> str:
        """Return the name of the source."""
        return self._source.gdal_path

    @property
    def size_bytes(self) -> int:
        """Return the length of the object."""
        return self._source.size_bytes

    def read_at(self, offset_bytes: int, length_bytes: int) -> bytes:
        """Return at most `length_bytes` from `offset_bytes` on; raises what the source raises."""
        stop = offset_bytes + length_bytes
        for start, piece in self._pieces:
            if start <= offset_bytes and stop <= start + len(piece):
                return piece[offset_bytes - start : stop - start]
        if stop > self._header_end:
            if not self._left or length_bytes > MOST_BYTES:
                return b""
            self._left -= 1
        return self._source.read_at(offset_bytes, length_bytes)
