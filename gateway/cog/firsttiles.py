"""The first stored tile of each level and of its mask, decoded: what all tiles have in common and no tag shows."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import DatasetReader

from gateway.cog.checks.levels import mask_of
from gateway.cog.decode import CACHE_BYTES, Damage, findings_of, flaw_of_bytes, window_of
from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.raster import GDAL_ERRORS, open_dataset, strict_options
from gateway.cog.tags import NO_COMPRESSION
from gateway.model import ByteSource, Finding


def check_first_tiles(source: ByteSource, layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each level, and each mask, whose first stored tile GDAL cannot decode.

    A tag that does not go with the data, such as the size of tiles, a codec, or tables of JPEG, shows in each tile.
    Tiles without compression are passed over: their size is that of their pixels. Raises the OSError of the source.
    """
    yield from findings_of(layout, _damage(source, layout))


def _damage(source: ByteSource, layout: Layout) -> Iterator[Damage]:
    # GDAL lists overviews in SubIFDs behind those of the chain.
    for number, level in enumerate((*layout.levels, *layout.sub_levels[1:])):
        images = {False: level, True: mask_of(layout, level)}
        wanted = {masked: ifd for masked, ifd in images.items() if ifd is not None and _is_coded(ifd)}
        if not wanted:
            continue
        try:
            with _opened(source, number) as raster:
                rules = {masked: _flaw(source, raster, ifd, masked) for masked, ifd in wanted.items()}
        except GDAL_ERRORS:
            yield Damage(layout.ifds.index(level), "gdal-cannot-open")
            continue
        for masked, rule in rules.items():
            if rule is not None:
                ifd = wanted[masked]
                yield Damage(layout.ifds.index(ifd), rule, (_first(ifd),))


def _is_coded(ifd: Ifd) -> bool:
    return ifd.compression != NO_COMPRESSION and bool(ifd.counts.any())


def _first(ifd: Ifd) -> int:
    return int((ifd.counts != 0).argmax())


@contextmanager
def _opened(source: ByteSource, number: int) -> Iterator[DatasetReader]:
    """Yield the full image, or the overview of that number from 1 on, as a dataset of its own."""
    level = {"overview_level": number - 1} if number else {}
    options = {**strict_options(source.gdal_path), "GDAL_CACHEMAX": CACHE_BYTES}
    with warnings.catch_warnings(), rasterio.Env(**options):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with open_dataset(source, **level) as raster:
            yield raster


def _flaw(source: ByteSource, raster: DatasetReader, ifd: Ifd, masked: bool) -> str | None:
    """Return the rule that the first stored tile of an image, or of the mask of a level, breaks."""
    if rule := flaw_of_bytes(source, ifd, _first(ifd)):
        return rule
    band, window = window_of(ifd, _first(ifd))
    try:
        if masked:
            raster.read_masks(1, window=window)
        else:
            raster.checksum(band, window=window)
    except GDAL_ERRORS:
        return "tile-does-not-decode"
    return None
