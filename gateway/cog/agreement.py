"""What GDAL makes of a file beside what its directories say: where the two differ, readers get what nobody judged."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader

from gateway.cog.checks.levels import mask_of
from gateway.cog.ifd import Ifd
from gateway.cog.layout import Layout
from gateway.cog.rules import finding
from gateway.cog.tags import JPEG, YCBCR, Tag
from gateway.model import Finding

# The data types of each sample format (339) by bits. A half float is a float32 before GDAL 3.11; rasterio knows no
# complex integers of 32 bits a part.
TYPES = {
    (1, 8): ("uint8",), (1, 16): ("uint16",), (1, 32): ("uint32",), (1, 64): ("uint64",),
    (2, 8): ("int8",), (2, 16): ("int16",), (2, 32): ("int32",), (2, 64): ("int64",),
    (3, 16): ("float16", "float32"), (3, 24): ("float32",), (3, 32): ("float32",), (3, 64): ("float64",),
    (5, 32): ("complex_int16",), (5, 64): ("complex_int32", "complex64"),
    (6, 64): ("complex64",), (6, 128): ("complex128",),
}  # fmt: skip
UNSIGNED = 1
# Photometric interpretations (262) of which libtiff makes RGB with alpha, whatever the samples are; JPEG makes RGB.
MADE_RGBA = frozenset({YCBCR, 8, 32844})
# A float32 is told as the double that is next to it.
TOLERANCE = 1e-6


def disagreements(raster: DatasetReader, layout: Layout) -> Iterator[Finding]:
    """Yield a finding for each fact of the open raster that is not what its directories say."""
    main = layout.main
    facts: list[tuple[str, object, object]] = [
        ("size", raster.shape[::-1], main.size),
        ("size of blocks", raster.block_shapes[0][::-1], main.tile),
        ("number of overviews", len(raster.overviews(1)), len(layout.levels) + len(layout.sub_levels) - 2),
        ("mask", _masked(raster), mask_of(layout, main) is not None),
    ]
    if not _made_rgba(main):
        facts.append(("number of bands", raster.count, main.samples))
        facts.append(("separation of bands", _separate(raster), main.samples == 1 or main.planes > 1))
        types = types_of(main)
        facts.append(("data type", raster.dtypes[0], raster.dtypes[0] if raster.dtypes[0] in types else types[0]))
    yield from (_otherwise(main, what, seen, judged) for what, seen, judged in facts if seen != judged)
    yield from _nodata(raster, main)


def types_of(ifd: Ifd) -> tuple[str, ...]:
    """Return rasterio's names of the data type that an image may have; unsigned values are widened to whole bytes."""
    bits = ifd.bits
    if ifd.sample_format == UNSIGNED:
        bits = next(whole for whole in (8, 16, 32, 64) if bits <= whole)
    return TYPES[ifd.sample_format, bits]


def _made_rgba(ifd: Ifd) -> bool:
    return ifd.number(Tag.PHOTOMETRIC, 1) in MADE_RGBA and ifd.compression != JPEG


def _masked(raster: DatasetReader) -> bool:
    """Return whether GDAL found a mask that is an image of its own."""
    flags = raster.mask_flag_enums[0]
    return MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags


def _separate(raster: DatasetReader) -> bool:
    """Return whether planes are separate; GDAL 3.11 tells TILE from BAND, earlier ones do not."""
    return raster.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE", "BAND") in ("BAND", "TILE")


def _nodata(raster: DatasetReader, main: Ifd) -> Iterator[Finding]:
    """Yield a finding when a nodata value that a pixel may have is another one, or none, to GDAL."""
    text = main.text(Tag.GDAL_NODATA)
    try:
        judged = float(text)
    except ValueError:
        return
    seen = raster.nodata
    if not _same(seen, judged) if seen is not None else _fits(judged, raster.dtypes[0]):
        yield _otherwise(main, "nodata value", seen, text)


def _fits(value: float, dtype: str) -> bool:
    """Return whether a pixel of that type may have the value."""
    if dtype.startswith("float"):
        return not abs(value) > float(np.finfo(dtype).max)
    return "int" in dtype and "complex" not in dtype and np.iinfo(dtype).min <= value <= np.iinfo(dtype).max


def _same(one: float, other: float) -> bool:
    return math.isclose(one, other, rel_tol=TOLERANCE) or (math.isnan(one) and math.isnan(other))


def _otherwise(ifd: Ifd, what: str, seen: object, judged: object) -> Finding:
    text = f"To GDAL its {what} is {_told(seen)}, by its directories {_told(judged)}."
    return finding("gdal-sees-otherwise", text, ifd=ifd.index, offset=ifd.directory.offset)


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "there" if value else "not there"
    return " x ".join(map(str, value)) if isinstance(value, tuple) else str(value)
