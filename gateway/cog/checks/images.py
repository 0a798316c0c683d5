"""Each image by itself: its size, its samples, its tiles and the length of its tile arrays."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import (
    ARRAY_TAGS,
    CODECS,
    LEAST_SAMPLES,
    PHOTOMETRICS,
    PLANAR_CONTIGUOUS,
    PLANAR_SEPARATE,
    Tag,
    name_of,
)
from gateway.model import Finding

MAX_SIDE = 2**31 - 1
MAX_TILE_SIDE, WIDE_TILE_SIDE = 4096, 1024
MAX_TILE_BYTES = 256 << 20
# Clients take longer for each band the more there are, and some hold one object for each.
MAX_SAMPLES = 16384


def check_sizes(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each image without pixels, or with more in a row than GDAL counts."""
    for ifd in layout.ifds:
        for what, sides in (("An image", ifd.size), *(() if ifd.striped else (("A tile", ifd.tile),))):
            if not 1 <= min(sides) <= max(sides) <= MAX_SIDE:
                yield _about(ifd, "impossible-size", f"{what} is {sides[0]} x {sides[1]} pixels.")


def check_samples(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each image whose sample tags contradict each other, and for each unknown codec."""
    for ifd in layout.ifds:
        if ifd.compression not in CODECS:
            yield _about(ifd, "unknown-codec", f"The compression {ifd.compression} is not known.")
        for problem in _sample_problems(ifd):
            yield _about(ifd, "impossible-samples", problem)


def _sample_problems(ifd: Ifd) -> Iterator[str]:
    if ifd.samples < LEAST_SAMPLES.get(photometric := ifd.number(Tag.PHOTOMETRIC, 1), 1):
        yield f"{ifd.samples} samples are too few for the photometric interpretation {photometric}."
    if photometric not in PHOTOMETRICS:
        yield f"The photometric interpretation {photometric} is not known."
    if ifd.planar not in (PLANAR_CONTIGUOUS, PLANAR_SEPARATE):
        yield f"The planar configuration {ifd.planar} is not known."
    if ifd.samples > MAX_SAMPLES:
        yield f"{ifd.samples} samples are more than {MAX_SAMPLES}."
    extra = ifd.samples - LEAST_SAMPLES.get(photometric, 1)
    if Tag.EXTRA_SAMPLES in ifd.tags and ifd.tags[Tag.EXTRA_SAMPLES].count != max(extra, 0):
        yield f"{name_of(Tag.EXTRA_SAMPLES)} tells of {ifd.tags[Tag.EXTRA_SAMPLES].count} samples, there are {extra}."
    for tag in (Tag.BITS_PER_SAMPLE, Tag.SAMPLE_FORMAT):
        values = ifd.values.get(tag)
        if tag in ifd.tags and (values is None or len(values) not in _lengths(tag, ifd.samples)):
            yield f"{name_of(tag)} has not one value for each of the {ifd.samples} samples."
        elif values is not None and len(values) > 1 and (values != values[0]).any():
            yield f"{name_of(tag)} differs between the samples."


def _lengths(tag: Tag, samples: int) -> tuple[int, ...]:
    """Return how many values the tag may have: some writers give SampleFormat once for all samples."""
    return (samples, 1) if tag == Tag.SAMPLE_FORMAT else (samples,)


def check_tiled(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each image in strips, of whatever size."""
    for ifd in layout.ifds:
        if ifd.striped:
            yield _about(ifd, "not-tiled", "An image is stored in strips.")


def check_tiles(layout: Layout) -> Iterator[Finding]:
    """Yield findings on the sides and the decoded size of tiles, once for each image."""
    for ifd in layout.ifds:
        across, down = ifd.tile
        shape = f"Tiles are {across} x {down} pixels"
        if across % 16 or down % 16:
            yield _about(ifd, "tile-side-not-16", f"{shape}.")
        if max(ifd.tile) > MAX_TILE_SIDE or ifd.tile_bytes > MAX_TILE_BYTES:
            yield _about(ifd, "tile-too-large", f"{shape}, {ifd.tile_bytes} bytes decoded.")
        elif max(ifd.tile) > WIDE_TILE_SIDE:
            yield _about(ifd, "tile-over-1024", f"{shape}.")
        if across != down:
            yield _about(ifd, "tile-not-square", f"{shape}.")


def check_arrays(layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each tile array that is not as long as the grid."""
    for ifd in layout.ifds:
        for tag in ARRAY_TAGS:
            if (count := ifd.tags[tag].count) != ifd.blocks:
                what = f"Tag {name_of(tag)} has {count} values for {ifd.blocks} tiles."
                yield _about(ifd, "tile-array-length", what)


def _about(ifd: Ifd, rule: str, what: str) -> Finding:
    return finding(rule, what, ifd=ifd.index, offset=ifd.directory.offset)
