"""The recipe that makes a COG of a GeoTIFF which is none: whether there is one, and the options that keep its nature.

The words are those of gdal_translate (https://gdal.org/programs/gdal_translate.html) with the creation options of
the COG driver (https://gdal.org/drivers/raster/cog.html).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from gateway.cog.checks import Check, blocks, coding, images, levels, overviews, references, tags
from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import RULES
from gateway.cog.tags import JPEG, STRIP_TAGS, Tag
from gateway.cog.tiff import Values
from gateway.model import ByteSource, Finding, Severity

# GDAL reads a file with such a mask as if it had none.
LOSSY = ("mask-size",)
# By their numbers in libtiff's tiff.h, JPEG XL with two.
LZW, ZSTD, WEBP, JXL = 5, 50000, 50001, (50002, 52546)
# Who reads the source reads the result too; everything else becomes DEFLATE, which every reader has. What a lossy
# codec left is kept as it is: to encode it once more would change it once more.
KEPT_CODECS = {LZW: "LZW", ZSTD: "ZSTD"}
# Photographs: no classes survive these codecs.
PHOTOGRAPHIC = frozenset({JPEG, WEBP, *JXL})
# The sample formats (339) and bits that libtiff has a predictor for: integers, and floating point.
PREDICTABLE = {1: (8, 16, 32, 64), 2: (8, 16, 32, 64), 3: (32, 64)}
COMPLEX = (5, 6)
# PhotometricInterpretation (262) of colours by number, and the table of them (320), which GDAL takes by itself too.
PALETTE, COLOR_MAP = 3, 320
# Longer arrays of strips are not looked at.
MAX_STRIP_BYTES = 64 << 20


def _sound_tiles(check: Check) -> Check:
    """Return the check of tile entries, made of the images that are not in strips."""
    return lambda layout: check(replace(layout, ifds=tuple(ifd for ifd in layout.ifds if not ifd.striped)))


# The COG check stops at the step that finds the first error; these must hold in any case, in this order.
GATES: tuple[Check, ...] = (
    tags.check_read,
    tags.check_required,
    tags.check_single,
    references.check,
    images.check_sizes,
    images.check_samples,
    coding.check,
    _sound_tiles(images.check_tiles),
    _sound_tiles(images.check_arrays),
    _sound_tiles(blocks.check_entries),
    levels.check_flags,
    levels.check_masks,
)
PYRAMID: tuple[Callable[[Layout], Iterator[Finding]], ...] = (
    overviews.check_pyramid,
    levels.check_flags,
    levels.check_masks,
)


def convertible(findings: Iterable[Finding]) -> bool:
    """Return whether a refused file is a sound GeoTIFF of which only the layout is wrong."""
    errors = [found for found in findings if found.severity is Severity.ERROR]
    return bool(errors) and all(map(_rewritable, errors))


def obstacle(layout: Layout) -> Finding | None:
    """Return the first finding by which GDAL may not be handed the file, or would lose something; None if none."""
    found = (found for check in GATES for found in check(layout) if found.severity is Severity.ERROR)
    return next((error for error in found if not _rewritable(error)), None)


def recipe_of(source: ByteSource, layout: Layout, findings: Iterable[Finding]) -> tuple[str, ...]:
    """Return the command that makes a COG of the source, without the two names; empty where there is none.

    There is none for a file that is a true COG, that is damaged or cut, or that would lose something. Raises the
    OSError of the source.
    """
    if not convertible(findings) or obstacle(layout) is not None:
        return ()
    if not all(_strips_inside(source, layout, ifd) for ifd in layout.ifds if ifd.striped):
        return ()
    options = (word for name, value in creation(layout).items() for word in ("-co", f"{name}={value}"))
    return ("gdal_translate", "-if", "GTiff", "-of", "COG", *options)


def creation(layout: Layout) -> dict[str, str]:
    """Return the creation options of the COG driver for a layout without an `obstacle`; lossless in every case."""
    main = layout.main
    return {
        "COMPRESS": KEPT_CODECS.get(main.compression, "DEFLATE"),
        "PREDICTOR": "YES" if _predictable(main) else "NO",
        "BIGTIFF": "IF_SAFER",
        "OVERVIEWS": "AUTO" if _good_overviews(layout) else "IGNORE_EXISTING",
        "RESAMPLING": "NEAREST" if _may_be_classes(main) else "AVERAGE",
        "NUM_THREADS": "ALL_CPUS",
    }


def _rewritable(found: Finding) -> bool:
    return found.rule in RULES and RULES[found.rule].rewritable and found.rule not in LOSSY


def _predictable(main: Ifd) -> bool:
    """Return whether neighbours are near in value, and a predictor is there for values of this kind."""
    return not _palette(main) and main.bits in PREDICTABLE.get(main.sample_format, ())


def _palette(main: Ifd) -> bool:
    return main.number(Tag.PHOTOMETRIC, 1) == PALETTE or COLOR_MAP in main.tags


def _may_be_classes(main: Ifd) -> bool:
    """Return whether the mean of two values may mean nothing: colours by number, bits, classes, complex numbers.

    Nothing in the file tells classes from grey; where the values take 8 bits and make no photograph they may be.
    """
    if _palette(main) or main.bits < 8 or main.sample_format in COMPLEX:
        return True
    photograph = main.compression in PHOTOGRAPHIC or main.samples >= 3
    return main.bits == 8 and not photograph


def _good_overviews(layout: Layout) -> bool:
    """Return whether the overviews may be taken over: the pyramid is whole. Where there are none, they are made."""
    if len(layout.sub_levels) > 1 or any(found for check in PYRAMID for found in check(layout)):
        return False
    return len(layout.levels) == 1 or max(layout.levels[-1].size) <= overviews.VIEW_SIDE


def _strips_inside(source: ByteSource, layout: Layout, ifd: Ifd) -> bool:
    """Return whether every stored strip (StripOffsets 273, StripByteCounts 279) lies wholly in the file."""
    arrays = [_strip_values(source, layout, ifd, tag) for tag in STRIP_TAGS]
    if arrays[0] is None or arrays[1] is None or len(arrays[0]) != len(arrays[1]):
        return False
    starts, counts = (array.astype(np.uint64) for array in arrays if array is not None)
    size = np.uint64(layout.size_bytes)
    return bool(np.all(counts <= size - np.minimum(starts, size)))


def _strip_values(source: ByteSource, layout: Layout, ifd: Ifd, tag: int) -> Values | None:
    """Return the values of a tag of strips, or None where they are missing, too many or cut."""
    entry = ifd.tags.get(tag)
    if entry is None or entry.size_bytes > MAX_STRIP_BYTES:
        return None
    raw = source.read_at(entry.offset, entry.size_bytes)
    return layout.form.values(raw, entry.type) if len(raw) == entry.size_bytes else None
